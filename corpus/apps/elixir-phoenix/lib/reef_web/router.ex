defmodule ReefWeb.Router do
  use Phoenix.Router

  get "/", ReefWeb.PageController, :home
end
