require_relative "boot"
require "rails"
require "action_controller/railtie"
require "active_record/railtie"
require "sprockets/railtie"

Bundler.require(*Rails.groups)

module Signals
  class Application < Rails::Application
    config.load_defaults 7.1
  end
end
