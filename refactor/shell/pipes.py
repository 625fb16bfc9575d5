"""What `pipefail` would change: which commands of a pipe may fail, in earnest or as a matter of course."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from refactor.shell.command import Command
from refactor.shell.reader import read
from refactor.shell.script import ShellScript

_NEVER_FAIL = frozenset("echo printf true : date uname nproc seq arch".split())
_SOURCES = frozenset(
    (
        *"curl wget git svn gpg cat zcat bzcat xzcat tar bsdtar gzip gunzip bzip2 bunzip2 xz unxz zstd unzip".split(),
        *"base64 openssl jq python python2 python3 node php perl ruby rpm2cpio dpkg dpkg-deb envsubst".split(),
        *"lsb_release aws gsutil go npm mysqldump pg_dump".split(),
    )
)
"""Programs that bring something: a status other than 0 says that it did not come."""
_FILTERS = frozenset("sed tr cut sort uniq tac rev md5sum sha1sum sha256sum sha512sum".split())
"""They fail in earnest only, and hardly ever."""
_FAIL_AS_A_RULE = {
    **dict.fromkeys("grep egrep fgrep zgrep pgrep rg ag".split(), "finds nothing"),
    **dict.fromkeys("find ls du stat".split(), "meets a file that it cannot read"),
    **dict.fromkeys(("diff", "cmp", "comm"), "finds a difference"),
    **dict.fromkeys(("[", "[[", "test", "expr"), "says no"),
    **dict.fromkeys(("which", "command", "type", "dpkg-query", "apt-mark"), "does not know a name"),
    **dict.fromkeys(("ldd", "scanelf", "readelf", "file"), "is given a file that is no program"),
    "yes": "is cut off by the command that it answers (SIGPIPE, 141)",
}
_READ_ALL = frozenset(
    (
        *"tar bsdtar cpio gzip gunzip bzip2 bunzip2 xz unxz zstd unzip funzip cat tee sort uniq cut tr wc tac".split(),
        *"sh bash ash dash zsh python python2 python3 node php perl ruby gpg gpg2 apt-key jq xargs base64 dd".split(),
        *"sha1sum sha256sum sha512sum md5sum shasum openssl patch psql mysql rev column envsubst install rpm".split(),
        *"debconf-set-selections chpasswd crontab rpm2cpio mongo sqlite3 grep egrep fgrep sed awk gawk mawk".split(),
    )
)
_QUITS = {
    "grep": r"^-[a-zA-Z]*[qm]|^--(?:quiet|silent|max-count)",
    "sed": r"(?:^|[;{\d$/])\s*[qQ]\s*(?:$|[;}\d])",
    "awk": r"\bexit\b",
}
_INNER = r"\$\(([^()`]*)\)|`([^`]*)`"


def earnest(script: ShellScript) -> Command | None:
    """The first command whose failure a pipe hides, and which is not expected to fail; None where there is none."""
    for row in _pipes(script) or ():
        for command in row[:-1]:
            if _name(command) in _SOURCES:
                return command
    return None


def has_pipe(script: ShellScript) -> bool:
    """Whether a pipe stands in the script, at any depth."""
    return any(command.in_pipeline for command in script.commands) or any(
        "|" in (inner[1] or inner[2] or "").replace("||", "") for inner in re.finditer(_INNER, script.text)
    )


def why_not_pipefail(script: ShellScript) -> str | None:
    """Why the script could fail under `pipefail` although all went as it should; None where it could not."""
    if script.opaque is not None:
        return f"the shell script cannot be analysed: {script.opaque}"
    rows = _pipes(script)
    if rows is None:
        return "a group of commands stands in a pipe"
    for row in rows:
        reason = _why_not_row(script, row)
        if reason is not None:
            return reason
    text = script.text
    for inner in re.finditer(_INNER, text):
        part = inner[1] or inner[2] or ""
        if "|" in part and (reason := why_not_pipefail(read(part))) is not None:
            return reason
    if "|" in "".join(re.findall(r"\$\([^()]*\([^\n]*", text)):
        return "a pipe in nested substitutions is not read"
    return None


def _pipes(script: ShellScript) -> list[list[Command]] | None:
    """The pipelines of simple commands at any depth; None where one has a compound command."""
    rows: list[list[Command]] = []
    commands = script.commands
    for first, second in pairwise(commands):
        between = script.text[first.span[1] : second.span[0]].strip()
        if between in ("|", "|&"):
            if rows and rows[-1][-1] is first:
                rows[-1].append(second)
            else:
                rows.append([first, second])
        elif "|" in between.replace("||", "") and (first.in_pipeline or second.in_pipeline):
            return None
    joined = {id(command) for row in rows for command in row}
    return rows if all(id(command) in joined for command in commands if command.in_pipeline) else None


def _why_not_row(script: ShellScript, row: Sequence[Command]) -> str | None:
    before = script.text[: row[0].span[0]].rstrip()
    behind = re.split(r";|\n", script.text[row[-1].span[1] :], maxsplit=1)[0]
    if re.search(r"(?:\b(?:if|elif|while|until)|!)$", before) or "||" in behind or before.endswith("||"):
        return "what a pipe says decides what is run"
    for first, second in pairwise(row):
        name = _name(first)
        if name in _NEVER_FAIL:
            continue
        if name in _FAIL_AS_A_RULE:
            return f"`{name}` fails as a matter of course where it {_FAIL_AS_A_RULE[name]}"
        is_plain_awk = name in ("awk", "gawk", "mawk") and "exit" not in " ".join(first.args)
        if name not in _SOURCES | _FILTERS and not is_plain_awk:
            return f"it is not known whether `{name or first.words[0].text}` fails as a matter of course"
        reason = _why_quits(second)
        if reason is not None:
            return reason
    return None


def _why_quits(command: Command) -> str | None:
    name = _name(command)
    if name not in _READ_ALL:
        return f"`{name or '...'}` may stop before all is read, and what writes to it fails then (SIGPIPE, 141)"
    family = {"egrep": "grep", "fgrep": "grep", "gawk": "awk", "mawk": "awk"}.get(name, name)
    pattern = _QUITS.get(family)
    if pattern is not None and any(re.search(pattern, arg) for arg in command.args):
        return f"`{name}` stops before all is read, and what writes to it fails then (SIGPIPE, 141)"
    return None


def _name(command: Command) -> str:
    name = (command.name or "").rpartition("/")[2]
    return re.sub(r"^(python|node|php|perl|ruby)[\d.]+$", r"\1", name)


_BASH_ONLY = frozenset("[[ source function declare typeset shopt pushd popd let mapfile readarray".split())
_IN_ANOTHER_WAY = frozenset((".", "eval", "alias", "trap", "enable", "hash", "ulimit"))
_BASH_TEXT = (
    (r"\$\{\w+(?::\d|//?|\^|,|\[|@)|\$\{!", "an expansion that only bash has"),
    (r"\$\{?(?:RANDOM|BASH\w*|E?UID|SECONDS|LINENO|HOSTNAME|OSTYPE|SHELLOPTS)\b", "a variable that only bash sets"),
    (r"[<>]\(|<<<|&>|>&[^\d\s-]|\(\(", "a redirection or arithmetic that only bash has"),
    (r"\$['\"]", "a quotation that only bash has"),
)


def why_other_in_bash(script: ShellScript) -> str | None:
    """What bash would do in another way than dash, Debian's /bin/sh; None where both do the same.

    Of the manual "Bash and POSIX", DashAsBinSh of Debian's and Ubuntu's wikis.
    """
    if script.opaque is not None:
        return f"the shell script cannot be analysed: {script.opaque}"
    for pattern, what in _BASH_TEXT:
        if re.search(pattern, script.text):
            return f"it has {what}"
    return next(_differences(script), None)


def _differences(script: ShellScript) -> Iterator[str]:
    for command in script.commands:
        name = _name(command)
        texts = [word.text for word in command.words[1:]]
        if name == "echo" and (any("\\" in text for text in texts) or re.match(r"-n?[eE]", "".join(texts[:1]))):
            yield "`echo` takes backslashes and `-e` in another way"
        if name == "printf" and any(re.search(r"\\x|%q|%\(", text) for text in texts):
            yield "`printf` knows other formats"
        if name in ("[", "test") and "==" in texts:
            yield "`==` is no operator in dash"
        if name in _BASH_ONLY or name in _IN_ANOTHER_WAY:
            yield f"`{name}` does something else"
        if any(word.value is None and re.search(r"(?<!\$)\{[^}]*(?:,|\.\.)", word.text) for word in command.words):
            yield "bash expands braces"
    first = script.top[0].command if script.top else None
    if first is not None and first.name == "set" and re.search(r"\$\([^)]*[;\n]|`[^`]*[;\n]", script.text):
        yield "`set -e` holds in a substitution in dash, and not in bash"
