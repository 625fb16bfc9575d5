"""The tools of POSIX systems: one table of what each of them does to the files that its words name.

Sources: POSIX.1 XCU, the manual pages of GNU coreutils, tar(1), curl(1), wget(1), git(1), openssl(1), useradd(8).
"""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import NamedTuple


class Does(Enum):
    """What a tool does; the value names the tools."""

    SAYS = ": true false echo printf pwd date whoami id hostname uname sleep"
    """Prints something, or nothing at all."""
    LOOKS = "test [ [[ ls which type stat"
    """Says what is there."""
    READS = """cat head tail grep egrep fgrep awk cut tr sort uniq wc seq expr basename dirname readlink realpath du df
        ps printenv clear yes tty stty sha1sum sha256sum sha512sum md5sum base64 cmp dir file ldd nm objdump readelf
        nproc arch getconf locale jq yq envsubst kill"""
    RUNS = "env command eval until while . source nohup time exec"
    """Starts what its words say."""
    ASKS = """nc netcat ncat ping nslookup getent host dig wait-for-it wait-for-it.sh wait-for wait-for.sh dockerize
        pg_isready psql mysqladmin redis-cli mysql"""
    """Talks to another machine."""
    SHELL = """set unset export cd pushd popd shift exit return trap wait umask ulimit hash alias shopt local declare
        typeset readonly read let getopts"""
    """Changes the shell itself."""
    MAKES = "mkdir touch mkfifo mktemp"
    """Makes something that is empty."""
    FILLS = "tee truncate"
    COPIES = "cp mv rsync"
    LINKS = "ln install"
    CHANGES = "chmod chown chgrp"
    """Whose a file is, and who may use it."""
    GRANTS = "setcap setfacl"
    REMOVES = "rm rmdir unlink shred"
    EDITS = "sed"
    REPLACES = "strip upx patchelf dos2unix unix2dos"
    """Puts something else in the place of a file."""
    UNPACKS = "tar bsdtar unzip 7z"
    COMPRESSES = "gzip gunzip bzip2 bunzip2 xz unxz zstd unzstd"
    DOWNLOADS = "curl wget"
    CLONES = "git"
    SIGNS = "openssl"
    FINDS = "find xargs"
    USERS = "useradd adduser usermod groupadd addgroup groupmod deluser userdel passwd chpasswd"
    SETTINGS = """a2enmod a2dismod a2ensite a2dissite a2enconf a2disconf dpkg-reconfigure fc-cache ldconfig locale-gen
        localedef update-locale update-alternatives update-ca-certificates update-ca-trust"""
    """Settings of the system, from what is installed there."""
    PACKAGES = "dpkg rpm apt-mark apt-cache debconf-set-selections trust"
    """Packages of the system, and settings that are read from elsewhere."""
    REPOSITORIES = "apt-key add-apt-repository apt-add-repository yum-config-manager gpg"
    """Where packages come from, and the keys of those who sign them."""


class Use(NamedTuple):
    """What one call does to files, each as the word that names it."""

    does: Does
    reads: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    """What is new then, or another one: the last word of ``cp``, what ``curl -o`` names."""
    changes: tuple[str, ...] = ()
    """Files that are there and stay, and folders into which something is put."""
    removes: tuple[str, ...] = ()


_DOES = {name: kind for kind in Does for name in kind.value.split()}
_VALUED: Mapping[str, str] = {
    "mkdir": "-m --mode",
    "touch": "-d --date -t -r --reference",
    "truncate": "-s --size -r --reference",
    "cp": "-S --suffix",
    "mv": "-S --suffix",
    "ln": "-S --suffix",
    "install": "-m --mode -o --owner -g --group -S --suffix",
    "rsync": "-e --rsh --exclude --include --exclude-from --filter -f",
    "sed": "-e --expression -f --file -l",
    "git": "-b --branch --depth -o --origin -c --config -j --jobs --reference -u --upload-pack",
}
"""Options whose next word is a value, and none of the files that the call is about."""
_ARCHIVE = r"\.(?:tar(?:\.\w+)?|tgz|tbz2?|txz|zip)$"
_REDIRECT = r"\d*(&?>[>|]?|<)\s*([^&<>\s].*)"
_ACTS_OF_FIND = frozenset("-delete -exec -execdir -ok -fprint".split())
_LOOKS_OF_GIT = frozenset("describe log rev-parse status show diff".split())


def does(name: str) -> Does | None:
    """What a program (without its folder) does; None where the table does not have it."""
    return _DOES.get(name)


@cache
def tools(*kinds: Does) -> frozenset[str]:
    """The names of the tools that do such things."""
    return frozenset(name for name, kind in _DOES.items() if kind in kinds)


SILENT = tools(Does.SAYS, Does.LOOKS) | {"set"}
"""Commands that leave nothing behind, where their output goes nowhere."""
QUIET = frozenset(_DOES) - tools(
    *(Does.REPLACES, Does.UNPACKS, Does.COMPRESSES, Does.CLONES, Does.USERS, Does.SETTINGS, Does.PACKAGES),
    Does.REPOSITORIES,
)
"""Programs of everyday shell scripts that write nothing but what their words and redirections name."""
PLACES = tools(Does.MAKES, Does.LINKS, Does.CHANGES, Does.GRANTS)
"""What makes folders and links, and says whose files are; with ``install``, whose folders or copies have an owner."""
OF_THE_SYSTEM = PLACES | tools(
    *(Does.FILLS, Does.COPIES, Does.REMOVES, Does.EDITS, Does.REPLACES, Does.UNPACKS),
    *(Does.USERS, Does.SETTINGS, Does.PACKAGES, Does.REPOSITORIES),
)
"""Programs that only do to files what their words say (``mkdir``, ``useradd``)."""
STARTS_NO_OTHER = OF_THE_SYSTEM | tools(Does.SAYS, Does.LOOKS, Does.READS)
"""Programs that start no other, whatever their words are."""


def use_of(name: str, args: Sequence[str]) -> Use | None:
    """What a call of a program (without its folder) does to files; None where the table does not have it."""
    kind = _DOES.get(name)
    if kind is None:
        return None
    words = _USES.get(kind)
    return Use(kind) if words is None else words(name, args)._replace(does=kind)


def operands(args: Sequence[str], valued: str = "") -> tuple[str, ...]:
    """The words that are no options, nor the values of those that are ``valued``."""
    skipped = valued.split()
    found: list[str] = []
    is_value = False
    for at, arg in enumerate(args):
        if is_value:
            is_value = False
        elif arg == "--":
            return (*found, *args[at + 1 :])
        elif not arg.startswith("-"):
            found.append(arg)
        elif skipped:
            is_value = arg in skipped or (re.fullmatch(r"-[A-Za-z]{2,}", arg) is not None and f"-{arg[-1]}" in skipped)
    return tuple(found)


def option(args: Sequence[str], *names: str) -> str | None:
    """The value of one of the options ``names``: in the next word, behind ``=``, or behind a cluster (`-xzf file`)."""
    letters = {name[-1] for name in names if len(name) == 2}
    for at, arg in enumerate(args):
        has_next = at + 1 < len(args)
        if arg in names and has_next:
            return args[at + 1]
        if arg.startswith("--") and arg.partition("=")[0] in names and "=" in arg:
            return arg.partition("=")[2]
        if has_next and arg[-1:] in letters and re.fullmatch(r"-[A-Za-z]{2,}", arg):
            return args[at + 1]
    return None


def redirected(redirects: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Files that redirections name, as written, and whether they are written to. Devices are none."""
    for redirect in redirects:
        found = re.match(_REDIRECT, redirect, re.DOTALL)
        if found is not None and not found[2].startswith("/dev/"):
            yield found[2].strip("\"'"), found[1] != "<"


def unpacked(use: Use) -> Iterator[str]:
    """The folders that archives hold, as far as their names tell."""
    for word in use.reads if use.does is Does.UNPACKS else ():
        if re.search(_ARCHIVE, word):
            yield posixpath.join(*use.changes, re.sub(_ARCHIVE, "", posixpath.basename(word)))


def _made(name: str, args: Sequence[str]) -> Use:
    return Use(Does.MAKES, makes=operands(args, _VALUED.get(name, "")))


def _copied(name: str, args: Sequence[str]) -> Use:
    if name == "install" and {"-d", "--directory"} & set(args):
        return _made(name, args)
    words = operands(args, _VALUED[name])
    target = option(args, "-t", "--target-directory") if name != "rsync" else None
    if target is not None:
        sources = tuple(word for word in words if word != target)
    else:
        # `ln -s source` makes a link of that name here.
        sources, target = (words[:-1], words[-1]) if len(words) > 1 else (words, ".")
    return Use(Does.COPIES, sources, (target,), removes=sources if name == "mv" else ())


def _changed(name: str, args: Sequence[str]) -> Use:
    words = operands(args)
    # `chmod -x file`: the mode looks like an option.
    has_mode = name == "chmod" and any(re.fullmatch(r"-[rwxXst]+", arg) for arg in args)
    return _in_place(words if has_mode else words[1:])


def _in_place(words: Sequence[str]) -> Use:
    return Use(Does.REPLACES, tuple(words), changes=tuple(words))


def _edited(name: str, args: Sequence[str]) -> Use:
    words = operands(args, _VALUED[name])
    files = words if option(args, "-e", "--expression", "-f", "--file") is not None else words[1:]
    is_in_place = any(re.match(r"-[nErsuz]*i|--in-place", arg) for arg in args)
    return _in_place(files) if is_in_place else Use(Does.EDITS, files)


def _unpacks(name: str, args: Sequence[str]) -> Use:
    is_tar = name in ("tar", "bsdtar")
    if is_tar and args and re.fullmatch(r"[A-Za-z]+", args[0]):
        # `tar xzf a.tgz`: the old form, without a dash.
        args = (f"-{args[0]}", *args[1:])
    folder, archive = option(args, "-C", "--directory", "-d"), option(args, "-f", "--file")
    members = tuple(arg for arg in operands(args) if arg not in (archive, folder))
    if is_tar and not any(re.match(r"-[A-Za-z]*x|--extract|--get", arg) for arg in args):
        is_listed = any(re.match(r"-[A-Za-z]*t|--list", arg) for arg in args)
        return Use(Does.UNPACKS, members, (archive,) if archive and not is_listed else ())
    read_from = (archive,) if archive else () if is_tar else members[:1] if name == "unzip" else members[1:2]
    return Use(Does.UNPACKS, tuple(word for word in read_from if word != "-"), changes=(folder or ".",))


def _downloads(name: str, args: Sequence[str]) -> Use:
    is_wget = name == "wget"
    letter, long = ("O", "--output-document") if is_wget else ("o", "--output")
    # `-qO-`, `-o/tmp/file`: the value may stand in the same word.
    attached = (found[1] for arg in args if (found := re.fullmatch(rf"-[A-Za-z]*{letter}([-./~$].*)", arg)))
    target = option(args, f"-{letter}", long) or next(attached, None)
    folder = option(args, "-P", "--directory-prefix") if is_wget else option(args, "--output-dir")
    if target is not None:
        return Use(Does.DOWNLOADS, makes=() if target == "-" or target.startswith("/dev/") else (target,))
    is_named = is_wget or any(re.fullmatch(r"-[a-zA-Z]*O[a-zA-Z]*|--remote-name", arg) for arg in args)
    if not is_named or "--spider" in args:
        return Use(Does.DOWNLOADS)
    names = [posixpath.basename(arg.partition("?")[0].strip("\"'")) for arg in args if "://" in arg]
    files = tuple(posixpath.join(folder or "", one) for one in names if one)
    return Use(Does.DOWNLOADS, makes=files, changes=() if files else (folder or ".",))


def _clones(name: str, args: Sequence[str]) -> Use:
    verb, *own = operands(args, _VALUED[name]) or ("",)
    if verb == "clone":
        own = own[1:2] or [posixpath.basename(source.rstrip("/")).removesuffix(".git") for source in own]
        return Use(Does.CLONES, makes=(*own, ".")[:1])
    if verb == "config":
        return Use(Does.CLONES, changes=("~/.gitconfig",))
    return Use(Does.CLONES, (".",), changes=(".",) if verb and verb not in _LOOKS_OF_GIT else ())


def _finds(name: str, args: Sequence[str]) -> Use:
    start = tuple(word for word in operands(args)[:1] if not word.startswith("(")) or (".",)
    return Use(Does.FINDS, start, changes=start if _ACTS_OF_FIND & set(args) else ())


def _reads(name: str, args: Sequence[str]) -> Use:
    return Use(Does.READS, tuple(word for word in operands(args) if "/" in word or "." in word))


def _compresses(name: str, args: Sequence[str]) -> Use:
    files = operands(args)
    return Use(Does.COMPRESSES, files, changes=tuple(posixpath.dirname(word) or "." for word in files))


_PASSWORDS = ("/etc/passwd", "/etc/group")
_USES: Mapping[Does, Callable[[str, Sequence[str]], Use]] = {
    **dict.fromkeys((Does.LOOKS, Does.READS, Does.ASKS, Does.RUNS), _reads),
    **dict.fromkeys((Does.MAKES, Does.FILLS), _made),
    **dict.fromkeys((Does.COPIES, Does.LINKS), _copied),
    **dict.fromkeys((Does.CHANGES, Does.GRANTS), _changed),
    **dict.fromkeys(
        (Does.SETTINGS, Does.PACKAGES, Does.REPOSITORIES),
        lambda *_: Use(Does.SETTINGS, ("/etc", "/usr"), changes=("/etc", "/usr/lib", "/usr/share", "/var/cache")),
    ),
    Does.REMOVES: lambda _, args: Use(Does.REMOVES, removes=operands(args)),
    Does.EDITS: _edited,
    Does.REPLACES: lambda _, args: _in_place(operands(args)),
    Does.UNPACKS: _unpacks,
    Does.COMPRESSES: _compresses,
    Does.DOWNLOADS: _downloads,
    Does.CLONES: _clones,
    Does.SIGNS: lambda _, args: Use(
        Does.SIGNS, makes=tuple(value for name in ("-out", "-keyout") if (value := option(args, name)) is not None)
    ),
    Does.FINDS: _finds,
    Does.USERS: lambda *_: Use(Does.USERS, _PASSWORDS, changes=(*_PASSWORDS, "/etc/shadow", "/home")),
}

__all__ = [
    "OF_THE_SYSTEM", "PLACES", "QUIET", "SILENT", "STARTS_NO_OTHER", "Does", "Use", "does", "operands", "option",
    "redirected", "tools", "unpacked", "use_of",
]  # fmt: skip
