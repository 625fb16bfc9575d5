"""Where build tools write, by their options and settings."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

from refactor.context import BuildContext, Unknown
from refactor.context.node_manifests import tsconfig_out_dir
from refactor.context.tables import items, table, text
from refactor.ecosystems.node.layout import Layout, Unit
from refactor.ecosystems.node.programs import BUN_FILE, Ran
from refactor.ecosystems.node.tables import grouped, pairs, words

COPIERS = words("cp mv copyfiles copyup cpx cpx2 cpy ncp copy rsync ln recursive-copy cpr")
_COMMON = pairs(
    """
    nuxi .output  nitro .output  nitropack .output  vinxi .output  gatsby public  docusaurus build  eleventy _site
    unbuild dist  bunchee dist  microbundle dist  tsdown dist  pkgroll dist  rsbuild dist  rspack dist  vike dist
    astro dist  react-router build  rslib dist  vue-cli-service dist  tsup dist  ncc dist  parcel dist
    """
)
"""Where tools write by default."""
_ONE_FILE = words("tailwindcss postcss sass node-sass lessc uglifyjs terser browserify cleancss stylus")
_OPTIONS = grouped(
    """
    vue-cli-service: --dest
    tsup: --out-dir -d
    ncc: -o --out
    parcel: --dist-dir -d --out-dir
    esbuild: --outfile --outdir
    babel swc: --out-dir -d --out-file -o
    """
)
"""Options by which they are told another place."""


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
    found = _by_settings(layout, ran, here, unit)
    return _by_options(ran) if found is None else found


def _by_settings(layout: Layout, ran: Ran, here: str, unit: Unit | None) -> Sequence[str] | Unknown | None:
    """What tools write that have settings of their own; None for others, and where those say nothing."""
    context, program = layout.context, ran.program
    if program in {"tsc", "ttsc", "tspc", "vue-tsc"}:
        return _tsc(layout, ran, here)
    if program == "next":
        return _next(context, here)
    if program == "vite":
        return _vite(context, ran, here, unit)
    if program in {"mix", "encore"}:
        return _on_webpack(context, program, here)
    if program == "nuxt":
        return _nuxt(unit, ran.verb)
    if program == "prisma":
        return _prisma(context, here) if ran.verb in {"generate", ""} else ()
    reader = {"nest": _nest, "ng": _angular, "webpack": _webpack, "rollup": _rollup}.get(program)
    if reader is not None:
        return reader(context, ran, here)
    names = {"vue-cli-service": ("vue.config.js", "vue.config.cjs"), "tsup": configs("tsup")}.get(program, ())
    value = _setting(context, here, names, "outputDir" if program == "vue-cli-service" else "outDir")
    given = option_value(ran.args, *_OPTIONS.get(program, ()))
    return (value,) if value and not given else None


def _by_options(ran: Ran) -> Sequence[str] | Unknown:
    program, args, verb = ran.program, ran.args, ran.verb
    operands = [word for word in args if not word.startswith("-")]
    given = option_value(args, *_OPTIONS.get(program, ("--outDir", "--out-dir", "--output", "--dist-path")))
    if program in {"react-scripts", "react-app-rewired", "craco"}:
        return ("build",) if verb == "build" else ()
    if program == "bun build":
        return _bun(ran)
    if program == "remix":
        return ("build",) if verb == "vite:build" else ("build", "public/build")
    if program in _ONE_FILE:
        return _one_file(ran)
    if program in _COMMON or (given and program in _OPTIONS):
        return (given or _COMMON[program],)
    if program in _OPTIONS:
        return Unknown(f"{program} has no {' or '.join(_OPTIONS[program])}")
    if program in COPIERS:
        is_told = len(operands) > 1
        return (operands[-1],) if is_told else Unknown(f"where `{ran.text}` copies to is not known")
    if program == "shx":
        return (operands[-1],) if args[:1] in (("cp",), ("mv",)) and operands[1:] else ()
    if program in {"chown", "chmod", "rm", "mkdir", "find", "useradd", "groupadd", "adduser", "addgroup", "usermod"}:
        return ()
    if program in {"touch", "tee"}:
        return tuple(operands)
    if program == "sed":
        # In place: the last operands are files; without -i it only prints.
        is_in_place = any(re.match(r"-[a-zA-Z]*i", word) or word.startswith("--in-place") for word in args)
        return tuple(operands if "-e" in args or "-f" in args else operands[1:]) if is_in_place else ()
    return Unknown(f"where `{ran.text[:50]}` writes is not known")


def _bun(ran: Ran) -> Sequence[str] | Unknown:
    """``bun build``: without an output it prints, and a program gets the name of its source (as Bun 1.2 does)."""
    given = option_value(ran.args, "--outfile", "--outdir")
    if given is not None or "--compile" not in ran.args:
        return (given,) if given else ()
    sources = [word for word in ran.args if BUN_FILE.search(word) and not word.startswith("-")]
    if len(sources) != 1:
        return Unknown(f"{ran.shown} has no --outfile")
    return (posixpath.splitext(posixpath.basename(sources[0]))[0],)


def option_value(args: Sequence[str], *names: str) -> str | None:
    for at, word in enumerate(args):
        name, equals, value = word.partition("=")
        if name in names:
            if equals:
                return value
            if at + 1 < len(args):
                return args[at + 1]
    return None


def configs(stem: str) -> tuple[str, ...]:
    return tuple(f"{stem}.config.{ending}" for ending in ("ts", "js", "mjs", "cjs", "mts", "cts"))


def config_text(context: BuildContext, folder: str, names: Iterable[str]) -> str | None:
    for name in names:
        path = posixpath.join(folder, name)
        if context.exists(path) is True:
            found = context.read(path)
            return None if isinstance(found, Unknown) else found
    return None


def _setting(context: BuildContext, folder: str, names: Iterable[str], key: str) -> str | None:
    """The literal that a settings file gives to ``key``: ``key: 'x'`` or ``key: path.resolve(__dirname, 'x')``."""
    found = config_text(context, folder, names)
    value = None if found is None else literal_of(found, key)
    return value if isinstance(value, str) else None


def literal_of(settings: str, key: str) -> str | Unknown | None:
    """The path that a JavaScript settings text gives to a key; None without the key, Unknown for other expressions."""
    from refactor.ecosystems.node.sources import without_comments

    code = without_comments(settings)
    found = re.search(rf"(?<![\w$]){key}[\"']?\s*:\s*", code)
    if found is None:
        return None
    rest = code[found.end() : found.end() + 300]
    plain = re.match(r"[\"'`]([^\"'`$\n]*)[\"'`]", rest)
    if plain is not None:
        return plain[1]
    joined = re.match(
        r"(?:path\.)?(?:resolve|join)\(\s*(?:__dirname|process\.cwd\(\)|import\.meta\.dirname)\s*,?([^)]*)\)", rest
    )
    if joined is not None and re.fullmatch(r"(?:\s*[\"'`][^\"'`$]*[\"'`]\s*,?)*\s*", joined[1]):
        return posixpath.join(*re.findall(r"[\"'`]([^\"'`]*)[\"'`]", joined[1])) if joined[1].strip() else "."
    return Unknown(f"{key} is not a literal")


def compiler_option(context: BuildContext, path: str, name: str) -> object:
    """A compiler option of a tsconfig, through ``extends`` of local files; None where it is not set."""
    for _ in range(10):
        data = context.jsonc(path)
        if isinstance(data, Unknown):
            return None
        root = table(data)
        options = table(root.get("compilerOptions"))
        if name in options:
            return options[name]
        parents = [
            found
            for found in (text(entry) for entry in _listed(root.get("extends")))
            if found and found.startswith(".")
        ]
        if not parents:
            return None
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), parents[-1]))
        if not path.endswith(".json"):
            path += ".json"
    return None


def _listed(value: object) -> tuple[object, ...]:
    return (value,) if isinstance(value, str) else items(value)


def tsc_config(layout: Layout, ran: Ran, here: str) -> str:
    """The tsconfig that a call of tsc reads, as a context path."""
    given = option_value(ran.args, "-p", "--project", "-b", "--build")
    if given is None or given.startswith("-"):
        given = "tsconfig.json"
    path = posixpath.normpath(posixpath.join(here, given))
    return path if path.endswith(".json") else posixpath.join(path, "tsconfig.json")


def _tsc(layout: Layout, ran: Ran, here: str) -> Sequence[str] | Unknown:
    context, args = layout.context, ran.args
    if "--noEmit" in args and option_value(args, "--noEmit") != "false":
        return ()
    given = option_value(args, "--outDir", "--outFile")
    if given is not None:
        return (given,)
    files = [word for word in args if word.endswith((".ts", ".tsx", ".mts")) and not word.startswith("-")]
    if files:
        return Unknown(f"`{ran.text}` writes beside the sources")
    first = tsc_config(layout, ran, here)
    waiting, seen, found = [first], set[str](), list[str]()
    is_build = any(word in {"-b", "--build"} for word in args)
    while waiting:
        path = waiting.pop()
        if path in seen or len(seen) > 100:
            continue
        seen.add(path)
        data = context.jsonc(path)
        if isinstance(data, Unknown):
            return Unknown(f"{path} cannot be read: {data.reason}")
        if is_build:
            for entry in items(table(data).get("references")):
                other = text(table(entry).get("path"))
                if other:
                    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), other))
                    waiting.append(target if target.endswith(".json") else posixpath.join(target, "tsconfig.json"))
            if items(table(data).get("references")) and table(data).get("files") == []:
                continue
        if compiler_option(context, path, "noEmit") is True:
            continue
        out = tsconfig_out_dir(context, path)
        if isinstance(out, Unknown):
            return out
        if out is None:
            single = compiler_option(context, path, "outFile")
            if isinstance(single, str):
                found.append(posixpath.relpath(posixpath.join(posixpath.dirname(path), single), here or "."))
                continue
            return Unknown(f"{path} has no outDir: tsc writes beside the sources")
        found.append(posixpath.relpath(out, here or "."))
    return tuple(found)


def _nest(context: BuildContext, ran: Ran, here: str) -> Sequence[str] | Unknown:
    data = context.json(posixpath.join(here, "nest-cli.json"))
    settings = table(data)
    if settings.get("monorepo") is True:
        return ("dist",)
    options = table(settings.get("compilerOptions"))
    given = option_value(ran.args, "-p", "--path") or text(options.get("tsConfigPath"))
    name = given or (
        "tsconfig.build.json"
        if context.exists(posixpath.join(here, "tsconfig.build.json")) is True
        else "tsconfig.json"
    )
    out = tsconfig_out_dir(context, posixpath.normpath(posixpath.join(here, name)))
    if isinstance(out, Unknown):
        return out
    return ("dist",) if out is None else (posixpath.relpath(out, here or "."),)


NEXT_CONFIGS = ("next.config.js", "next.config.mjs", "next.config.ts", "next.config.cjs")


def next_output(context: BuildContext, folder: str) -> str:
    """Next's ``output`` setting: "standalone", "export" or ""."""
    found = config_text(context, folder, NEXT_CONFIGS)
    value = None if found is None else literal_of(found, "output")
    return value if isinstance(value, str) else ""


def _next(context: BuildContext, here: str) -> Sequence[str] | Unknown:
    found = config_text(context, here, NEXT_CONFIGS)
    value = None if found is None else literal_of(found, "distDir")
    if isinstance(value, Unknown):
        return Unknown("distDir of the Next configuration is not a literal")
    folder = value or ".next"
    return (folder, "out") if next_output(context, here) == "export" else (folder,)


def _vite(context: BuildContext, ran: Ran, here: str, unit: Unit | None) -> Sequence[str] | Unknown:
    if ran.verb != "build":
        return ()
    wanted = unit.package.wanted if unit is not None else {}
    if "@sveltejs/kit" in wanted:
        settings = config_text(context, here, ("svelte.config.js", "svelte.config.mjs", "svelte.config.ts")) or ""
        out = literal_of(settings, "out")
        if "adapter-node" in settings or "@sveltejs/adapter-node" in wanted:
            return (out,) if isinstance(out, str) else ("build",)
        if "adapter-static" in settings:
            pages = literal_of(settings, "pages")
            return (pages,) if isinstance(pages, str) else ("build",)
        return Unknown("the adapter of SvelteKit decides on its output, and none for Node is set")
    if "@remix-run/dev" in wanted or "@react-router/dev" in wanted:
        return ("build",)
    given = option_value(ran.args, "--outDir")
    if given is not None:
        return (given,)
    name = option_value(ran.args, "-c", "--config")
    settings = config_text(context, here, (name,) if name else configs("vite")) or ""
    root = literal_of(settings, "root")
    out = literal_of(settings, "outDir")
    if isinstance(root, Unknown) or isinstance(out, Unknown):
        return Unknown("outDir or root of the Vite configuration is not a literal")
    operands = [word for word in ran.args if not word.startswith("-")][1:]
    if "laravel-vite-plugin" in wanted and out is None:
        return _laravel(settings, ran)
    if "vite-plugin-ruby" in wanted:
        return Unknown("vite-plugin-ruby decides on the output by config/vite.json")
    base = root or (operands[0] if operands and not _follows_option(ran.args, operands[0]) else "")
    return (posixpath.normpath(posixpath.join(base, out or "dist")),)


def _laravel(settings: str, ran: Ran) -> Sequence[str] | Unknown:
    """The folder of Laravel's plugin for Vite (laravel/vite-plugin, ``resolvePluginConfig``)."""
    if "--ssr" in ran.args:
        return Unknown("it builds pages that a server renders with Node")
    public, build = literal_of(settings, "publicDirectory"), literal_of(settings, "buildDirectory")
    if isinstance(public, Unknown) or isinstance(build, Unknown):
        return Unknown("publicDirectory or buildDirectory of Laravel's plugin for Vite is not a literal")
    return (posixpath.join(public or "public", build or "build"),)


def _on_webpack(context: BuildContext, program: str, here: str) -> Sequence[str] | Unknown:
    """Laravel Mix and Symfony's Encore: a call in their settings names the folder; Mix knows Laravel's by itself."""
    name, call = ("webpack.mix.js", "setPublicPath") if program == "mix" else ("webpack.config.js", "setOutputPath")
    settings = config_text(context, here, (name,)) or ""
    found = re.search(rf"\b{call}\(\s*[\"'`]([^\"'`$]+)[\"'`]", settings)
    if found is not None:
        return (found[1],)
    if program == "mix" and call not in settings and context.exists(posixpath.join(here, "artisan")) is True:
        return ("public",)
    return Unknown(f"{name} does not name its folder by {call}() with a string")


def _follows_option(args: Sequence[str], word: str) -> bool:
    at = list(args).index(word)
    return at > 0 and args[at - 1].startswith("-") and "=" not in args[at - 1]


def _angular(context: BuildContext, ran: Ran, here: str) -> Sequence[str] | Unknown:
    given = option_value(ran.args, "--output-path")
    if given is not None:
        return (given,)
    data = context.jsonc(posixpath.join(here, "angular.json"))
    if isinstance(data, Unknown):
        return ("dist",)
    root = table(data)
    projects = table(root.get("projects"))
    named = [word for word in ran.args[1:] if word in projects] or [text(root.get("defaultProject")) or ""]
    chosen = projects.get(named[0]) if named[0] in projects else None
    if chosen is None:
        if len(projects) != 1:
            return Unknown("angular.json has several projects")
        chosen = next(iter(projects.values()))
    entry = table(chosen)
    options = table(table(table(entry.get("architect") or entry.get("targets")).get("build")).get("options"))
    path = options.get("outputPath")
    base = text(path) or text(table(path).get("base"))
    return (base,) if base else ("dist",)


def _webpack(context: BuildContext, ran: Ran, here: str) -> Sequence[str] | Unknown:
    given = option_value(ran.args, "-o", "--output-path")
    if given is not None:
        return (given,)
    name = option_value(ran.args, "-c", "--config")
    names = (name,) if name else ("webpack.config.js", "webpack.config.ts", "webpack.config.cjs", "webpack.config.mjs")
    settings = config_text(context, here, names)
    if settings is None:
        return ("dist",) if name is None else Unknown(f"{name} of webpack cannot be read")
    if "require('./" in settings or 'require("./' in settings or "merge(" in settings:
        return Unknown("webpack's configuration is put together from several files")
    output = re.search(r"\boutput\s*:\s*\{", settings)
    if output is None:
        return ("dist",)
    value = literal_of(settings[output.end() :], "path")
    if isinstance(value, Unknown):
        return Unknown("output.path of webpack's configuration is not a literal")
    return (value or "dist",)


def _rollup(context: BuildContext, ran: Ran, here: str) -> Sequence[str] | Unknown:
    given = option_value(ran.args, "-d", "--dir", "-o", "--file")
    if given is not None:
        return (given,)
    settings = config_text(context, here, configs("rollup"))
    if settings is None:
        return Unknown("rollup's configuration cannot be read")
    found = re.findall(r"\b(?:file|dir)\s*:\s*[\"'`]([^\"'`$\n]+)[\"'`]", settings)
    return tuple(dict.fromkeys(found)) or Unknown("rollup's output is not a literal in its configuration")


def _nuxt(unit: Unit | None, verb: str) -> Sequence[str] | Unknown:
    wanted = unit.package.wanted.get("nuxt", "") if unit is not None else ""
    if re.match(r"[\^~]?2\b", wanted):
        return (".nuxt", "dist") if verb == "generate" else (".nuxt",)
    return (".output",)


def _prisma(context: BuildContext, here: str) -> Sequence[str] | Unknown:
    schema = context.read(posixpath.join(here, "prisma/schema.prisma"))
    if isinstance(schema, Unknown):
        # The client goes into node_modules, unless the schema says otherwise.
        return ()
    found = re.search(r"generator\s+\w+\s*\{[^}]*?\boutput\s*=\s*\"([^\"]+)\"", schema)
    if found is None or "node_modules" in found[1]:
        return ()
    return (posixpath.normpath(posixpath.join("prisma", found[1])),)


def _one_file(ran: Ran) -> Sequence[str] | Unknown:
    given = option_value(ran.args, "-o", "--output", "--out", "-d", "--dir")
    if given is not None:
        return (given,)
    operands = [word for word in ran.args if not word.startswith("-")]
    if ran.program in {"sass", "lessc"} and operands:
        last = operands[-1]
        if ":" in last:
            return tuple(word.rpartition(":")[2] for word in operands)
        if len(operands) > 1:
            return (last,)
    return Unknown(f"where `{ran.text}` writes is not known")


__all__ = [
    "COPIERS", "NEXT_CONFIGS", "compiler_option", "config_text", "configs", "literal_of", "next_output", "option_value",
    "outputs_of",
]  # fmt: skip
