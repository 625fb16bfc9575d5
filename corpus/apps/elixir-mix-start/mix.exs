defmodule Quay.MixProject do
  use Mix.Project

  def project do
    [app: :quay, version: "0.1.0", elixir: "~> 1.17", deps: deps()]
  end

  def application do
    [extra_applications: [:logger], mod: {Quay.Application, []}]
  end

  defp deps do
    [{:plug_cowboy, "~> 2.7"}]
  end
end
