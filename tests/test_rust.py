"""Rust stages: what they become, and what is refused by name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.taken_apart import refusal, stages

MANIFEST = '[package]\nname = "shop"\nversion = "0.1.0"\n'
ALONE = {
    "Cargo.toml": MANIFEST,
    "Cargo.lock": 'version = 3\n[[package]]\nname = "shop"\nversion = "0.1.0"\n',
    "src/main.rs": 'fn main() { let _ = std::net::TcpListener::bind("0.0.0.0:8080"); }\n',
}
NAIVE = """
FROM rust:1.80
WORKDIR /app
COPY . .
RUN cargo build --release
CMD ["./target/release/shop"]
"""


def lock(*crates: str) -> str:
    """``lock("shop: openssl", "openssl: openssl-sys")``"""
    parts = ["version = 3"]
    for crate in crates:
        name, _, needs = crate.partition(": ")
        listed = ", ".join(f'"{need}"' for need in needs.split())
        parts.append(f'[[package]]\nname = "{name}"\nversion = "1.0.0"\ndependencies = [{listed}]')
    return "\n".join(parts) + "\n"


def needing(*crates: str, **files: str) -> dict[str, str]:
    needs = crates[0].partition(": ")[2].split()
    manifest = MANIFEST + "[dependencies]\n" + "".join(f'{need} = "1"\n' for need in needs)
    return {**ALONE, "Cargo.toml": manifest, "Cargo.lock": lock(*crates), **files}


def test_a_program_without_crates_goes_to_the_same_release() -> None:
    builder, runner = stages(NAIVE, ALONE)
    assert builder == NAIVE.strip().rpartition("\n")[0].replace("rust:1.80", "rust:1.80 AS builder")
    assert runner.startswith("FROM debian:bookworm-slim AS runner\nRUN groupadd")
    assert "COPY --from=builder /app/target/release/shop ./target/release/shop\n" in runner


def test_an_image_that_moves_on_is_pinned_to_its_release() -> None:
    builder, runner = stages(NAIVE.replace("1.80", "latest"), ALONE)
    assert builder.startswith("FROM rust:trixie AS builder")
    assert "FROM debian:trixie-slim" in runner


@pytest.mark.parametrize(
    ("crates", "packages"),
    [
        (("shop: reqwest", "reqwest: native-tls", "native-tls: openssl", "openssl: openssl-sys", "openssl-sys: cc"),
         "libssl3 ca-certificates"),
        (("shop: openssl", "openssl: openssl-sys", "openssl-sys: cc openssl-src", "openssl-src: cc", "cc"),
         "ca-certificates"),
        (("shop: diesel", "diesel: pq-sys", "pq-sys"), "libpq5"),
        (("shop: rusqlite", "rusqlite: libsqlite3-sys", "libsqlite3-sys: cc pkg-config", "cc", "pkg-config"), ""),
        (("shop: rusqlite", "rusqlite: libsqlite3-sys", "libsqlite3-sys: pkg-config", "pkg-config"), "libsqlite3-0"),
        (("shop: ureq", "ureq: rustls-native-certs", "rustls-native-certs"), "ca-certificates"),
        (("shop: serde", "serde", "native-tls: openssl-sys", "openssl-sys"), ""),
    ],
)  # fmt: skip
def test_what_the_lockfile_links_is_installed(crates: tuple[str, ...], packages: str) -> None:
    _, runner = stages(NAIVE, needing(*crates))
    assert (f"--no-install-recommends {packages} \\" in runner) if packages else ("apt-get" not in runner)


def test_without_a_lockfile_it_may_be_linked_with_all_that_the_image_has_headers_of() -> None:
    files = needing("shop: serde")
    del files["Cargo.lock"]
    _, runner = stages(NAIVE, files)
    installed = set(runner.partition("--no-install-recommends")[2].partition("&&")[0].split())
    assert {"libssl3", "libpq5", "libsqlite3-0", "libglib2.0-0", "ca-certificates"} <= installed
    assert "--no-install-recommends ca-certificates \\" in stages(NAIVE.replace("1.80", "1.80-slim"), files)[1]
    other = NAIVE.replace("COPY", "ENV RUSTFLAGS='-C rpath'\nCOPY", 1)
    assert "it is told where to look for them" in refusal(other, files)
    linked = {**files, "build.rs": 'fn main() { println!("cargo:rustc-link-lib=odd"); }'}
    assert "build.rs links a library by name" in refusal(NAIVE, linked)
    kept = {**files, "Cargo.toml": files["Cargo.toml"] + 'sqlx = { version = "0.8", features = ["sqlite"] }\n'}
    assert "USER" not in stages(NAIVE, kept)[1]


def test_dependencies_are_built_in_a_layer_of_their_own() -> None:
    builder, _ = stages(NAIVE, needing("shop: serde", "serde"))
    assert builder.endswith(
        """\
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src \\
    && echo "fn main() {}" > src/main.rs \\
    && cargo build --release \\
    && cargo clean -p shop --release
COPY . .
RUN cargo build --release"""
    )


def test_cargo_install_is_found_where_the_runner_looks() -> None:
    text = NAIVE.replace("cargo build --release", "cargo install --path .").replace("./target/release/shop", "shop")
    _, runner = stages(text, ALONE)
    assert "COPY --from=builder /usr/local/cargo/bin/shop /usr/local/bin/shop" in runner


WORKSPACE = {
    "Cargo.toml": '[workspace]\nmembers = ["crates/*"]\n',
    "Cargo.lock": lock("shop: serde prices", "prices", "serde"),
    "crates/shop/Cargo.toml": MANIFEST + '[dependencies]\nserde = "1"\nprices = {path = "../prices"}\n',
    "crates/shop/src/main.rs": "fn main() {}",
    "crates/shop/src/bin/tool.rs": "fn main() { }",
    "crates/prices/Cargo.toml": '[package]\nname = "prices"\n',
    "crates/prices/src/lib.rs": "",
}


def test_a_workspace_with_several_programs() -> None:
    builder, runner = stages(NAIVE.replace("--release\n", "--release -p shop\n"), WORKSPACE)
    assert "COPY crates/shop/Cargo.toml crates/shop/\nCOPY crates/prices/Cargo.toml crates/prices/" in builder or (
        "COPY crates/prices/Cargo.toml crates/prices/\nCOPY crates/shop/Cargo.toml crates/shop/" in builder
    )
    assert "tee crates/shop/src/main.rs crates/shop/src/bin/tool.rs > /dev/null" in builder
    assert "tool" not in runner


@pytest.mark.parametrize(("image", "target"), [("rust:1.80-alpine", ""), ("rust:1.80", "x86_64-unknown-linux-musl")])
def test_musl_needs_no_distribution(image: str, target: str) -> None:
    text = NAIVE.replace("rust:1.80", image)
    if target:
        text = text.replace("--release\n", f"--release --target {target}\n").replace("target/", f"target/{target}/")
    _, runner = stages(text, ALONE)
    assert "FROM gcr.io/distroless/static-debian12:nonroot AS runner" in runner
    assert "USER 65532:65532" in runner
    _, bare = stages(text, ALONE, "scratch")
    assert "FROM scratch AS runner" in bare


def test_a_health_check_needs_a_shell() -> None:
    text = NAIVE.replace("rust:1.80", "rust:1.80-alpine").replace(
        "CMD", "HEALTHCHECK CMD wget -qO- localhost:8080\nCMD"
    )
    _, runner = stages(text, ALONE)
    assert "FROM alpine:3 AS runner" in runner


def test_variables_of_the_build_stay_there() -> None:
    text = NAIVE.replace("COPY", 'ENV RUSTFLAGS="-C target-cpu=native"\nENV RUST_LOG=info\nCOPY')
    builder, runner = stages(text, ALONE)
    assert "RUSTFLAGS" in builder
    assert "RUSTFLAGS" not in runner
    assert "ENV RUST_LOG=info" in runner


def test_cargo_run_is_built_once() -> None:
    builder, runner = stages(
        NAIVE.replace("RUN cargo build --release\n", "").replace(
            '"./target/release/shop"', '"cargo", "run", "--release", "--", "--port", "1"'
        ),
        ALONE,
    )
    assert builder.endswith("RUN cargo build --release")
    assert runner.endswith('CMD ["./target/release/shop", "--port", "1"]\n')


def test_what_a_run_makes_already_is_not_built_again() -> None:
    """With the same options alone, and of all sources."""
    text = NAIVE.replace('"./target/release/shop"', '"cargo", "run", "--release"')
    builder, _ = stages(text, ALONE)
    assert builder.count("cargo build") == 1
    builder, _ = stages(text.replace("--release\n", "--release --features tls\n"), ALONE)
    assert builder.endswith("RUN cargo build --release")
    builder, _ = stages(text.replace("CMD", "COPY src src\nCMD"), ALONE)
    assert builder.endswith("RUN cargo build --release")


def test_cargo_run_with_options_is_built_once() -> None:
    """The value of an option is no word for the program."""
    text = NAIVE.replace("RUN cargo build --release\n", "").replace(
        '"./target/release/shop"', '"cargo", "run", "--release", "--bin", "shop", "--features", "tls"'
    )
    builder, runner = stages(text, WORKSPACE)
    assert builder.endswith("RUN cargo build --release --bin shop --features tls")
    assert runner.endswith('CMD ["./target/release/shop"]\n')


RUN_ONCE = NAIVE.replace("RUN cargo build --release\n", "").replace('"./target/release/shop"', '"cargo", "run"')


@pytest.mark.parametrize(
    ("text", "files", "program"),
    [
        (RUN_ONCE, ALONE, "./target/debug/shop"),
        (RUN_ONCE.replace("COPY", "ENV CARGO_TARGET_DIR=/out\nCOPY"), ALONE, "../out/debug/shop"),
        (RUN_ONCE.replace('"run"', '"run", "--profile", "dev"'), ALONE, "./target/debug/shop"),
        (RUN_ONCE.replace('"run"', '"run", "-p", "shop"'),
         {**WORKSPACE, "crates/shop/Cargo.toml": MANIFEST + 'default-run = "tool"\n'}, "./target/debug/tool"),
        (RUN_ONCE.replace('"run"', '"run", "-p", "shop"'), WORKSPACE, None),
        (RUN_ONCE.replace('"run"', '"run", "--example", "demo"'), ALONE, None),
        (RUN_ONCE.replace('"run"', '"run", "--port", "1", "80"'), ALONE, None),
    ],
)  # fmt: skip
def test_cargo_run_starts_what_a_build_makes(text: str, files: Mapping[str, str], program: str | None) -> None:
    if program is None:
        assert "compiles at every start" in refusal(text, files, codemod="build-before-start")
    else:
        assert f'CMD ["{program}"]' in stages(text, files)[1]


def test_a_key_ring_is_no_reason_to_copy_the_system() -> None:
    key = "RUN gpg --batch --recv-keys ABCDEF\nCOPY"
    _, runner = stages(NAIVE.replace("COPY", key, 1), ALONE)
    assert runner.count("COPY --from") == 1
    tool = "RUN curl -fsSL -o /opt/tool/bin https://example.org/tool && mkdir /data\nCOPY"
    _, runner = stages(NAIVE.replace("COPY", tool, 1), ALONE)
    assert "COPY --from=builder /opt/tool/bin /opt/tool/bin" in runner


def main(body: str) -> dict[str, str]:
    return {**ALONE, "src/main.rs": f"fn main() {{ {body} }}\n", "data/a.json": "{}", "pages/b.html": ""}


def test_files_that_it_opens_come_along() -> None:
    _, runner = stages(NAIVE, main('std::fs::read("data/a.json");'))
    assert "/app/data/a.json ./data/a.json" in runner
    assert "pages" not in runner


@pytest.mark.parametrize("path", ["path", 'env::var("DATA").unwrap()', 'config.get_string("place")'])
def test_a_path_that_only_the_running_program_knows_keeps_all_data(path: str) -> None:
    _, runner = stages(NAIVE, main(f"std::fs::read({path});"))
    assert "/app/data/a.json" in runner
    assert "/app/pages/b.html" in runner
    assert ".rs" not in runner


def test_a_folder_that_it_writes_to_becomes_its_users() -> None:
    _, runner = stages(NAIVE, main('std::fs::create_dir_all("logs"); std::fs::write("logs/a.txt", "x");'))
    assert "mkdir -p /app/logs \\\n    && chown app:app /app/logs" in runner


@pytest.mark.parametrize(
    ("code", "folder"),
    [
        ('std::fs::OpenOptions::new().create(true).append(true).open("logs/a.txt");', "/app/logs"),
        ('OpenOptions::new().write(true).create(!old.exists()).open(Path::new("logs/a.txt"));', "/app/logs"),
        ('let mut how = OpenOptions::new(); how.read(true).write(true); how.open("logs/a.txt");', "/app/logs"),
        ("OpenOptions::new().append(true).open(&path);", None),
        ('OpenOptions::new().read(true).open("logs/a.txt");', ""),
    ],
)
def test_a_file_that_is_opened_to_write_it(code: str, folder: str | None) -> None:
    _, runner = stages(NAIVE, main(code))
    assert ("USER 10001" in runner) is (folder is not None)
    assert f"chown app:app {folder}\n" in runner if folder else "chown" not in runner


def test_names_that_the_shell_takes_apart_are_quoted() -> None:
    manifest = MANIFEST + '[[bin]]\nname = "shop"\npath = "src/the shop.rs"\n[dependencies]\nserde = "1"\n'
    files = {**needing("shop: serde", "serde"), "Cargo.toml": manifest, "src/the shop.rs": "fn main() {}"}
    del files["src/main.rs"]
    assert """&& echo "fn main() {}" > 'src/the shop.rs' \\\n""" in stages(NAIVE, files)[0]


def test_a_locked_install_goes_on_from_a_build_of_the_dependencies() -> None:
    text = NAIVE.replace(
        "cargo build --release", 'cargo install --path . --locked --features "tls http" --no-default-features'
    )
    builder, _ = stages(text.replace("./target/release/shop", "shop"), needing("shop: serde", "serde"))
    assert '&& cargo build --release --locked --features "tls http" --no-default-features \\\n' in builder
    assert "&& cargo clean -p shop --release\nCOPY . ." in builder


@pytest.mark.parametrize(
    ("text", "files", "because"),
    [
        (NAIVE, main("Command::new(tool).spawn();"), "may start a program whose name is only known when it runs"),
        (NAIVE, needing("shop: odd", "odd: odd-sys", "odd-sys"), "whether odd-sys links libraries"),
        (NAIVE, {**needing("shop: serde"), "Cargo.lock": "("}, "which libraries the program is linked with"),
        (NAIVE.replace("release/shop", "debug/shop"), ALONE, "./target/debug/shop"),
        (NAIVE.replace("RUN cargo", "RUN make && cargo"), ALONE, "neither a makefile nor the CMakeLists.txt"),
        (NAIVE.replace("COPY", "RUN dpkg -i a.deb\nCOPY"), ALONE, "installs a package from a file"),
        (NAIVE.replace('"./target/release/shop"', '"cargo", "watch"'), ALONE, "no Rust program"),
    ],
)
def test_refusals(text: str, files: Mapping[str, str], because: str) -> None:
    assert because in refusal(text, files)


MADE_FIRST = """
FROM rust:1.80
RUN cargo new --bin shop
WORKDIR /shop
COPY Cargo.toml Cargo.lock ./
RUN cargo build --release && rm src/*.rs
COPY src src
RUN touch src/main.rs && cargo build --release
CMD ["./target/release/shop"]
"""
COOKED = "RUN cargo install cargo-chef && cargo chef prepare && cargo chef cook --recipe-path recipe.json\nRUN cargo"


@pytest.mark.parametrize(
    ("text", "files", "program"),
    [
        (NAIVE.replace("cargo build --release", "rustc -O src/main.rs").replace("target/release/shop", "main"), ALONE,
         "/app/main"),
        (MADE_FIRST, ALONE, "/shop/target/release/shop"),
        (NAIVE.replace("RUN cargo", COOKED), ALONE, "/app/target/release/shop"),
    ],
)  # fmt: skip
def test_other_ways_to_build_a_program(text: str, files: Mapping[str, str], program: str) -> None:
    _, runner = stages(text, files)
    assert f"COPY --from=builder {program} " in runner
    assert runner.count("COPY") == 1


@pytest.mark.parametrize("wish", ["alpine", "scratch", "distroless"])
def test_a_program_that_needs_glibc_stays_with_it(wish: str) -> None:
    assert "is linked with" in refusal(NAIVE, ALONE, wish)


COMPOSE = "services:\n  shop:\n    build: .\n    command: ./target/release/shop --port 8080\n"


def test_an_image_without_a_start_is_started_by_those_who_deploy_it() -> None:
    text = NAIVE.replace('CMD ["./target/release/shop"]\n', "")
    _, runner = stages(text, {**ALONE, "compose.yaml": COMPOSE})
    assert "COPY --from=builder /app/target/release/shop ./target/release/shop\n" in runner
    assert "CMD" not in runner
    assert "no CMD or ENTRYPOINT" in refusal(text, ALONE)
    other = COMPOSE.replace("./target/release/shop", "cargo test")
    assert "cargo" in refusal(text, {**ALONE, "compose.yaml": other})
