defmodule ReefWeb.PageController do
  use Phoenix.Controller, formats: [:html]

  # Fish are counted by hand: see "Counting" in the handbook.
  def home(conn, _params) do
    text(conn, "42 fish")
  end
end
