""".NET stages: what they become, and what is refused by name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.taken_apart import refusal, run, stages

NAIVE = """
FROM mcr.microsoft.com/dotnet/sdk:8.0
WORKDIR /src
COPY . .
RUN dotnet restore
RUN dotnet publish -c Release -o /app --no-restore
EXPOSE 8080
WORKDIR /app
ENTRYPOINT ["dotnet", "Shop.dll"]
"""


def csproj(inside: str = "", *packages: str, sdk: str = "Microsoft.NET.Sdk.Web", target: str = "net8.0") -> str:
    listed = "".join(f'<PackageReference Include="{name}" Version="1.0.0" />' for name in packages)
    kind = "" if sdk.endswith(".Web") else "<OutputType>Exe</OutputType>"
    return (
        f'<Project Sdk="{sdk}"><PropertyGroup><TargetFramework>{target}</TargetFramework>{kind}{inside}</PropertyGroup>'
        f"<ItemGroup>{listed}</ItemGroup></Project>"
    )


def console(inside: str = "", *packages: str) -> str:
    return csproj(inside, *packages, sdk="Microsoft.NET.Sdk")


def project(manifest: str, body: str = "", **files: str) -> dict[str, str]:
    return {"Shop.csproj": manifest, "Program.cs": f"class P {{ static void Main() {{ {body} }} }}\n", **files}


INVARIANT = "<InvariantGlobalization>true</InvariantGlobalization>"
WEB = project(csproj("", "Serilog.AspNetCore"), "app.Run();")
CONSOLE = project(console())


def test_a_web_application_goes_to_the_runtime_of_asp_net() -> None:
    builder, runner = stages(NAIVE, WEB)
    assert builder.endswith("COPY Shop.csproj ./\nRUN dotnet restore\nCOPY . .\n" + NAIVE.splitlines()[5])
    assert (
        runner
        == """FROM mcr.microsoft.com/dotnet/aspnet:8.0 AS runner
WORKDIR /src
EXPOSE 8080
WORKDIR /app
COPY --from=builder /app .
USER 1654:1654
ENTRYPOINT ["dotnet", "Shop.dll"]
"""
    )


@pytest.mark.parametrize(
    ("image", "manifest", "runner"),
    [
        ("sdk:8.0", console(), "runtime:8.0"),
        ("sdk:8.0", console("", "Newtonsoft.Json", "Microsoft.Extensions.Hosting"), "runtime:8.0"),
        ("sdk:8.0", console("", "Quartz"), "aspnet:8.0"),
        ("sdk:8.0.404", console(), "runtime:8.0"),
        ("sdk:8.0-bookworm-slim", console(), "runtime:8.0-bookworm-slim"),
        ("sdk:8.0-jammy", console(), "runtime:8.0-jammy"),
        ("core/sdk:3.1", csproj(target="netcoreapp3.1").replace("Shop", ""), "core/aspnet:3.1"),
        ("sdk:9.0-alpine3.21", console(INVARIANT), "runtime:9.0-alpine3.21"),
        ("sdk:10.0", console(), "runtime:10.0"),
    ],
)  # fmt: skip
def test_the_runner_is_of_the_sdks_version_and_distribution(image: str, manifest: str, runner: str) -> None:
    text = NAIVE.replace("sdk:8.0", image).replace("EXPOSE 8080", "EXPOSE 8080 80")
    _, final = stages(text, project(manifest))
    assert final.startswith(f"FROM mcr.microsoft.com/dotnet/{runner} AS runner\n")


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ("ARG V=8.0", "mcr.microsoft.com/dotnet/sdk:${V}"),
        ("ARG V=8.0", "mcr.microsoft.com/dotnet/sdk:${V}-jammy"),
        ("ARG R=mcr.microsoft.com\nARG V=8.0", "${R}/dotnet/sdk:$V"),
    ],
)
def test_registry_and_version_may_be_arguments(arguments: str, written: str) -> None:
    text = f"{arguments}\n" + NAIVE.strip().replace("mcr.microsoft.com/dotnet/sdk:8.0", written)
    after = run(text, CONSOLE).after.decode()
    assert f"FROM {written} AS builder" in after
    assert f"FROM {written.replace('sdk', 'runtime')} AS runner" in after


def test_chiseled_is_for_those_who_ask() -> None:
    _, runner = stages(NAIVE, CONSOLE, "distroless")
    assert runner.startswith("FROM mcr.microsoft.com/dotnet/runtime:8.0-noble-chiseled-extra AS runner\n")
    text = NAIVE.replace("EXPOSE 8080", "HEALTHCHECK CMD curl -f localhost:8080")
    assert "has no shell and installs nothing" in refusal(text, CONSOLE, "distroless")


def test_a_program_with_its_runtime_needs_the_libraries_alone() -> None:
    text = NAIVE.replace("--no-restore", "-r linux-x64 --self-contained true").replace(
        '"dotnet", "Shop.dll"', '"./Shop"'
    )
    _, runner = stages(text, CONSOLE)
    assert runner.startswith("FROM mcr.microsoft.com/dotnet/runtime-deps:8.0 AS runner\n")
    for other in ("", "--self-contained=false", "--no-self-contained"):
        _, runner = stages(text.replace("--self-contained true", other), CONSOLE)
        assert runner.startswith("FROM mcr.microsoft.com/dotnet/runtime:8.0 AS runner\n")


def test_only_what_is_published_is_compiled_ahead_of_time() -> None:
    text, files = NAIVE.replace('"dotnet", "Shop.dll"', '"./Shop"'), project(console("<PublishAot>true</PublishAot>"))
    assert "/runtime-deps:8.0 AS" in stages(text, files)[1]
    assert "/runtime:8.0 AS" in stages(text.replace("publish", "build"), files)[1]
    built = text.replace(" -o /app", "").replace("WORKDIR /app\n", "").replace("./Shop", "bin/Release/net8.0/Shop")
    assert "/runtime:8.0 AS" in stages(built, files)[1]


def test_packages_are_restored_in_a_layer_of_their_own() -> None:
    text = UNRESTORED
    builder, _ = stages(text, WEB)
    assert builder.endswith("COPY Shop.csproj ./\nRUN dotnet restore\nCOPY . .\nRUN dotnet publish -c Release -o /app")
    assert "restore" not in stages(text, CONSOLE)[0]


def test_what_stands_beside_the_build_is_known() -> None:
    more = "RUN dotnet tool install -g dotnet-ef && dotnet clean && dotnet test && dotnet --info\nRUN dotnet publish"
    builder, runner = stages(NAIVE.replace("RUN dotnet publish", more), CONSOLE)
    assert "dotnet test" in builder
    assert "RUN" not in runner


SOLUTION = {
    "Shop.sln": """
Project("{9A}") = "Web", "src\\Web\\Web.csproj", "{1}"
Project("{9A}") = "Core", "src\\Core\\Core.csproj", "{2}"
Project("{2150}") = "docs", "docs", "{3}"
""",
    "Directory.Build.props": "<Project><PropertyGroup><TargetFramework>net8.0</TargetFramework>"
    "</PropertyGroup></Project>",
    "Directory.Packages.props": "<Project></Project>",
    "NuGet.config": "<configuration><packageSources><add key='a' value='https://n.org'/></packageSources></configuration>",
    "global.json": "{}",
    "src/Web/Web.csproj": '<Project Sdk="Microsoft.NET.Sdk.Web"><ItemGroup>'
    '<ProjectReference Include="..\\Core\\Core.csproj" /></ItemGroup></Project>',
    "src/Web/Program.cs": "class P { }",
    "src/Web/packages.lock.json": "{}",
    "src/Core/Core.csproj": '<Project Sdk="Microsoft.NET.Sdk"><ItemGroup><PackageReference Include="Dapper" />'
    "</ItemGroup></Project>",
    "src/Core/Data.cs": 'class D { string s = System.IO.File.ReadAllText("/etc/shop.json"); }',
    "src/Other/Other.cs": "class O { void M() { Process.Start(x); } }",
}


@pytest.mark.parametrize("form", ["sln", "slnx"])
def test_a_solution_is_restored_from_the_manifests_of_all_its_projects(form: str) -> None:
    files = dict(SOLUTION)
    if form == "slnx":
        del files["Shop.sln"]
        files["Shop.slnx"] = (
            '<Solution><Folder Name="/src/"><Project Path="src/Web/Web.csproj" /></Folder>'
            '<Project Path="src/Core/Core.csproj" /></Solution>'
        )
    text = NAIVE.replace("publish", "publish src/Web").replace("Shop.dll", "Web.dll")
    builder, runner = stages(text, files)
    assert f"COPY Shop.{form} Directory.Build.props Directory.Packages.props NuGet.config global.json ./" in builder
    assert "COPY src/Web/Web.csproj src/Web/packages.lock.json src/Web/" in builder
    assert "COPY src/Core/Core.csproj src/Core/" in builder
    assert builder.index("dotnet restore") < builder.index("COPY . .")
    assert "aspnet:8.0" in runner


def test_a_project_is_built_with_those_that_it_refers_to() -> None:
    text = NAIVE.replace("restore\n", "restore src/Web\n").replace("publish", "publish src/Web")
    builder, _ = stages(text.replace("Shop.dll", "Web.dll"), SOLUTION)
    assert "Shop.sln" not in builder
    assert "src/Core/Core.csproj" in builder


def test_without_an_option_the_output_has_its_usual_place() -> None:
    text = (
        NAIVE.replace(" -o /app", "").replace("WORKDIR /app\n", "").replace('"Shop', '"bin/Release/net8.0/publish/Shop')
    )
    _, runner = stages(text, CONSOLE)
    assert "COPY --from=builder /src/bin/Release/net8.0/publish ./bin/Release/net8.0/publish\n" in runner
    for named in ("publish -p:Configuration=Release", "publish", "publish --configuration Release -f net8.0"):
        assert "/src/bin/Release/net8.0/publish " in stages(text.replace("publish -c Release", named), CONSOLE)[1]
    ported = text.replace("-c Release", "-p:RuntimeIdentifier=linux-x64").replace("net8.0/", "net8.0/linux-x64/")
    assert "/src/bin/Release/net8.0/linux-x64/publish " in stages(ported, CONSOLE)[1]
    built = text.replace("publish -c Release", "build").replace("Release/net8.0/publish", "Debug/net8.0")
    assert "COPY --from=builder /src/bin/Debug/net8.0 ./bin/Debug/net8.0\n" in stages(built, CONSOLE)[1]


def test_settings_and_pages_of_the_working_directory_come_along() -> None:
    files = project(csproj(), "app.Run();", **{"appsettings.json": "{}", "wwwroot/a.css": "", "data/b.txt": ""})
    text = NAIVE.replace("WORKDIR /app\n", "").replace('"Shop.dll', '"/app/Shop.dll')
    _, runner = stages(text, files)
    assert "/src/appsettings.json ./appsettings.json" in runner
    assert "/src/wwwroot ./wwwroot" in runner
    assert "data" not in runner


def test_sources_that_are_copied_one_by_one_are_seen() -> None:
    _, runner = stages(NAIVE.replace("COPY . .", "COPY Shop.csproj Program.cs ./"), CONSOLE)
    assert "runtime:8.0" in runner


def test_of_several_projects_the_one_that_is_copied_is_built() -> None:
    text = NAIVE.replace("COPY . .", "COPY Shop.csproj Program.cs ./")
    assert "runtime:8.0" in stages(text, {**CONSOLE, "Other.csproj": console()})[1]


def test_files_that_a_project_names_are_found_by_properties() -> None:
    refers = '<ProjectReference Include="$(Libraries)\\Core.csproj" />'
    imports = (
        '<Import Project="$(MSBuildThisFileDirectory)..\\a.props" /><Import Project="b.props" />'
        '<Import Project="$(MSBuildExtensionsPath32)\\c.targets" />'
    )
    files = {
        "Directory.Build.props": "<Project><PropertyGroup><Libraries>..\\lib</Libraries></PropertyGroup></Project>",
        "src/Shop.csproj": console().replace("<ItemGroup>", f"{imports}<ItemGroup>{refers}"),
        "src/Program.cs": "",
        "lib/Core.csproj": '<Project Sdk="Microsoft.NET.Sdk" />',
        "a.props": "<Project />",
    }
    text = NAIVE.replace("restore\n", "restore src\n").replace("publish", "publish src")
    builder, _ = stages(text, files)
    assert "COPY Directory.Build.props a.props ./\nCOPY lib/Core.csproj lib/\nRUN dotnet restore src\n" in builder
    because = "src/Shop.csproj names $(Other)\\Core.csproj, which only MSBuild knows"
    assert because in refusal(
        text, {**files, "src/Shop.csproj": files["src/Shop.csproj"].replace("Libraries", "Other")}
    )
    del files["lib/Core.csproj"]
    assert "lib/Core.csproj does not exist" in refusal(text, files)


def test_a_health_check_above_the_last_workdir_is_not_in_the_way() -> None:
    text = NAIVE.replace("EXPOSE 8080", "EXPOSE 8080\nHEALTHCHECK CMD curl -f localhost:8080")
    _, runner = stages(text, WEB)
    assert "WORKDIR /app\nCOPY --from=builder /app .\n" in runner
    assert "--no-install-recommends curl" in runner


def test_dotnet_run_is_built_once() -> None:
    text = NAIVE.partition("RUN")[0] + 'EXPOSE 8080\nCMD ["dotnet", "run", "--", "a"]\n'
    builder, runner = stages(text, CONSOLE)
    assert builder.endswith("COPY . .\nRUN dotnet publish -c Debug -o out")
    assert runner.endswith('CMD ["dotnet", "out/Shop.dll", "a"]\n')


@pytest.mark.parametrize(
    ("words", "build", "started"),
    [
        ('"-c", "Release", "--no-build"', "-c Release -o out", ""),
        ('"--project", "Shop.csproj", "a", "b"', "Shop.csproj -c Debug -o out", ', "a", "b"'),
        ('"--urls", "http://+:5000"', "-c Debug -o out", ', "--urls", "http://+:5000"'),
        ('"--", "-x"', "-c Debug -o out", ', "-x"'),
    ],
)
def test_words_for_dotnet_and_for_the_program_are_told_apart(words: str, build: str, started: str) -> None:
    text = RUN.replace('"run"', f'"run", {words}').replace("COPY . .", "COPY Shop.csproj Program.cs ./")
    builder, runner = stages(text, CONSOLE)
    assert builder.endswith(f"RUN dotnet publish {build}")
    assert runner.endswith(f'CMD ["dotnet", "out/Shop.dll"{started}]\n')


def test_a_program_of_its_own_name() -> None:
    files = project(console("<AssemblyName>$(MSBuildProjectName).Server</AssemblyName>"))
    assert "/app ." in stages(NAIVE.replace("Shop.dll", "Shop.Server.dll"), files)[1]


def test_folders_that_it_writes_to_become_its_users() -> None:
    _, runner = stages(NAIVE, project(console(), 'File.WriteAllText("data/a.txt", "x");'))
    assert "mkdir -p /app/data \\\n    && chown app:app /app/data" in runner


LAUNCH = {"Properties/launchSettings.json": '{"profiles": {"Shop": {"commandName": "Project"}}}'}
FEED = {"nuget.config": '<c><packageSources><clear/><add key="a" value="./feed"/></packageSources></c>'}
RUN = NAIVE.partition("RUN")[0] + 'CMD ["dotnet", "run"]\n'
FROM_ABOVE = RUN.replace("COPY . .", "COPY . shop/").replace('run"', 'run", "--project", "shop"')
UNRESTORED = NAIVE.replace("RUN dotnet restore\n", "").replace(" --no-restore", "")


@pytest.mark.parametrize(
    ("text", "files", "because"),
    [
        (NAIVE.replace("Shop.dll", "Store.dll"), CONSOLE, "Shop.csproj builds Shop, and ENTRYPOINT"),
        (NAIVE.replace("/app", "/src"), CONSOLE, "is built among other files (/src)"),
        (NAIVE.replace("EXPOSE 8080", ""), project(csproj()), "nothing says where Shop.csproj listens"),
        (NAIVE.replace("sdk:8.0", "sdk:8.0-alpine"), CONSOLE, "has the data of all languages (icu-libs)"),
        (NAIVE, project("<Project ToolsVersion='4.0'></Project>"), "is a project of the .NET Framework"),
        (NAIVE, project(csproj(sdk="Microsoft.NET.Sdk").replace("Exe", "Library")), "builds a library, no program"),
        (NAIVE, project(console(), "Process.Start(tool);"), "may start a program whose name is only known"),
        (NAIVE, project(console(), '[DllImport("sass")] x();'), "loads sass, and which package brings that"),
        (NAIVE, project(console("<Broken>")), "Shop.csproj"),
        (
            NAIVE,
            {"Program.cs": ""},
            "builds is not known: no project file in /src is copied from the build context",
        ),
        (NAIVE.replace(" -o /app", ""), project(console("<OutputPath>o</OutputPath>")), "OutputPath moves what"),
        (NAIVE.replace('"Shop.dll"', '"ef", "database", "update"'), CONSOLE, "for which the SDK has to be there"),
        (NAIVE.replace('"Shop.dll"', '"watch", "run"'), CONSOLE, "which compiles at every start"),
        (NAIVE.replace("mcr.microsoft.com/dotnet/sdk:8.0", "ubuntu:24.04"), CONSOLE, "is not an image of the .NET SDK"),
        (RUN, project(console(), "", **LAUNCH), "which compiles at every start"),
        (NAIVE, {**CONSOLE, "B.csproj": console()}, "B.csproj, Shop.csproj are all in /src, and none is named"),
        (NAIVE, {**CONSOLE, "Shop.sln": "x"}, "Shop.sln names no project in C#, F# or Visual Basic"),
        (NAIVE.replace("sdk:8.0", "sdk:8"), CONSOLE, "sdk:8 has no runtime variant"),
        (NAIVE.replace("/app", "/usr/local/bin"), CONSOLE, "is built among other files (/usr/local/bin)"),
    ],
)
def test_refusals(text: str, files: Mapping[str, str], because: str) -> None:
    assert because in refusal(text, files)


@pytest.mark.parametrize("wish", ["alpine", "scratch"])
def test_the_c_library_stays(wish: str) -> None:
    assert "is built for the C library of" in refusal(NAIVE, CONSOLE, wish)


@pytest.mark.parametrize(
    ("codemod", "text", "files", "because"),
    [
        ("build-before-start", RUN, project(console(), "", **LAUNCH), "takes its address and environment from"),
        ("build-before-start", RUN.replace('run"', 'run", "-x"'), CONSOLE, "what -x means for the program"),
        ("build-before-start", RUN.replace('run"', 'run", "a", "--", "b"'), CONSOLE, "what -- means for the program"),
        ("build-before-start", RUN, SOLUTION, "Shop.sln is a solution"),
        ("build-before-start", RUN, project(console(), "", **{"out/a": ""}), "out is in the build context already"),
        ("build-before-start", RUN, project(console("<AssemblyName>$(A)</AssemblyName>")), "only MSBuild knows"),
        ("build-before-start", FROM_ABOVE, project(csproj(), "app.Run();"), "it runs in the folder of Shop.csproj"),
        ("copy-manifests-first", NAIVE, project(console("", "Dapper"), "", **FEED), "takes packages from ./feed"),
        ("copy-manifests-first", UNRESTORED, project(console("", "Dapper"), "", **FEED), "takes packages from ./feed"),
        ("copy-manifests-first", NAIVE, project(console(), "", **{"obj/project.assets.json": "{}"}), "obj lies in the"),
        ("copy-manifests-first", NAIVE, project(console(), "", **{"paket.references": ""}), "Paket restores"),
        ("copy-manifests-first", NAIVE, project(console() + "<!--"), "Shop.csproj"),
        ("run-as-user", NAIVE, project(console(), "File.WriteAllText(path, x);"), "writes where only the running"),
        ("run-as-user", NAIVE, project(console("", "Microsoft.Data.Sqlite")), "Sqlite keeps its database in files"),
    ],
)  # fmt: skip
def test_what_is_refused_besides_the_split(codemod: str, text: str, files: Mapping[str, str], because: str) -> None:
    refused = [one.because for one in run(text, files).refused if one.codemod == codemod]
    assert any(because in one for one in refused), refused
