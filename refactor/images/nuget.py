"""What packages of NuGet, and libraries that programs of .NET load by name, need of an image.

Sources: the nuspec files of the packages that are named here (nuget.org); learn.microsoft.com, "Native library
loading".
"""

from __future__ import annotations

PLAIN = (
    r"System\..*|Newtonsoft\.Json|Dapper|Npgsql|Humanizer.*|CommandLineParser|Spectre\.Console.*|Serilog|"
    r"Serilog\.Sinks\.(?:Console|File)|CsvHelper|Polly(?:\.Core)?|FSharp\.Core|YamlDotNet|MQTTnet|RabbitMQ\.Client|"
    r"StackExchange\.Redis|Confluent\.Kafka|"
    r"Microsoft\.Extensions\.(?:Hosting|Logging|Configuration|DependencyInjection|Options|Http|Caching)(?:\.\w+)*"
)
"""Pattern of the packages that do without ASP.NET (no frameworkReferences in their nuspec)."""
OF_SYSTEM = r"(?i)(?:c|m|dl|pthread|System\.Native|kernel32|user32|advapi32|ntdll|shell32|ole32|gdi32|psapi)"
"""Pattern of the libraries, without ``lib``, that every Linux image of .NET has, or that only Windows has."""


__all__ = ["OF_SYSTEM", "PLAIN"]
