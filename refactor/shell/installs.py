"""Calls that install system packages: which of them could be one, and what only cleans up behind them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from refactor.shell.command import Command
from refactor.shell.managers import PackageCall, package_call, package_calls
from refactor.shell.script import ShellScript

SYSTEM_MANAGERS = frozenset(("apt", "apk", "dnf", "yum", "microdnf", "zypper"))
"""Package managers of distributions, by `PackageCall.manager`."""
_WITH_LISTS = frozenset(("apt", "apk", "dnf", "yum", "microdnf"))
_QUIET = frozenset(("-q", "--quiet"))
_YES = frozenset(("-y", "--yes", "--assume-yes", "--assumeyes"))
_REFRESH = frozenset(("-U", "--update", "--update-cache"))
_NO_ANSWER_NEEDED = {
    "apt": frozenset(
        "--assume-no --trivial-only --print-uris --help -s --simulate --just-print --dry-run --recon --no-act".split()
    ),
    "dnf": frozenset(("--assumeno", "--help", "-h")),
    "yum": frozenset(("--assumeno", "--help", "-h")),
    "zypper": frozenset(("-n", "--non-interactive", "--no-confirm", "-D", "--dry-run", "--help", "-h")),
    "pip": frozenset(("--help", "-h")),
}
_ASKING = {
    "apt": frozenset(("install", "upgrade", "remove", "autoremove", "build-dep")),
    "dnf": frozenset(("install", "upgrade", "remove", "autoremove", "build-dep", "enable", "disable", "reset")),
    "yum": frozenset(("install", "upgrade", "remove", "autoremove", "build-dep", "enable", "disable", "reset")),
    "zypper": frozenset(("install", "upgrade", "remove", "build-dep")),
    "pip": frozenset(("remove",)),
}
_FETCHES = {"install": "install", "add": "add", "in": "install"}
# A package that brings a repository, with which the next call finds more than this one (epel-release, *.rpm, URLs).
# What one of Debian's brings is not seen before another `apt-get update`.
_REPOSITORY = r"(?:^|-)(?:release|repos?)(?:-|$)|^epel|://|\.rpm$"
CACHES: Mapping[str, tuple[str, ...]] = {
    "apt": ("/var/lib/apt", "/var/cache/apt"),
    "apk": ("/var/cache/apk", "/etc/apk/cache"),
    "dnf": ("/var/cache/dnf", "/var/cache/libdnf5"),
    "yum": ("/var/cache/yum", "/var/cache/dnf"),
    "microdnf": ("/var/cache/yum", "/var/cache/dnf"),
    "zypper": ("/var/cache/zypp",),
}
"""Where a manager keeps package lists and archives."""
CACHE_PLACES: Mapping[str, tuple[str, ...]] = {
    **CACHES,
    "pip": ("/root/.cache", "~/.cache", "$HOME/.cache"),
    "npm": ("/root/.npm", "~/.npm", "$HOME/.npm"),
    "yarn": ("/usr/local/share/.cache", "/root/.cache", "~/.cache"),
}
"""The same, of managers of languages too, as a script may write it."""
DOCKER_CLEAN = "/etc/apt/apt.conf.d/docker-clean"
"""By it the images of Debian and Ubuntu have apt's archives removed after every call."""
_SCRATCH = ("/tmp/", "/var/tmp/", "/root/.cache/", "~/.cache/", "$HOME/.cache/", "/var/cache/", "/var/log/")


def why_not_one_list(first: PackageCall, second: PackageCall) -> str | None:
    """Why ``first``, and ``second`` right behind it, are not one call with the packages of both; None if they are.

    How quiet they are makes no difference, nor that one of them looks for newer lists.
    """
    for call in (first, second):
        if call.manager not in _WITH_LISTS or call.verb not in _FETCHES or not call.packages:
            return "only lists of packages to install can be one"
        if call.option("--virtual", "-t") is not None and call.manager == "apk":
            return "`--virtual` names the packages of one call"
        if any(word.value is None and word.text[:1] in '$`"' for word in call.packages):
            return "what a variable holds is not known: options can be in it"
        if any(word.text.endswith(("-", "+")) and not word.text.endswith("++") for word in call.packages):
            return "a package is removed"
    if first.program != second.program or _FETCHES[first.verb] != _FETCHES[second.verb]:
        return f"`{first.program}` and `{second.program}` are two programs"
    if first.manager not in ("apt", "apk") and any(re.search(_REPOSITORY, word.literal) for word in first.packages):
        return "a package may bring the repository that the next one comes from"
    if _flags(first) != _flags(second):
        return "their flags differ"
    if _setting(first.command) != _setting(second.command):
        return "variables, redirections or the user differ"
    return None


def asks(call: PackageCall) -> bool:
    """Whether the call may ask on its standard input before it goes on, and nothing in it gives the answer (`-y`).

    apt-get asks where it is to do more than it was told (apt-get(8), `--assume-yes`), dnf, yum and zypper always do.
    """
    needless = _NO_ANSWER_NEEDED.get(call.manager)
    if needless is None or call.action not in _ASKING[call.manager]:
        return False
    if call.action in ("enable", "disable", "reset") and not call.verb.startswith("module "):
        return False
    if call.manager == "apt" and (_is_very_quiet(call) or "assume-" in " ".join(call.values("-o", "--option")).lower()):
        return False
    return not (_is_assumed(call) or call.has(*needless) or "assumeyes" in " ".join(call.values("--setopt")))


def _is_assumed(call: PackageCall) -> bool:
    return any(name in _YES for name, _ in call.options)


def _is_very_quiet(call: PackageCall) -> bool:
    """`-qq`, which implies `-y` for apt-get and apt (apt-get(8))."""
    quiet = [value for name, value in call.options if name in _QUIET]
    return call.program != "aptitude" and (len(quiet) > 1 or any(value not in (None, "0", "1") for value in quiet))


def _flags(call: PackageCall) -> tuple[Counter[tuple[str, str | None]], bool]:
    names = Counter(name for name, _ in call.options)
    is_assumed = not _YES.isdisjoint(names) or (call.manager == "apt" and _is_very_quiet(call))
    ignored = _QUIET | _YES | (_REFRESH if call.manager == "apk" else frozenset())
    return Counter(pair for pair in call.options if pair[0] not in ignored), is_assumed


def _setting(command: Command) -> tuple[object, ...]:
    given = tuple((name, word.text) for name, word in command.assignments)
    return (given, command.redirects, command.wrappers)


def is_cleaning(command: Command, manager: str | None = None, and_scratch: bool = False) -> bool:
    """A command that does nothing but remove caches of system packages (of ``manager``, if one is given), and with
    ``and_scratch`` temporary files too.
    """
    call = package_call(command)
    if call is not None:
        return (
            call.manager in SYSTEM_MANAGERS
            and call.action in ("clean", "autoclean")
            and manager in (None, call.manager)
        )
    if (command.name or "").rpartition("/")[2] != "rm":
        return False
    managers = CACHES if manager is None else (manager,)
    places = tuple(f"{place}/" for name in managers for place in CACHES.get(name, ()))
    if and_scratch:
        places += _SCRATCH
    paths = [arg for arg in command.args if not arg.startswith("-")]
    return bool(paths) and all(f"{path}/".startswith(places) for path in paths)


def keeps_archives(command: Command) -> bool:
    """A command that has apt keep what it downloads: it removes Docker's setting in the images of Debian and Ubuntu."""
    paths = [arg for arg in command.args if not arg.startswith("-")]
    return (command.name or "").rpartition("/")[2] == "rm" and paths == [DOCKER_CLEAN]


def only_cleans(script: ShellScript, manager: str | None = None) -> bool:
    """Whether all commands of a script are cleanings (of ``manager``, if one is given)."""
    return bool(script.commands) and all(is_cleaning(command, manager) for command in script.commands)


def is_cleaned(script: ShellScript, manager: str, own: Sequence[PackageCall]) -> bool:
    """Whether the script itself removes what ``own``, its calls of ``manager``, leave in a cache."""
    places = CACHE_PLACES[manager]
    # Lists come with the update, all other caches with the installs.
    fills = {"update"} if manager == "apt" else {"install", "upgrade", "update", "ci", "add"}
    last = max((call.command.span for call in own if call.action in fills), default=(0, 0))
    for command in script.commands:
        if command.span < last or command.name not in {"rm", "find"}:
            continue
        if any(arg.startswith(places) or arg in places for arg in command.args):
            return True
        if command.name == "rm" and any(
            arg.rstrip("/*") in {"/root/.cache", "/var/cache", "/var/lib/apt"} for arg in command.args
        ):
            return True
    cleanings = [call for call in own if call.action == "clean" and call.command.span > last]
    if manager == "apt":
        # `apt-get clean` leaves the lists, `distclean` takes them too (apt-get(8)).
        return any(call.verb in {"distclean", "dist-clean"} for call in cleanings)
    return bool(cleanings)


_OF_INSTALLS = frozenset(("install", "update", "upgrade", "clean", "remove", "autoremove"))


def installer(script: ShellScript) -> str | None:
    """The one system package manager that all commands of a script are for; None where there is another command."""
    calls = [call for call in package_calls(script) if call.manager in SYSTEM_MANAGERS]
    managers = {call.manager for call in calls}
    if len(managers) != 1 or any(call.action not in _OF_INSTALLS for call in calls):
        return None
    return calls[0].manager if all(_is_of_install(command) for command in script.commands) else None


def _is_of_install(command: Command) -> bool:
    call = package_call(command)
    if call is not None:
        return call.manager in SYSTEM_MANAGERS
    # A lone assignment is `PACKAGE=curl`: it is for the next command, so the two are one thing to the author.
    return is_cleaning(command, and_scratch=True) or not command.words or command.name in {"true", ":"}
