"""``dockerfix size``: image layouts made here, a registry that answers here, and a real engine where there is one."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from refactor.images.distribution import Distribution, RegistryProblem
from refactor.proof import EngineProblem, find_engine
from refactor.proof.engine import Layer
from refactor.proof.size import Growth, bytes_of, growth
from tests.test_config_command import run

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
TAR = "application/vnd.oci.image.layer.v1.tar"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def layer(size: int, packed: bool = True) -> bytes:
    """A layer with one file of ``size`` bytes that no compression makes smaller."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("file")
        member.size = size
        archive.addfile(member, io.BytesIO(hashlib.shake_128(b"seed").digest(size)))
    return gzip.compress(buffer.getvalue(), mtime=0) if packed else buffer.getvalue()


class Blobs(dict[str, bytes]):
    """Contents by their digests."""

    def put(self, data: bytes | dict[str, Any], kind: str, **about: Any) -> dict[str, Any]:
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self[digest] = content
        return {"mediaType": kind, "digest": digest, "size": len(content), **about}

    def image(self, layers: list[tuple[str, bytes]], kind: str = GZIP, **about: Any) -> dict[str, Any]:
        history = [{"created_by": made_by} for made_by, _ in layers]
        history.insert(1, {"created_by": "ENV A=1", "empty_layer": True})
        config = self.put({"architecture": "amd64", "os": "linux", "history": history}, "application/json")
        found = {"schemaVersion": 2, "config": config, "layers": [self.put(data, kind) for _, data in layers]}
        return self.put(found, MANIFEST, **about)

    def index(self, *entries: dict[str, Any]) -> dict[str, Any]:
        return self.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)}, INDEX)


BASE = ("/bin/sh -c #(nop) ADD file:1 in / ", layer(30_000))


def write_layout(folder: Path, blobs: Blobs, *entries: dict[str, Any]) -> Path:
    place = folder / "blobs" / "sha256"
    place.mkdir(parents=True, exist_ok=True)
    for digest, data in blobs.items():
        (place / digest.removeprefix("sha256:")).write_bytes(data)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": list(entries)}))
    return folder


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    blobs = Blobs()
    image = blobs.image([BASE, ("RUN /bin/sh -c npm ci # buildkit", layer(50_000))])
    return write_layout(tmp_path / "layout", blobs, image)


def as_json(*words: str, cwd: Path, status: int = 0) -> dict[str, Any]:
    done = run("size", "--format", "json", *words, cwd=cwd)
    assert done.returncode == status, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_a_layout_is_as_large_as_its_layers(layout: Path) -> None:
    found = as_json(str(layout), cwd=layout)
    stored = sorted(len(data) for data in (BASE[1], layer(50_000)))
    assert found["total"] == sum(stored) > 80_000
    assert (found["kind"], found["source"]) == ("compressed", "the image layout")
    assert found["layers"] == [
        {"bytes": stored[0], "made_by": "ADD file:1 in /"},
        {"bytes": stored[1], "made_by": "RUN npm ci"},
    ]
    text = run("size", str(layout), cwd=layout).stdout
    assert "80.4 kB compressed, 2 layers, says the image layout" in text
    assert " 50.2 kB  RUN npm ci\n" in text


def test_a_tar_file_of_a_layout_is_the_same(layout: Path, tmp_path: Path) -> None:
    for name in ("image.tar", "image.tar.gz"):
        with tarfile.open(tmp_path / name, "w:gz" if name.endswith("gz") else "w") as archive:
            archive.add(layout, arcname=".")
        found = as_json(name, cwd=tmp_path)
        assert {**found, "name": ""} == {**as_json(str(layout), cwd=tmp_path), "name": ""}


def test_layers_that_are_not_compressed_are_said_so(tmp_path: Path) -> None:
    blobs = Blobs()
    write_layout(tmp_path / "plain", blobs, blobs.image([("COPY a b", layer(10, packed=False))], TAR))
    assert as_json("plain", cwd=tmp_path)["kind"] == "uncompressed"


def test_the_budget_decides_the_status(layout: Path) -> None:
    total = as_json(str(layout), cwd=layout)["total"]
    assert as_json(str(layout), "--max", str(total), cwd=layout)["over"] == 0
    assert as_json(str(layout), "--max", str(total - 1), cwd=layout, status=1)["over"] == 1
    done = run("size", str(layout), "--max", "50kB", cwd=layout)
    assert (done.returncode, "OVER the budget of 50.0 kB" in done.stdout) == (1, True)
    done = run("size", str(layout), "--max", "1 parsec", cwd=layout)
    assert (done.returncode, "write 200MB, 190MiB" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("200MB", 200_000_000),
        ("200m", 200_000_000),
        ("1.5 GB", 1_500_000_000),
        ("190MiB", 199_229_440),
        ("7", 7),
        ("1kB", 1000),
        ("1KiB", 1024),
        *((text, None) for text in ("", "MB", "-1MB", "1 mile")),
    ],
)
def test_units(text: str, size: int | None) -> None:
    assert bytes_of(text) == size


def test_the_history_says_what_grew_by_layer(tmp_path: Path) -> None:
    blobs = Blobs()
    first = blobs.image([BASE, ("RUN npm ci", layer(50_000)), ("RUN rm -rf /tmp", layer(1000))])
    write_layout(tmp_path / "shop", blobs, first)
    words = ["shop", "--history", "sizes.jsonl"]
    assert "before" not in as_json(*words, cwd=tmp_path)
    second = blobs.image([BASE, ("RUN npm ci", layer(90_000)), ("COPY . .", layer(2000))])
    write_layout(tmp_path / "shop", blobs, second)
    found = as_json(*words, cwd=tmp_path)
    assert found["before"]["digest"] == first["digest"]
    by_maker = {one["made_by"]: one["bytes"] for one in found["grew"]}
    assert by_maker == {
        "RUN npm ci": len(layer(90_000)) - len(layer(50_000)),
        "COPY . .": len(layer(2000)),
        "RUN rm -rf /tmp": -len(layer(1000)),
    }
    assert sum(by_maker.values()) == found["total"] - found["before"]["total"]
    lines = [json.loads(line) for line in (tmp_path / "sizes.jsonl").read_text().splitlines()]
    assert [line["digest"] for line in lines] == [first["digest"], second["digest"]]
    assert all(set(line) == {"date", "name", "digest", "kind", "total", "layers"} for line in lines)
    # Measured again, it is the last measurement itself: nothing grew, and nothing is added.
    text = run("size", *words, cwd=tmp_path).stdout
    assert "+0.0 kB" in text.splitlines()[-1]
    assert len((tmp_path / "sizes.jsonl").read_text().splitlines()) == 2


def test_layers_are_paired_by_what_made_them() -> None:
    old = [Layer(10, "FROM"), Layer(5, "RUN a"), Layer(7, "RUN b")]
    new = [Layer(10, "FROM"), Layer(7, "RUN b"), Layer(3, "RUN c")]
    assert growth(old, new) == [Growth(3, "RUN c"), Growth(-5, "RUN a")]
    assert growth(old, old) == []


def test_a_history_that_is_none_is_told_and_left_alone(layout: Path, tmp_path: Path) -> None:
    for text in ("not json\n", '{"date": 1}\n', "[]\n"):
        (tmp_path / "h").write_text(text)
        done = run("size", str(layout), "--history", "h", cwd=tmp_path)
        assert done.returncode == 2
        assert "h:1: is no measurement; a line is one measurement as JSON" in done.stderr
        assert (tmp_path / "h").read_text() == text


def test_the_platform_decides_between_images(tmp_path: Path) -> None:
    blobs = Blobs()
    entries = [
        blobs.image([("COPY a b", layer(size))], platform={"os": "linux", "architecture": name})
        for name, size in (("amd64", 1000), ("arm64", 2000))
    ]
    entries.append(blobs.image([], platform={"os": "unknown", "architecture": "unknown"}))
    write_layout(tmp_path / "many", blobs, blobs.index(*entries))
    small, large = (as_json("many", "--platform", f"linux/{name}", cwd=tmp_path) for name in ("amd64", "arm64"))
    assert (small["digest"], large["digest"]) == (entries[0]["digest"], entries[1]["digest"])
    done = run("size", "many", "--platform", "linux/s390x", cwd=tmp_path)
    assert done.returncode == 2
    assert "there are: linux/amd64, linux/arm64" in done.stderr


@pytest.mark.parametrize("kind", ["manifest", "config", "layer"])
def test_what_is_missing_or_changed_is_told(kind: str, layout: Path) -> None:
    manifest = json.loads((layout / "index.json").read_text())["manifests"][0]
    folder = layout / "blobs" / "sha256"
    content = json.loads((folder / manifest["digest"][7:]).read_text())
    digest = {"manifest": manifest, "config": content["config"], "layer": content["layers"][1]}[kind]["digest"]
    (folder / digest[7:]).write_bytes(b"{}")
    done = run("size", str(layout), cwd=layout)
    assert (done.returncode, digest in done.stderr) == (2, True), done.stderr
    (folder / digest[7:]).unlink()
    done = run("size", str(layout), cwd=layout)
    assert (done.returncode, f"{digest}" in done.stderr, "save it again" in done.stderr) == (2, True, True)


def test_no_digest_leads_out_of_the_layout(layout: Path) -> None:
    (layout.parent / "secret").write_text('{"layers": []}')
    (layout / "index.json").write_text('{"manifests": [{"digest": "sha256:../../../secret"}]}')
    done = run("size", str(layout), cwd=layout)
    assert (done.returncode, "which is no digest" in done.stderr) == (2, True)


def test_what_is_neither_file_nor_image_is_told_with_what_to_do(tmp_path: Path) -> None:
    done = run("size", "no.such/image:1", cwd=tmp_path, DOCKERFIX_ENGINE="buildah", PATH="/nowhere")
    assert done.returncode == 2
    assert "no.such/image:1: is no file, and no image that an engine here has; name a file" in done.stderr
    (tmp_path / "folder").mkdir()
    done = run("size", "folder", cwd=tmp_path)
    assert (done.returncode, "without an image layout or a Dockerfile" in done.stderr) == (2, True)
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "folder", "folder")
    done = run("size", "x.tar", cwd=tmp_path)
    assert (done.returncode, "tar file without an image layout" in done.stderr) == (2, True)


def test_no_text_of_an_image_steers_the_terminal(tmp_path: Path) -> None:
    blobs = Blobs()
    write_layout(tmp_path / "evil", blobs, blobs.image([("RUN \x1b]0;owned\x07 \n a", layer(10))]))
    assert "\x1b" not in run("size", "evil", cwd=tmp_path).stdout


class Registry(ThreadingHTTPServer):
    """The distribution API, with the anonymous tokens of its specification."""

    def __init__(self, blobs: Blobs, tags: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.blobs, self.tags = blobs, tags
        self.asked: list[tuple[str, str | None]] = []
        self.realm = f"http://127.0.0.1:{self.server_port}/token"


class Answer(BaseHTTPRequestHandler):
    server: Registry

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        registry = self.server
        registry.asked.append((self.path, self.headers.get("Authorization")))
        path, _, query = self.path.partition("?")
        if path == "/token":
            assert query == "service=here&scope=repository%3Ashop%3Apull"
            return self.answer(200, b'{"token": "t0ken"}')
        if self.headers.get("Authorization") != "Bearer t0ken":
            challenge = f'Bearer realm="{registry.realm}",service="here",scope="repository:shop:pull"'
            return self.answer(401, b"{}", {"WWW-Authenticate": challenge})
        _, _, name, kind, reference = path.split("/")
        data = registry.blobs.get(registry.tags.get(reference, reference)) if name == "shop" else None
        if data is None:
            return self.answer(404, b"{}")
        if kind == "manifests":
            assert INDEX in self.headers["Accept"]
        elif reference in self.path and not query:
            # As Docker Hub and others do: the content comes from a store.
            return self.answer(307, b"", {"Location": f"{self.path}?store"})
        self.answer(200, data)

    def answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def registry() -> Iterator[Registry]:
    blobs = Blobs()
    image = blobs.image([BASE, ("COPY . .", layer(5000))], platform={"os": "linux", "architecture": "amd64"})
    other = blobs.image([BASE], platform={"os": "linux", "architecture": "arm64"})
    server = Registry(blobs, {"1": blobs.index(image, other)["digest"], "one": image["digest"]})
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_registry_is_asked_for_the_manifest_alone(registry: Registry, tmp_path: Path) -> None:
    name = f"127.0.0.1:{registry.server_port}/shop"
    found = as_json(f"{name}:1", "--online", "--platform", "linux/amd64", cwd=tmp_path)
    assert found["total"] == len(BASE[1]) + len(layer(5000))
    assert [one["made_by"] for one in found["layers"]] == ["ADD file:1 in /", "COPY . ."]
    assert (found["kind"], found["name"]) == ("compressed", f"{name}:1")
    assert found["digest"] == registry.tags["one"]
    # Index, manifest, configuration: no layer is pulled, and one token is enough.
    paths = [path for path, token in registry.asked if token is not None]
    assert [path.split("/")[3] for path in paths] == ["manifests", "manifests", "blobs", "blobs"]
    assert sum(path.startswith("/token") for path, _ in registry.asked) == 1
    by_digest = as_json(f"{name}@{registry.tags['one']}", "--online", cwd=tmp_path)
    assert by_digest["total"] == found["total"]


def test_a_name_that_the_registry_does_not_have(registry: Registry, tmp_path: Path) -> None:
    for name in ("shop:2", "other:1"):
        done = run("size", f"127.0.0.1:{registry.server_port}/{name}", "--online", cwd=tmp_path)
        assert (done.returncode, "for everyone to read (404)" in done.stderr) == (2, True), done.stderr
    done = run("size", "127.0.0.1:9/shop", "--online", cwd=tmp_path)
    assert (done.returncode, "does not answer" in done.stderr) == (2, True)


def test_no_token_is_fetched_in_the_clear_from_another_host(registry: Registry) -> None:
    registry.realm = f"http://localhost:{registry.server_port}/token"
    with pytest.raises(RegistryProblem):
        Distribution(f"http://127.0.0.1:{registry.server_port}").get("shop", "manifests", "1")
    assert not [path for path, _ in registry.asked if path.startswith("/token")]


@pytest.mark.skipif(os.name != "posix", reason="engines of other systems build other images")
def test_an_engine_measures_what_a_dockerfile_builds(tmp_path: Path) -> None:
    try:
        engine = find_engine()
    except EngineProblem as problem:
        pytest.skip(f"real builds are skipped: {problem}")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY a /\nCOPY b /\n")
    for name, size in (("a", 300_000), ("b", 100_000)):
        (tmp_path / name).write_bytes(b"x" * size)
    words = ["Dockerfile", "--history", "sizes", "--max", "1MB"]
    found = as_json(*words, cwd=tmp_path)
    assert found["kind"] == "uncompressed"
    assert found["source"].startswith(engine.name)
    assert 400_000 <= found["total"] < 450_000
    assert [one["made_by"] for one in found["layers"]] == ["COPY a /", "COPY b /"]
    (tmp_path / "b").write_bytes(b"x" * 900_000)
    after = as_json(*words, cwd=tmp_path, status=1)
    (grew,) = after["grew"]
    assert 790_000 < grew["bytes"] < 830_000
    assert grew["made_by"].startswith("COPY b /")
    assert not [name for _, name in engine.leftovers(None) if after["digest"] in name]
