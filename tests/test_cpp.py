"""C and C++ stages: what they become, and what is refused by name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.taken_apart import refusal, run, stages

LINE = """
FROM debian:bookworm
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY . .
RUN g++ -O2 main.cpp -o main
EXPOSE 8080
CMD ["./main"]
"""
FILES = {"main.cpp": "int main() { }\n"}
MAKE = LINE.replace("g++ -O2 main.cpp -o main", "make")
MAKEFILE = """CC = gcc
CFLAGS += -O2
LDLIBS = -lm
OBJS = main.o util.o

main: $(OBJS)
\t$(CC) -o $@ $^ $(LDLIBS)

%.o: %.c
\t@$(CC) $(CFLAGS) -c -o $@ $<

clean:
\trm -f main $(OBJS)

install: main
\tinstall -D main $(PREFIX)/bin/main

.PHONY: clean install
"""
MADE = {"main.c": "int main() { }\n", "util.c": "", "Makefile": MAKEFILE}
CMAKE = LINE.replace("g++ -O2 main.cpp -o main", "cmake -S . -B build && cmake --build build").replace(
    "./main", "build/main"
)
LISTS = "cmake_minimum_required(VERSION 3.20)\nproject(shop CXX)\nadd_executable(main main.cpp)\n"
LISTED = {**FILES, "CMakeLists.txt": LISTS}

AUTO = LINE.replace("g++ -O2 main.cpp -o main", "autoreconf -fi && ./configure && make").replace("./main", "src/main")
AUTOMADE = {
    "configure.ac": "AC_INIT([shop], [1])\nAC_CHECK_LIB([z], [inflate])\nPKG_CHECK_MODULES([EV], [libevent >= 2.0])\n",
    "Makefile.am": "SUBDIRS = src\n",
    "src/Makefile.am": "bin_PROGRAMS = main\nmain_SOURCES = main.c\nmain_LDADD = -lm\n",
    "src/main.c": "int main() { }",
}


def test_a_program_of_one_line_goes_to_the_same_release() -> None:
    builder, runner = stages(LINE, FILES)
    assert builder.endswith("COPY . .\nRUN g++ -O2 main.cpp -o main")
    assert (
        runner
        == """FROM debian:bookworm-slim AS runner
RUN groupadd -r -g 10001 app \\
    && useradd --no-log-init -r -u 10001 -g app app
WORKDIR /app
COPY --from=builder /app/main ./main
EXPOSE 8080
USER 10001:10001
CMD ["./main"]
"""
    )


@pytest.mark.parametrize(
    ("text", "files", "path"),
    [
        (MAKE, MADE, "/app/main ./main"),
        (MAKE.replace("make\n", "make main\n"), MADE, "/app/main ./main"),
        (MAKE.replace("make\n", "make install PREFIX=/usr/local\n").replace("./main", "main"), MADE,
         "/usr/local/bin/main /usr/local/bin/main"),
        (CMAKE, LISTED, "/app/build/main ./build/main"),
        (CMAKE.replace("cmake -S . -B build && cmake --build build", "mkdir build && cd build && cmake .. && make"),
         LISTED, "/app/build/main ./build/main"),
        (CMAKE.replace("build/main", "/usr/local/bin/main").replace("--build build", "--build build --target install"),
         {**LISTED, "CMakeLists.txt": LISTS + "install(TARGETS main DESTINATION bin)\n"},
         "/usr/local/bin/main /usr/local/bin/main"),
        (CMAKE.replace("build/main", "build/bin/main"),
         {**LISTED, "CMakeLists.txt": LISTS + "set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)\n"},
         "/app/build/bin/main ./build/bin/main"),
        (CMAKE.replace("build/main", "build/src/main"),
         {"CMakeLists.txt": "project(shop)\nadd_subdirectory(src)\n", "src/main.cpp": "int main() { }",
          "src/CMakeLists.txt": "add_executable(main main.cpp)\n"}, "/app/build/src/main ./build/src/main"),
        (AUTO, AUTOMADE, "/app/src/main ./src/main"),
        (CMAKE.replace("COPY . .", "COPY CMakeLists.txt main.cpp ./"), LISTED, "/app/build/main ./build/main"),
        (AUTO.replace("&& make", "--prefix=/opt/shop && make install").replace("src/main", "/opt/shop/bin/main"),
         AUTOMADE, "/opt/shop/bin/main /opt/shop/bin/main"),
        (LINE.replace("main.cpp -o main", "-c main.cpp -o main.o && g++ main.o -o main"), FILES, "/app/main ./main"),
    ],
)  # fmt: skip
def test_the_program_comes_from_where_it_is_built(text: str, files: Mapping[str, str], path: str) -> None:
    _, runner = stages(text, files)
    assert f"COPY --from=builder {path}\n" in runner
    assert "FROM debian:bookworm-slim" in runner


def linking(flags: str) -> str:
    return LINE.replace("-o main", f"-o main {flags}")


@pytest.mark.parametrize(
    ("text", "files", "packages"),
    [
        (linking("-lcurl -lpthread -lm"), FILES, "libcurl4"),
        (linking("$(pkg-config --libs sqlite3)"), FILES, "libsqlite3-0"),
        (linking("-fopenmp"), FILES, "libgomp1"),
        (MAKE, {**MADE, "Makefile": MAKEFILE.replace("-lm", "-lssl -lcrypto -lz")}, "libssl3"),
        (AUTO, AUTOMADE, "zlib1g libevent-2.1-7 libevent-core-2.1-7"),
        (CMAKE, {**LISTED, "CMakeLists.txt": LISTS + "find_package(PostgreSQL REQUIRED)\n"}, "libpq5"),
        (linking("-latomic"), FILES, "libatomic1"),
        (MAKE, {**MADE, "Makefile": MAKEFILE + "include my.mk\n", "my.mk": "LDLIBS += -lpq\n"}, "libpq5"),
        (CMAKE, {**LISTED, "CMakeLists.txt": LISTS + "set(MINE curl)\ntarget_link_libraries(main ${MINE} m)\n"},
         "libcurl4"),
        (CMAKE, {**LISTED, "CMakeLists.txt": LISTS + "pkg_check_modules(UV REQUIRED libevent)\n"}, "libevent-2.1-7"),
    ],
)  # fmt: skip
def test_libraries_that_are_named_are_installed(text: str, files: Mapping[str, str], packages: str) -> None:
    _, runner = stages(text, files)
    assert set(packages.split()) <= set(runner.partition("WORKDIR")[0].split())


def test_a_static_program_needs_no_distribution() -> None:
    _, runner = stages(linking("-static"), FILES)
    assert runner.startswith("FROM gcr.io/distroless/static-debian12:nonroot AS runner\n")
    assert stages(linking("-static"), FILES, "scratch")[1].startswith("FROM scratch AS runner\n")


def test_names_of_hosts_need_the_c_library_even_there() -> None:
    _, runner = stages(linking("-static"), {"main.cpp": "int main() { getaddrinfo(a, b, c, d); }"})
    assert runner.startswith("FROM debian:bookworm-slim AS runner\n")


def test_the_image_of_gcc_has_a_newer_cpp_library() -> None:
    text = LINE.replace("debian:bookworm", "gcc:13").replace(LINE.splitlines()[2] + "\n", "")
    assert "needs the C++ library of gcc:13" in refusal(text, FILES)
    assert "FROM debian:" in stages(text.replace("-O2", "-static-libstdc++ -static-libgcc"), FILES)[1]
    assert "FROM debian:" in stages(text.replace("g++ -O2 main.cpp", "gcc main.c"), {"main.c": "int main() { }"})[1]


def test_on_alpine_the_cpp_library_is_a_package() -> None:
    text = LINE.replace("debian:bookworm", "alpine:3.20").replace(LINE.splitlines()[2], "RUN apk add --no-cache g++")
    _, runner = stages(text, FILES)
    assert "FROM alpine:3.20 AS runner\nRUN apk add --no-cache libstdc++\n" in runner


def main(body: str) -> dict[str, str]:
    return {"main.cpp": f"int main() {{ {body} }}\n", "data/a.json": "{}", "pages/b.html": ""}


def test_files_that_it_opens_come_along() -> None:
    _, runner = stages(LINE, main('std::ifstream in("data/a.json");'))
    assert "/app/data/a.json ./data/a.json" in runner
    assert "pages" not in runner


def test_a_stream_that_is_opened_later_counts() -> None:
    _, runner = stages(LINE, main("std::ifstream in; in.open(path);"))
    assert "pages/b.html" in runner
    assert "USER" not in stages(LINE, main("std::ofstream out; out.open(path);"))[1]


def test_a_folder_that_it_writes_to_becomes_its_users() -> None:
    _, runner = stages(LINE, main('mkdir("logs", 0755); std::ofstream out("logs/a.txt");'))
    assert "chown app:app /app/logs" in runner


@pytest.mark.parametrize(
    ("text", "files", "because"),
    [
        (linking("-lweird"), FILES, "links weird, whose run-time package is not known"),
        (CMAKE, {**LISTED, "CMakeLists.txt": LISTS + "target_link_libraries(main ${MINE})\n"}, "links ${MINE}, whose"),
        (CMAKE, {**LISTED, "CMakeLists.txt": LISTS + "find_library(A odd)\n"}, "links odd, whose"),
        (MAKE, {**MADE, "Makefile": MAKEFILE + "include my.mk\n"}, "links my.mk, whose"),
        (LINE, main("std::ifstream in{path};"), "opens a file whose name only the running program knows"),
        (LINE, main('dlopen("x.so", 1);'), "loads libraries while it runs"),
        (LINE, main("system(command);"), "may start a program whose name is only known when it runs"),
        (CMAKE, {**LISTED, "CMakeLists.txt": LISTS + "FetchContent_Declare(x)"}, "libraries of its own (FetchContent"),
        (CMAKE, {**LISTED, "CMakeLists.txt": LISTS + "add_library(a SHARED a.cpp)"}, "of its own (add_library"),
        (CMAKE.replace("cmake -S . -B build && ", ""), LISTED, "neither a makefile nor the CMakeLists.txt"),
        (MAKE, {**MADE, "Makefile": "main: main.c\n\tbash gen.sh && cc main.c -o main\n"}, "a recipe of Makefile:"),
        (MAKE, {**MADE, "Makefile": "all:\n\t$(MAKE) -C lib\n"}, "a recipe of Makefile:"),
        (MAKE.replace("make\n", "make other\n"), MADE, "Makefile has no rule for other"),
        (AUTO, {**AUTOMADE, "src/Makefile.am": "lib_LTLIBRARIES = a.la\nbin_PROGRAMS = main\n"},
         "libraries of its own (lib_LTLIBRARIES)"),
        (AUTO.replace("&& make", "&& make install"), {**AUTOMADE, "Makefile.am": "SUBDIRS = src\npkgdata_DATA = a\n"},
         "installs more than programs (pkgdata_DATA"),
        (LINE.replace("-o main", "-o shop"), FILES, "./main"),
        (LINE.replace('"./main"', '"make", "run"'), FILES, "which builds at every start"),
    ],
)  # fmt: skip
def test_refusals(text: str, files: Mapping[str, str], because: str) -> None:
    assert because in refusal(text, files)


def test_parts_in_c_of_another_language_are_left_to_it() -> None:
    text = 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN make\nCMD ["python", "app.py"]\n'
    refused = run(text, {"app.py": "", "Makefile": "all:\n\techo\n"}).refused
    assert not any("C or C++" in one.because for one in refused)


def test_downloaded_sources_are_said_to_be_the_reason() -> None:
    text = """
    FROM debian:12
    RUN apt-get update && apt-get install -y g++ cmake make wget
    WORKDIR /src
    RUN wget -q https://example.org/lib-1.0.tar.gz && tar xf lib-1.0.tar.gz
    RUN cd lib-1.0 && cmake . && make install
    COPY . .
    RUN g++ -o /main main.cc
    CMD ["/main"]
    """
    assert "line 4 downloads sources" in refusal(text.replace("\n    ", "\n"), {"main.cc": "int main() { }\n"})
