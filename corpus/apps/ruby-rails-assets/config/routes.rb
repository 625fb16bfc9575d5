Rails.application.routes.draw do
  root "harvests#index"
end
