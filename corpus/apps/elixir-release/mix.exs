defmodule Tides.MixProject do
  use Mix.Project

  def project do
    [
      app: :tides,
      version: "0.3.0",
      elixir: "~> 1.14",
      start_permanent: Mix.env() == :prod,
      deps: []
    ]
  end

  def application do
    [extra_applications: [:logger, :crypto], mod: {Tides.Application, []}]
  end
end
