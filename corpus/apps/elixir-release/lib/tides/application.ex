defmodule Tides.Application do
  @moduledoc false
  use Application

  @impl true
  def start(_type, _args) do
    Supervisor.start_link([Tides.Server], strategy: :one_for_one, name: Tides.Supervisor)
  end
end
