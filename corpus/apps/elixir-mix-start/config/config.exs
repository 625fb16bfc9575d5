import Config

config :quay, berths: System.get_env("BERTHS", "12")
