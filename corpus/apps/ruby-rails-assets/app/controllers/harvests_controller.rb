class HarvestsController < ActionController::Base
  def index
    render plain: "#{Harvest.count} baskets of apples"
  end
end
