defmodule Quay.Application do
  @moduledoc false
  use Application

  @impl true
  def start(_type, _args) do
    children = [{Plug.Cowboy, scheme: :http, plug: Quay.Berths, options: [port: 4000]}]
    Supervisor.start_link(children, strategy: :one_for_one)
  end
end
