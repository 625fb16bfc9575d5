"""Where build tools write, by their options and settings."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.tables import items, table, text
from refactor.ecosystems.node.known import grouped, names
from refactor.ecosystems.node.layout import Layout, Unit
from refactor.ecosystems.node.package_json import tsconfig_option, tsconfig_out_dir
from refactor.ecosystems.node.programs import Ran
from refactor.ecosystems.node.sources import without_comments
from refactor.ecosystems.node.values import Known, argument_of, evaluate

COPIERS = names("copiers")


def configs(stem: str) -> tuple[str, ...]:
    return tuple(f"{stem}.config.{ending}" for ending in ("ts", "js", "mjs", "cjs", "mts", "cts"))


class _Tool(NamedTuple):
    default: tuple[str, ...]
    """Where it writes if it is not told; () where that is not known."""
    options: tuple[str, ...]
    """By which it is told."""
    settings: tuple[str, ...]
    key: str
    """Of its settings, for the folder."""


def _tool(words: Sequence[str]) -> _Tool:
    """A line of the table: folders, options, and ``name:key`` of the settings."""
    stem, _, key = next((word for word in words if ":" in word), "").partition(":")
    options = tuple(word for word in words if word.startswith("-"))
    folders = tuple(word for word in words if not word.startswith("-") and ":" not in word)
    usual = ("--outDir", "--out-dir", "--output", "--dist-path")
    return _Tool(folders, options or usual, configs(stem) if stem else (), key)


_TOOLS = {name: _tool(words) for name, words in grouped("outputs").items()}


def outputs_of(layout: Layout, ran: Ran, unit: Unit | None) -> Sequence[str] | Unknown:
    """What a program writes: paths relative to the folder that it runs in, or absolute ones."""
    here = layout.source(ran.folder)
    if here is None and unit is not None:
        here = posixpath.normpath(posixpath.join(unit.source, posixpath.relpath(ran.folder, unit.folder)))
        here = "" if here == "." else here
    if ran.program == "?":
        return Unknown(f"what `{' '.join(ran.args)}` does is not known")
    if here is None:
        return Unknown(f"no package.json is known for `{ran.text}`")
    read = _READERS.get(ran.program)
    if read is not None:
        return read(layout.context, ran, here, unit.package.wanted if unit is not None else {})
    return _of_tool(layout.context, ran, here) if ran.program in _TOOLS else _of_file_tool(ran)


def _of_tool(context: BuildContext, ran: Ran, here: str) -> Sequence[str] | Unknown:
    tool = _TOOLS[ran.program]
    given = option_value(ran.args, *tool.options)
    settings = config_text(context, here, tool.settings) if given is None else None
    value = literal_of(settings, tool.key) if settings is not None else None
    if isinstance(value, Unknown):
        return Unknown(f"{value.reason} in the settings of {ran.program}")
    found = given or value
    if found is None and not tool.default:
        return Unknown(f"{ran.program} has no {' or '.join(tool.options)}")
    return (found,) if found else tool.default


def _of_file_tool(ran: Ran) -> Sequence[str] | Unknown:
    """Tools that copy and change files; nothing is known of any other."""
    program, args, operands = ran.program, ran.args, ran.operands
    if program in COPIERS:
        return operands[-1:] if operands[1:] else Unknown(f"where `{ran.text}` copies to is not known")
    if program == "shx":
        return operands[-1:] if args[:1] in (("cp",), ("mv",)) and operands[1:] else ()
    if program in names("changes-only"):
        return ()
    if program in {"touch", "tee"}:
        return operands
    if program == "sed":
        # In place: the last operands are files; without -i it only prints.
        is_in_place = any(re.match(r"-[a-zA-Z]*i", word) or word.startswith("--in-place") for word in args)
        return (operands if {"-e", "-f"} & {*args} else operands[1:]) if is_in_place else ()
    return Unknown(f"where `{ran.text[:50]}` writes is not known")


def option_value(args: Sequence[str], *names: str) -> str | None:
    for at, word in enumerate(args):
        name, equals, value = word.partition("=")
        if name in names and (equals or at + 1 < len(args)):
            return value if equals else args[at + 1]
    return None


def config_text(context: BuildContext, folder: str, names: Iterable[str]) -> str | None:
    """The settings of a tool: the first of its files that is there."""
    paths = (posixpath.join(folder, name) for name in names)
    path = next((path for path in paths if context.exists(path) is True), None)
    found = None if path is None else context.read(path)
    return found if isinstance(found, str) else None


def literal_of(settings: str, key: str) -> str | Unknown | None:
    """The path that a JavaScript settings text gives to a key (``key: path.resolve(__dirname, 'x')``); None without the
    key, Unknown for other expressions."""
    code = without_comments(settings)
    found = re.search(rf"(?<![\w$]){key}[\"']?\s*:\s*", code)
    if found is None:
        return None
    expression = argument_of(code, found.end(), 0)
    # What an environment or the place of the file decides on is no literal, nor is a constant that may come from there.
    is_open = re.search(r"process\.env|import\.meta\.(?:url|filename)|__filename|tmpdir|\|\||\?\?", expression)
    value = evaluate(expression, "", Known("", "", {})) if is_open is None else None
    return value.text if value is not None and value.is_whole else Unknown(f"{key} is not a literal")


# Tools whose settings say more than a folder


def _react(context: BuildContext, ran: Ran, here: str, wanted: Mapping[str, str]) -> Sequence[str]:
    return ("build",) if ran.verb == "build" else ()


def _remix(context: BuildContext, ran: Ran, here: str, wanted: Mapping[str, str]) -> Sequence[str]:
    return ("build",) if ran.verb == "vite:build" else ("build", "public/build")


def _nuxt(context: BuildContext, ran: Ran, here: str, wanted: Mapping[str, str]) -> Sequence[str] | Unknown:
    if re.match(r"[\^~]?2\b", wanted.get("nuxt", "")):
        return (".nuxt", "dist") if ran.verb == "generate" else (".nuxt",)
    return _of_tool(context, ran, here)


def _bun(context: BuildContext, ran: Ran, here: str, wanted: Mapping[str, str]) -> Sequence[str] | Unknown:
    """``bun build``: without an output it prints."""
    given = option_value(ran.args, "--outfile", "--outdir")
    if given is not None or "--compile" not in ran.args:
        return (given,) if given else ()
    return Unknown(f"{ran.shown} has no --outfile")


def _config_at(folder: str, given: str) -> str:
    path = posixpath.normpath(posixpath.join(folder, given or "tsconfig.json"))
    return path if path.endswith(".json") else posixpath.join(path, "tsconfig.json")


def _tsc(context: BuildContext, ran: Ran, here: str, wanted: Mapping[str, str]) -> Sequence[str] | Unknown:
    if "--noEmit" in ran.args and option_value(ran.args, "--noEmit") != "false":
        return ()
    given = option_value(ran.args, "--outDir", "--outFile")
    if given is not None:
        return (given,)
    if any(word.endswith((".ts", ".tsx", ".mts")) for word in ran.operands):
        return Unknown(f"`{ran.text}` writes beside the sources")
    project = option_value(ran.args, "-p", "--project", "-b", "--build") or ""
    waiting = {_config_at(here, "" if project.startswith("-") else project): True}
    found = list[str]()
    while any(waiting.values()) and len(waiting) < 100:
        path = next(path for path, is_waiting in waiting.items() if is_waiting)
        waiting[path] = False
        data = context.jsonc(path)
        if isinstance(data, Unknown):
            return Unknown(f"{path} cannot be read: {data.reason}")
        references = items(table(data).get("references")) if {"-b", "--build"} & {*ran.args} else ()
        for other in (text(table(entry).get("path")) for entry in references):
            waiting.setdefault(_config_at(posixpath.dirname(path), other or ""), True)
        is_list = bool(references) and table(data).get("files") == []
        if not is_list and compiler_option(context, path, "noEmit") is not True:
            out = tsconfig_out_dir(context, path)
            if out is None or isinstance(out, Unknown):
                return out or Unknown(f"{path} has no outDir: tsc writes beside the sources")
            found.append(posixpath.relpath(out, here or "."))
    return tuple(found)


def compiler_option(context: BuildContext, path: str, name: str) -> object:
    """A compiler option of a tsconfig, through ``extends`` of local files; None where it is not set, or not known."""
    found = tsconfig_option(context, path, name)
    return None if found is None or isinstance(found, Unknown) else found[0]


def _nest(context: BuildContext, ran: Ran, here: str, wanted: Mapping[str, str]) -> Sequence[str] | Unknown:
    settings = table(context.json(posixpath.join(here, "nest-cli.json")))
    if settings.get("monorepo") is True:
        return ("dist",)
    name = option_value(ran.args, "-p", "--path") or text(table(settings.get("compilerOptions")).get("tsConfigPath"))
    if name is None:
        has_own = context.exists(posixpath.join(here, "tsconfig.build.json")) is True
        name = "tsconfig.build.json" if has_own else "tsconfig.json"
    out = tsconfig_out_dir(context, posixpath.normpath(posixpath.join(here, name)))
    return ("dist",) if out is None else out if isinstance(out, Unknown) else (posixpath.relpath(out, here or "."),)


def next_output(context: BuildContext, folder: str) -> str:
    """Next's ``output`` setting: "standalone", "export" or ""."""
    value = literal_of(config_text(context, folder, configs("next")) or "", "output")
    return value if isinstance(value, str) else ""


def _next(context: BuildContext, ran: Ran, here: str, wanted: Mapping[str, str]) -> Sequence[str] | Unknown:
    found = _of_tool(context, ran, here)
    return (*found, "out") if not isinstance(found, Unknown) and next_output(context, here) == "export" else found


def _vite(context: BuildContext, ran: Ran, here: str, wanted: Mapping[str, str]) -> Sequence[str] | Unknown:
    if ran.verb != "build":
        return ()
    if "@sveltejs/kit" in wanted:
        settings = config_text(context, here, configs("svelte")) or ""
        is_node = "adapter-node" in settings or "@sveltejs/adapter-node" in wanted
        if not is_node and "adapter-static" not in settings:
            return Unknown("the adapter of SvelteKit decides on its output, and none for Node is set")
        out = literal_of(settings, "out" if is_node else "pages")
        return (out,) if isinstance(out, str) else ("build",)
    if {"@remix-run/dev", "@react-router/dev"} & wanted.keys():
        return ("build",)
    given, name = option_value(ran.args, "--outDir"), option_value(ran.args, "-c", "--config")
    if given is not None:
        return (given,)
    settings = config_text(context, here, (name,) if name else configs("vite")) or ""
    root, out = literal_of(settings, "root"), literal_of(settings, "outDir")
    if isinstance(root, Unknown) or isinstance(out, Unknown):
        return Unknown("outDir or root of the Vite configuration is not a literal")
    if "laravel-vite-plugin" in wanted and out is None:
        return _laravel(settings, ran)
    if "vite-plugin-ruby" in wanted:
        return Unknown("vite-plugin-ruby decides on the output by config/vite.json")
    # `vite build web`: a word that is no option's value is the root.
    pairs = zip(ran.args, ran.args[1:], strict=False)
    given = next((word for before, word in pairs if word in ran.operands[1:2] and not before.startswith("-")), None)
    return (posixpath.normpath(posixpath.join(root or given or "", out or "dist")),)


def _laravel(settings: str, ran: Ran) -> Sequence[str] | Unknown:
    """The folder of Laravel's plugin for Vite (laravel/vite-plugin, ``resolvePluginConfig``)."""
    if "--ssr" in ran.args:
        return Unknown("it builds pages that a server renders with Node")
    public, build = literal_of(settings, "publicDirectory"), literal_of(settings, "buildDirectory")
    if isinstance(public, Unknown) or isinstance(build, Unknown):
        return Unknown("publicDirectory or buildDirectory of Laravel's plugin for Vite is not a literal")
    return (posixpath.join(public or "public", build or "build"),)


def _on_webpack(context: BuildContext, ran: Ran, here: str, wanted: Mapping[str, str]) -> Sequence[str] | Unknown:
    """Laravel Mix and Symfony's Encore: a call in their settings names the folder; Mix knows Laravel's by itself."""
    is_mix = ran.program == "mix"
    name, call = ("webpack.mix.js", "setPublicPath") if is_mix else ("webpack.config.js", "setOutputPath")
    settings = config_text(context, here, (name,)) or ""
    found = re.search(rf"\b{call}\(\s*[\"'`]([^\"'`$]+)[\"'`]", settings)
    if found is None and is_mix and call not in settings and context.exists(posixpath.join(here, "artisan")) is True:
        return ("public",)
    return Unknown(f"{name} does not name its folder by {call}() with a string") if found is None else (found[1],)


def angular_build(context: BuildContext, here: str, names: Iterable[str] = ()) -> Mapping[str, object] | Unknown | None:
    """How angular.json builds one of its projects: that of these names, else its default, else its only one."""
    data = context.jsonc(posixpath.join(here, "angular.json"))
    if isinstance(data, Unknown):
        return None
    projects = table(table(data).get("projects"))
    name = next((one for one in (*names, text(table(data).get("defaultProject"))) if one in projects), None)
    if name is None and len(projects) != 1:
        return Unknown("angular.json has several projects")
    entry = table(projects[name] if name is not None else next(iter(projects.values())))
    return table(table(entry.get("architect") or entry.get("targets")).get("build"))


def _angular(context: BuildContext, ran: Ran, here: str, wanted: Mapping[str, str]) -> Sequence[str] | Unknown:
    given, build = option_value(ran.args, "--output-path"), angular_build(context, here, ran.args[1:])
    if given is not None or isinstance(build, Unknown):
        return build if given is None and isinstance(build, Unknown) else (given or "",)
    path = table((build or {}).get("options")).get("outputPath")
    return (text(path) or text(table(path).get("base")) or "dist",)


def _webpack(context: BuildContext, ran: Ran, here: str, wanted: Mapping[str, str]) -> Sequence[str] | Unknown:
    given, name = option_value(ran.args, "-o", "--output-path"), option_value(ran.args, "-c", "--config")
    settings = config_text(context, here, (name,) if name else configs("webpack"))
    if given is not None or settings is None:
        lost = Unknown(f"{name} of webpack cannot be read")
        return (given,) if given is not None else ("dist",) if name is None else lost
    if re.search(r"require\([\"']\./|\bmerge\(", settings):
        return Unknown("webpack's configuration is put together from several files")
    output = re.search(r"\boutput\s*:\s*\{", settings)
    value = None if output is None else literal_of(settings[output.end() :], "path")
    if isinstance(value, Unknown):
        return Unknown("output.path of webpack's configuration is not a literal")
    return (value or "dist",)


def _prisma(context: BuildContext, ran: Ran, here: str, wanted: Mapping[str, str]) -> Sequence[str]:
    """The client goes into node_modules, unless the schema says otherwise."""
    schema = context.read(posixpath.join(here, "prisma/schema.prisma")) if ran.verb in {"generate", ""} else ""
    output = r"generator\s+\w+\s*\{[^}]*?\boutput\s*=\s*\"([^\"]+)\""
    found = re.search(output, schema) if isinstance(schema, str) else None
    if found is None or "node_modules" in found[1]:
        return ()
    return (posixpath.normpath(posixpath.join("prisma", found[1])),)


_READERS = {
    **dict.fromkeys(("tsc", "ttsc", "tspc", "vue-tsc"), _tsc),
    **dict.fromkeys(("react-scripts", "react-app-rewired", "craco"), _react),
    **dict.fromkeys(("mix", "encore"), _on_webpack),
    "next": _next,
    "vite": _vite,
    "nuxt": _nuxt,
    "nest": _nest,
    "ng": _angular,
    "webpack": _webpack,
    "prisma": _prisma,
    "remix": _remix,
    "bun build": _bun,
}
