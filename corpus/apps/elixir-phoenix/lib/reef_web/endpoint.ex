defmodule ReefWeb.Endpoint do
  use Phoenix.Endpoint, otp_app: :reef

  plug Plug.Static, at: "/", from: :reef, only: ~w(assets robots.txt)
  plug ReefWeb.Router
end
