defmodule Tides.Server do
  @moduledoc "Answers every request with the next high tide of the table."
  use Task, restart: :permanent

  def start_link(_arg), do: Task.start_link(__MODULE__, :listen, [])

  def listen do
    port = Application.fetch_env!(:tides, :port)
    {:ok, socket} = :gen_tcp.listen(port, [:binary, packet: :http_bin, active: false, reuseaddr: true])
    serve(socket)
  end

  defp serve(socket) do
    {:ok, client} = :gen_tcp.accept(socket)
    body = answer()
    :gen_tcp.send(client, [
      "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n",
      "content-length: #{byte_size(body)}\r\nconnection: close\r\n\r\n",
      body
    ])
    :gen_tcp.close(client)
    serve(socket)
  end

  defp answer do
    table = File.read!("tables/harbour.csv")
    [first | _] = String.split(table, "\n", trim: true)
    tag = :crypto.hash(:sha256, table) |> Base.encode16() |> binary_part(0, 8)
    "next high tide: #{first} (table #{tag})\n"
  end
end
