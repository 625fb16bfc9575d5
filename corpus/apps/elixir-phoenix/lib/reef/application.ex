defmodule Reef.Application do
  @moduledoc false
  use Application

  @impl true
  def start(_type, _args) do
    children = [{Phoenix.PubSub, name: Reef.PubSub}, ReefWeb.Endpoint]
    Supervisor.start_link(children, strategy: :one_for_one, name: Reef.Supervisor)
  end
end
