defmodule Quay.Berths do
  @moduledoc false
  import Plug.Conn

  def init(options), do: options

  def call(conn, _options) do
    send_resp(conn, 200, "#{Application.fetch_env!(:quay, :berths)} berths")
  end
end
