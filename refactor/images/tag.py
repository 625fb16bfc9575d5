"""The parts of a tag."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
from typing import NamedTuple

from refactor.images import contents
from refactor.images.history import version_of


class Tag(NamedTuple):
    """A tag of the usual form: version, words, distribution release."""

    version: str
    words: tuple[str, ...]
    """Everything else, in order, without version, release and `slim`."""
    release: str | None
    """A Debian or Ubuntu code name that the tag holds."""
    alpine: str | None
    """None: not Alpine; "": Alpine of unsaid release; else "3.19"."""
    is_slim: bool


def read_tag(tag: str) -> Tag:
    version = ""
    words: list[str] = []
    release: str | None = None
    alpine: str | None = None
    is_slim = False
    for at, word in enumerate(tag.split("-")):
        if at == 0 and word[:1].isdigit():
            version = word
        elif word == "slim":
            is_slim = True
        elif word.startswith("alpine") and (word == "alpine" or version_of(word[6:]) is not None):
            alpine = word[6:]
        elif alpine == "" and version_of(word) is not None:
            # Temurin writes alpine-3.22.
            alpine = word
        elif word in contents.DEBIAN_RELEASES or word in contents.UBUNTU_RELEASES:
            release = word
        else:
            words.append(word)
    return Tag(version, tuple(words), release, alpine, is_slim)
