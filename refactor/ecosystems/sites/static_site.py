"""What a site's development server serves, and the build that makes the same files."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping

from refactor.context import Unknown
from refactor.ecosystems.answers import StaticSite, Written
from refactor.ecosystems.files_served import why_more_than_files
from refactor.ecosystems.sites.settings import hugo_settings, jekyll_settings, mkdocs_settings
from refactor.ecosystems.sites.tools import Options, Server, folder_of, options_of, server_of
from refactor.flow.reading import Refused, StageReading, join
from refactor.images import BaseImage

_LOCAL = frozenset({"", "root", "0", None})
_ASKS = {
    "Hugo": r"hugo\.(?:Environment|IsProduction|IsDevelopment|IsServer)|[.$]?Site\.IsServer|HUGO_ENV|\bgetenv\b",
    "Jekyll": r"jekyll\.environment|(?:src|href)=[\"']?\{\{[^}]*(?:absolute_url|site\.url)",
    "MkDocs": r"!ENV\b",
    "Sphinx": r"\bos\.environ\b",
}
"""What sources say that asks whether they are served for development, or for the address of the site."""
_TEMPLATES = (".html", ".xml", ".js", ".css", ".scss", ".md", ".yml", ".yaml", ".py")
_MAX_TEMPLATES = 3_000
_OF_HUGO = r"HUGO_(?:BASEURL|PUBLISHDIR|DESTINATION|THEME)"


def written(reading: StageReading) -> Written | Refused:
    """Where the server writes: into a temporary folder, or among the sources."""
    server = server_of(reading)
    if server is None or isinstance(server, Refused):
        return server or Refused("what is started is no generator of a site that is known")
    if server.tool.title == "MkDocs":
        return Written((), (f"{server.shown} builds into a temporary folder",))
    return Refused(f"{server.shown} builds among the sources when the container starts", "build in a RUN")


def static_site(reading: StageReading) -> StaticSite | Refused | None:
    """See :meth:`Ecosystem.static_site`."""
    server = server_of(reading)
    if reading.start is None and reading.image is not None and reading.image.cmd[:1] == ("serve",):
        command = ", ".join(f'"{word}"' for word in reading.image.cmd)
        return Refused("the development server of the base image is started by its own CMD", f"write CMD [{command}]")
    if server is None or isinstance(server, Refused):
        return server
    if reading.image is not None and reading.image.family == "jekyll":
        return Refused(
            f"{server.shown} runs by a script of {reading.stage.image} as another user, in a volume: what a RUN builds"
            " there is not kept by every builder",
            "start from ruby:<version> with a Gemfile",
        )
    options = options_of(server)
    return options if isinstance(options, Refused) else _Site(reading, server, options).found()


class _Site:
    def __init__(self, reading: StageReading, server: Server, options: Options) -> None:
        self.reading, self.context = reading, reading.context
        self.server, self.options, self.tool = server, options, server.tool
        self.home = folder_of(server, options)
        self.say: list[str] = []
        self.kept = list(options.kept)
        self.unread = ""
        """Why not all templates were read."""

    @property
    def shown(self) -> str:
        return self.server.shown

    def found(self) -> StaticSite | Refused:
        cmd = self.reading.last("CMD") or self.reading.last("ENTRYPOINT")
        assert cmd is not None  # A server is found by one of them.
        carried = frozenset({"ENTRYPOINT", "MAINTAINER"})
        more = why_more_than_files(self.reading, self.shown, self.home, may_carry=carried, whole=False)
        reason = more or self._why_user(self.reading.image)
        if reason is not None:
            return reason
        source = self.reading.in_context(self.home)
        if source is None:
            return Refused(f"the site in {self.home} is not copied from the build context", "copy it as one folder")
        folder = self._folder(source)
        if isinstance(folder, Refused):
            return folder
        port = self._port()
        if isinstance(port, Refused):
            return port
        build = " ".join((*self.server.before, *self.tool.build, *self.kept, *map(shlex.quote, self.options.operands)))
        if self.tool.title == "Hugo" and self.context.exists(self._in_context(folder, source)) is True:
            # Hugo leaves what is there already, such as the pages of an older build.
            build = f"rm -rf {posixpath.relpath(folder, self.home)} && {build}"
        where = self.server.root.folder
        prefix = "" if self.reading.final_workdir == where else f"cd {where} && "
        return StaticSite(
            cmd,
            prefix + build,
            folder,
            port,
            is_single_page=False,
            evidence=(f"{self.shown} serves on port {port} what `{build}` writes to {folder}", *self.say),
            doubt=self._doubt(source),
            not_found=True,
            what=f"{self.tool.title}'s development server builds the site at every start, and watches its sources",
        )

    def _in_context(self, folder: str, source: str) -> str:
        return posixpath.normpath(posixpath.join(source, posixpath.relpath(folder, self.home)))

    def _why_user(self, image: BaseImage | None) -> Refused | None:
        user = self.reading.final_user or ("" if image is None else image.default_user)
        if user.partition(":")[0] not in _LOCAL:
            return Refused(f"the build would run as {user}, who may not write to {self.home}", "build as root")
        return None

    def _folder(self, source: str) -> str | Refused:
        """The folder that the build writes, by options and settings."""
        given = self.options.value(self.tool.destination)
        if self.tool.title == "Sphinx":
            if len(self.options.operands) != 2:
                return Refused(f"{self.shown} does not name its source and its output alone")
            place = posixpath.normpath(posixpath.join(source, self.options.operands[0], "conf.py"))
            if self.context.exists(place) is not True:
                return Refused(f"{place}, which {self.shown} reads, is not in the build context")
            return join(self.server.root.folder, self.options.operands[1])
        if self.options.operands:
            return Refused(f"what {self.options.operands[0]} is to {self.shown} is not known")
        settings = self._settings(source)
        if isinstance(settings, Refused):
            return settings
        written = given or settings.get("output") or self.tool.output
        if "$" in written or "!" in written:
            return Refused(f"{self.shown} writes to {written}, which is decided when it runs")
        return join(self.home, written)

    def _settings(self, source: str) -> Mapping[str, str] | Refused:
        title, values = self.tool.title, self.options.values
        if title == "Hugo":
            found = hugo_settings(self.context, source, values)
        elif title == "Jekyll":
            found = jekyll_settings(self.context, source, values)
        else:
            found = mkdocs_settings(self.context, source, values)
        if isinstance(found, Refused):
            return found
        address = found.get("address", "")
        if title == "Hugo":
            reason = self._address_of_hugo(address)
            if reason is not None:
                return reason
        path = re.sub(r"^(?:\w+:)?//[^/]*", "", address).rstrip("/")
        if path and not (title == "Hugo" and {"-b", "--baseURL"} & set(values)):
            return Refused(f"{self.shown} serves below {path}, not at /: {found.get('where', 'its settings')}")
        self.say += [found["told"]] if "told" in found else []
        self.unread = found.get("unread", "")
        return found

    def _address_of_hugo(self, address: str) -> Refused | None:
        """``hugo server`` puts its own address into the pages; a build would put the one of the settings."""
        names = [name for name in self.reading.environment if re.fullmatch(_OF_HUGO, name)]
        if names:
            return Refused(f"ENV {names[0]} changes what a build makes", "write it into the site's settings")
        given = self.options.value(("-b", "--baseURL"))
        if given is None:
            self.kept.append("--baseURL /")
            own = f" for {address}" if address else ""
            self.say.append(
                f"links in the pages begin with /, where the server put its own address{own}; feeds and site maps want"
                " --baseURL with the site's"
            )
            return None
        if re.sub(r"^(?:\w+:)?//[^/]*", "", given).rstrip("/"):
            return Refused(f"{self.shown} serves below the path of {given}, not at /")
        host = re.match(r"(?:\w+:)?//[^/:]+", given)
        port = self._port()
        if host is not None and "--appendPort" not in self.options.values and not isinstance(port, Refused):
            # The server adds its port to the address (`hugo help server`).
            written = next(one for one in self.kept if one.startswith(("-b", "--baseURL")))
            self.kept[self.kept.index(written)] = f"--baseURL {host[0]}:{port}/"
        return None

    def _port(self) -> int | Refused:
        given = self.options.value(self.tool.ports)
        if given is None and self.tool.title == "MkDocs":
            source = self.reading.in_context(self.home)
            settings = mkdocs_settings(self.context, source or "", self.options.values)
            given = None if isinstance(settings, Refused) else settings.get("listens")
        if given is None and self.tool.title == "Jekyll":
            source = self.reading.in_context(self.home)
            found = jekyll_settings(self.context, source or "", self.options.values)
            given = None if isinstance(found, Refused) else found.get("listens")
        if given is None:
            return self.tool.port
        number = re.search(r"(?:^|:)(\d{1,5})$", given)
        return int(number[1]) if number else Refused(f"the port that {self.shown} listens on is not known: {given}")

    def _doubt(self, source: str) -> str:
        """Sources that ask where they are served, so that a build may make something else."""
        if self.tool.title == "Hugo":
            for name in ("development", "production"):
                path = posixpath.join(source, "config", name)
                if self.context.exists(path) is True:
                    return f"{path} has settings for one environment: the server took development, a build production"
        rule = re.compile(_ASKS[self.tool.title])
        for path in self._templates(source):
            text = self.context.read(path)
            if isinstance(text, Unknown):
                continue
            found = rule.search(text)
            if found is not None:
                return f"{path} has {found[0]}: it may be something else in a build than when it is served"
        return self.unread

    def _templates(self, source: str) -> Iterator[str]:
        files = self.context.files(source, without=("node_modules", ".git"))
        names = () if isinstance(files, Unknown) else files
        number = 0
        for path in names:
            own = path[len(source) :].lstrip("/")
            is_text = self.tool.title in {"MkDocs", "Sphinx"} and own.count("/") > 1
            if not path.endswith(_TEMPLATES) or is_text or own.startswith(("content/", "_posts/", "static/")):
                continue
            number += 1
            if number > _MAX_TEMPLATES:
                return
            yield path


__all__ = ["static_site", "written"]
