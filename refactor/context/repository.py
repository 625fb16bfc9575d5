"""The files of a repository that build, start and ask images: found once, and read when they are asked for."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from refactor.context.compose import Built, read_compose
from refactor.context.deployment import Deployment, Service
from refactor.context.facts import Unknown
from refactor.context.kubernetes import Container, is_manifest, read_manifest
from refactor.context.names import BAKE, COMPOSE_NAME
from refactor.context.pipelines import (
    ImageBuild,
    Use,
    builds_of_yaml,
    read_bake,
    read_script,
    recipes_of_makefile,
    scripts_of_yaml,
)
from refactor.context.storage import SKIPPED_FOLDERS, Source
from refactor.once import cached_property

_MAX_FOLDERS = 400
_MAX_DEPTH = 4
_MAX_FILES = 200
"""Files read of one kind."""
_MAX_BYTES = 512 * 1024

_OTHERS = SKIPPED_FOLDERS | {"testdata", "fixtures", "__fixtures__"}
_CI_FOLDERS = frozenset({".github", ".circleci", ".ci", ".gitlab", ".devcontainer"})
_CI = re.compile(
    r"^(?:\.github/workflows/[^/]+\.ya?ml|\.circleci/config\.yml|\.gitlab-ci\.ya?ml|\.gitlab/[^/]+\.yml"
    r"|\.travis\.yml|azure-pipelines\.yml|bitbucket-pipelines\.yml)$"
)
_SCRIPT = re.compile(r"^(?:[^/]+/)?(?:[^/]+\.(?:sh|bash)|(?:GNU)?[Mm]akefile|Jenkinsfile)$")

_OTHER_BUILDER = re.compile(
    r"""\b(?:kaniko|makisu)\b|\bDOCKER_BUILDKIT["']?\s*[:=]\s*["']?(?:0|false)\b|\bbuildah:v?1\.(?:1?\d|2[0-3])\b"""
)
"""Builders without cache mounts: kaniko and makisu, Docker's classic one, buildah before 1.24."""

_PUBLIC = frozenset(
    """postgres redis mysql mariadb mongo rabbitmq memcached nginx httpd haproxy traefik caddy busybox alpine debian
    ubuntu elasticsearch kibana logstash zookeeper kafka influxdb grafana prometheus vault consul etcd minio""".split()
)
"""Last words of image names that are never what an application's own Dockerfile makes."""


class _Candidates(NamedTuple):
    compose: tuple[str, ...]
    manifests: tuple[str, ...]
    pipelines: tuple[str, ...]
    scripts: tuple[str, ...]
    bake: tuple[str, ...]
    procfiles: tuple[str, ...]


class Repository:
    """Deployment files below one folder. Paths are relative to it, with slashes; "" is the folder itself."""

    def __init__(self, files: Source) -> None:
        self._files = files
        self._compose: dict[str, tuple[Built, ...]] = {}

    def compose_in(self, folder: str) -> tuple[Built, ...]:
        """The services of the Compose files that lie in ``folder`` itself."""
        names = self._files.list(folder)
        if isinstance(names, Unknown):
            return ()
        paths = [
            posixpath.join(folder, name) for name in names if re.match(COMPOSE_NAME, name) and names[name] == "file"
        ]
        return tuple(built for path in sorted(paths)[:_MAX_FILES] for built in self._services(path))

    def builds_of(self, dockerfile: str) -> tuple[Built, ...]:
        """The Compose services that build ``dockerfile``, from files beside it or above; the nearest first."""
        folder = posixpath.dirname(dockerfile)
        found = list(self.compose_in(folder))
        while folder:
            folder = posixpath.dirname(folder)
            found += self.compose_in(folder)
        return tuple(built for built in found if built.dockerfile == dockerfile)

    def built_from(self, context: str) -> tuple[str, ...]:
        """The Dockerfiles that Compose files build from the folder ``context``."""
        return tuple(
            built.dockerfile for built in self._all_compose if built.dockerfile is not None and built.context == context
        )

    def dockerfiles_of(self, path: str) -> Iterator[str]:
        """The Dockerfiles that a Compose, Bake or devcontainer file builds, as paths inside the repository."""
        folder = posixpath.dirname(path)
        if re.match(COMPOSE_NAME, posixpath.basename(path)):
            named = [built.dockerfile for built in self._services(path) if built.dockerfile]
        elif re.search(BAKE, path):
            builds = [build for build in read_bake(path, self._text(path)) if "://" not in (build.context or "")]
            named = [posixpath.join(folder, build.context or "", build.file or "Dockerfile") for build in builds]
        else:
            # JSON with comments: only this one key is wanted, in either of its spellings.
            text = re.sub(r"(?m)^\s*//.*$", "", self._text(path))
            named = [posixpath.join(folder, name) for name in re.findall(r'"docker[fF]ile"\s*:\s*"([^"\\]+)"', text)]
        for found in map(posixpath.normpath, named):
            if not found.startswith(("../", "/")) and "$" not in found:
                yield found

    def deployment(self, dockerfile: str, context: str) -> Deployment:
        """Who uses the image of ``dockerfile``; ``source`` of each service is relative to the folder ``context``.

        A file that does not say which image it means counts: more uses only make a rewrite more careful.
        """
        if not any(self._candidates):
            return Deployment((), self._other_builder)
        ours = _Image(dockerfile, self._all_compose, [one for _, one in self._scripts if isinstance(one, ImageBuild)])
        services = (*ours.services, *self._containers(ours), *self._processes(dockerfile, context), *self._ci(ours))
        return Deployment(
            tuple(service._replace(source=posixpath.relpath(service.source, context or ".")) for service in services),
            self._other_builder,
        )

    # Finding files

    @cached_property
    def _candidates(self) -> _Candidates:
        found: dict[str, list[str]] = {name: [] for name in _Candidates._fields}
        for path in self._walk():
            name = posixpath.basename(path)
            if re.match(COMPOSE_NAME, name):
                found["compose"].append(path)
            elif _CI.match(path):
                found["pipelines"].append(path)
            elif _SCRIPT.match(path):
                found["scripts"].append(path)
            elif re.search(BAKE, path):
                found["bake"].append(path)
            elif name == "Procfile":
                found["procfiles"].append(path)
            elif name.endswith((".yaml", ".yml")):
                found["manifests"].append(path)
        return _Candidates(*(tuple(found[name][:_MAX_FILES]) for name in _Candidates._fields))

    def _walk(self) -> Iterator[str]:
        """Files near the top first; links are not followed."""
        folders = [""]
        for at, folder in enumerate(folders):
            if at >= _MAX_FOLDERS:
                return
            entries = self._files.list(folder)
            if isinstance(entries, Unknown):
                continue
            for name in sorted(entries):
                path = posixpath.join(folder, name)
                is_hidden = name.startswith(".") and name not in _CI_FOLDERS
                if entries[name] == "file":
                    yield path
                elif name not in _OTHERS and not is_hidden and path.count("/") < _MAX_DEPTH:
                    folders += [path] if entries[name] == "folder" else []

    def _text(self, path: str) -> str:
        data = self._files.read(path)
        return "" if isinstance(data, Unknown) or len(data) > _MAX_BYTES else data.decode("utf-8", "replace")

    def _services(self, path: str) -> tuple[Built, ...]:
        if path not in self._compose:
            text = self._text(path)
            self._compose[path] = tuple(read_compose(path, text)) if "services" in text else ()
        return self._compose[path]

    @cached_property
    def _all_compose(self) -> tuple[Built, ...]:
        return tuple(built for path in self._candidates.compose for built in self._services(path))

    # Reading them

    @cached_property
    def _scripts(self) -> tuple[tuple[str, ImageBuild | Use], ...]:
        """What CI, scripts and Makefiles build and run, each with its file."""
        words = ("docker", "podman", "nerdctl", "kubectl")
        found: list[tuple[str, ImageBuild | Use]] = []
        for path in (*self._candidates.pipelines, *self._candidates.scripts):
            text = self._text(path)
            if not any(word in text for word in words):
                continue
            scripts: Iterable[str] = (text,)
            if path in self._candidates.pipelines:
                scripts = [script for script in scripts_of_yaml(text) if any(word in script for word in words)]
                found += [(path, build) for build in builds_of_yaml(text)]
            elif posixpath.basename(path).lower().endswith("makefile"):
                scripts = (recipes_of_makefile(text),)
            found += [(path, one) for script in scripts for one in read_script(script, path)]
        for path in self._candidates.bake:
            found += [(path, build) for build in read_bake(path, self._text(path))]
        return tuple(found)

    @cached_property
    def _other_builder(self) -> str:
        """What says that images are built without BuildKit, with its file; "" where nothing does."""
        builds = [
            path for path in self._candidates.manifests if re.match(r"cloudbuild|skaffold", posixpath.basename(path))
        ]
        for path in (*self._candidates.pipelines, *self._candidates.scripts, *builds, ".env"):
            found = _OTHER_BUILDER.search(self._text(path))
            if found is not None:
                return f"{path} has {found[0]}"
        return ""

    @cached_property
    def _manifests(self) -> tuple[Container, ...]:
        texts = ((path, self._text(path)) for path in self._candidates.manifests)
        return tuple(found for path, text in texts if is_manifest(text) for found in read_manifest(path, text))

    def _containers(self, ours: _Image) -> Iterator[Service]:
        """The containers that run this image by name; where none does, all that may."""
        named = [found for found in self._manifests if _bare(found.image) in ours.names]
        for found in named or self._manifests:
            name = _bare(found.image)
            if named or not (name in _PUBLIC or name in ours.other_names):
                yield found.service

    def _processes(self, dockerfile: str, context: str) -> Iterator[Service]:
        folders = {"", context, posixpath.dirname(dockerfile)}
        for path in self._candidates.procfiles:
            if posixpath.dirname(path) in folders:
                for name, command in re.findall(r"(?m)^([A-Za-z0-9_-]+):[ \t]*(.+?)[ \t]*$", self._text(path)):
                    yield Service(path, "procfile", name, command)

    def _ci(self, ours: _Image) -> Iterator[Service]:
        containers = {use.container: use.where for _, use in self._scripts if isinstance(use, Use) and use.container}
        for path, one in self._scripts:
            if isinstance(one, ImageBuild):
                if one.target and ours.may_be_built_by(one):
                    yield Service(path, "ci", target=one.target)
            elif one.is_image:
                if _bare(one.where) in ours.names:
                    yield _started(path, one)
            elif ours.may_be_service(containers.get(one.where, one.where)):
                yield Service(path, "ci", one.where, calls=(one.call,)) if one.call else _started(path, one)


class _Image:
    """What tells the image of one Dockerfile from the others of a repository."""

    def __init__(self, dockerfile: str, composed: Iterable[Built], builds: Iterable[ImageBuild]) -> None:
        self.dockerfile = dockerfile
        composed = tuple(composed)
        builders = [built for built in composed if built.dockerfile == dockerfile]
        images = {built.image for built in builders if built.image}
        # Another file of the same folder gives the same service more settings; another service runs the same image.
        keys = {_key(built) for built in builders}
        mine = [
            built
            for built in composed
            if built in builders or (built.dockerfile is None and (built.image in images or _key(built) in keys))
        ]
        others = [built for built in composed if built not in mine]
        self.services = tuple(built.service for built in mine)
        self.names = {_bare(image) for image in images}
        self.other_names = {_bare(built.image) for built in others if built.image}
        for build in builds:
            names = {_bare(name) for name in build.names if not _bare(name).startswith("$")}
            (self.names if self.may_be_built_by(build) else self.other_names).update(names)
        self.other_names -= self.names
        mine_too = {name for built in mine for name in (built.service.name, built.container)}
        self._other_services = {name for built in others for name in (built.service.name, built.container)} - mine_too

    def may_be_built_by(self, build: ImageBuild) -> bool:
        """Not where it names another file; which folder a script runs in is not known."""
        file = posixpath.normpath(build.file or "Dockerfile")
        if "$" in file:
            return True
        return self.dockerfile == file or self.dockerfile.endswith("/" + file.lstrip("./"))

    def may_be_service(self, name: str) -> bool:
        """``docker exec`` in this container, as far as its name tells."""
        # Compose calls a container PROJECT-SERVICE-NUMBER.
        inner = re.fullmatch(r".+?[-_](.+)[-_]\d+", name)
        return self._other_services.isdisjoint({name, inner[1] if inner else name}) and _bare(name) not in _PUBLIC


def _started(path: str, use: Use) -> Service:
    entrypoint = None if use.entrypoint is None else (use.entrypoint,)
    name = "" if use.is_image else use.where
    return Service(path, "ci", name, use.command, entrypoint, (), use.mounts, use.user, use.ports)


def _key(built: Built) -> tuple[str, str]:
    return posixpath.dirname(built.service.source), built.service.name


def _bare(image: str) -> str:
    """``ghcr.io/owner/app:1.2@sha256:...`` -> ``app``."""
    return re.sub(r"[:@].*", "", image.rpartition("/")[2])
