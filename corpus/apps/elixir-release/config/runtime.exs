import Config

config :tides, port: String.to_integer(System.get_env("PORT", "8080"))
