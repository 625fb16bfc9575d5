import Config

config :reef, ReefWeb.Endpoint, http: [port: 4000], code_reloader: true
