import Config

if System.get_env("PHX_SERVER") do
  config :reef, ReefWeb.Endpoint, server: true
end

if config_env() == :prod do
  config :reef, ReefWeb.Endpoint,
    http: [port: String.to_integer(System.get_env("PORT") || "4000")],
    secret_key_base: System.fetch_env!("SECRET_KEY_BASE")
end
