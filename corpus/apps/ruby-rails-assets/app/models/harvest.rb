class Harvest < ActiveRecord::Base
end
