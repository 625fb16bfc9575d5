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


def with_packages(text: str, packages: str) -> str:
    return text.replace("g++ &&", f"g++ {packages} &&")


ON_GCC = LINE.replace("debian:bookworm", "gcc:13-bookworm").replace("RUN g++ -O2 main.cpp", "RUN gcc main.c")
ON_GCC = ON_GCC.replace(LINE.splitlines()[2] + "\n", "")
OF_GCC = {"main.c": "int main() { }\n"}


@pytest.mark.parametrize(
    ("text", "files", "packages"),
    [
        (with_packages(LINE, "libcurl4-openssl-dev libodd-dev"), FILES, "libcurl4 libodd-dev"),
        (with_packages(CMAKE, "libpq-dev"), {**LISTED, "CMakeLists.txt": LISTS + "find_package(PostgreSQL)\n"},
         "libpq5"),
        (linking("-fopenmp"), FILES, "libgomp1"),
        (linking("-latomic"), FILES, "libatomic1"),
        (ON_GCC.replace("-o main", "-o main -lcurl -lpthread -lm"), OF_GCC, "libcurl4"),
        (ON_GCC.replace("-o main", "-o main $(pkg-config --libs sqlite3)"), OF_GCC, "libsqlite3-0"),
        (ON_GCC.replace("gcc main.c -o main", "make"),
         {**MADE, "Makefile": MAKEFILE.replace("-lm", "-lssl -lcrypto -lz")}, "libssl3"),
        (ON_GCC.replace("gcc main.c -o main", "make"),
         {**MADE, "Makefile": MAKEFILE + "include my.mk\n", "my.mk": "LDLIBS += -lpq\n"}, "libpq5"),
        # What is not known by name may be anything that the image has.
        (ON_GCC.replace("-o main", "-o main -lweird"), OF_GCC, "libcurl4 libpq5 libxml2 libmagickwand-6.q16-6"),
        (AUTO.replace("debian:bookworm", "buildpack-deps:bookworm"), AUTOMADE, "libevent-2.1-7 zlib1g libssl3"),
    ],
)  # fmt: skip
def test_the_libraries_of_packages_and_of_the_image_are_installed(
    text: str, files: Mapping[str, str], packages: str
) -> None:
    runner = run(text, files).after.decode().rpartition("\nFROM ")[2]
    assert runner.startswith("debian:bookworm-slim AS runner\n")
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
        (ON_GCC.replace("13-bookworm", "6.4.0").replace("-o main", "-o main -lodd"), OF_GCC, "links odd, and of which"),
        (LINE, main("std::ifstream in{path};"), "opens a file whose name only the running program knows"),
        (LINE, main('dlopen("x.so", 1);'), "loads libraries while it runs"),
        (LINE, main("system(command);"), "may start a program whose name is only known when it runs"),
        (CMAKE.replace("-B build && cmake --build build", "-B . && cmake --build .").replace("build/main", "./main"),
         {**LISTED, "CMakeLists.txt": LISTS + "FetchContent_Declare(x)"}, "or brings libraries of its own, and which"),
        (CMAKE.replace("build/main", "/usr/local/bin/main").replace("--build build", "--build build --target install"),
         {**LISTED, "CMakeLists.txt": LISTS + "install(TARGETS main)\ninstall(FILES a.conf DESTINATION /etc/shop)\n"},
         "where its installation puts files is not known (DESTINATION /etc/shop)"),
        (CMAKE.replace("cmake -S . -B build && ", ""), LISTED, "neither a makefile nor the CMakeLists.txt"),
        (MAKE, {**MADE, "Makefile": "main: main.c\n\tbash gen.sh && cc main.c -o main\n"}, "a recipe of Makefile:"),
        (MAKE, {**MADE, "Makefile": "all:\n\t$(MAKE) -C lib\n"}, "a recipe of Makefile:"),
        (MAKE.replace("make\n", "make other\n"), MADE, "Makefile has no rule for other"),
        (AUTO, {**AUTOMADE, "src/Makefile.am": "lib_LTLIBRARIES = a.la\nbin_PROGRAMS = main\n"},
         "builds or brings libraries of its own, and"),
        (AUTO.replace("&& make", "&& make install"),
         {**AUTOMADE, "Makefile.am": "SUBDIRS = src\npkgdata_DATA = a\ninstall-data-hook:\n\tldconfig\n"},
         "where its installation puts files is not known (install-data-hook:)"),
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


FROM_SOURCE = """
FROM debian:bookworm
RUN apt-get update && apt-get install -y g++ cmake make wget libssl-dev
WORKDIR /src
RUN wget -q https://example.org/lib-1.0.tar.gz && tar xf lib-1.0.tar.gz
RUN cd lib-1.0 && ./configure && make && make install && ldconfig
WORKDIR /app
COPY . .
RUN g++ -o main main.cpp -llib
CMD ["./main"]
"""
BUILT = "./configure && make && make install"
CLONED = FROM_SOURCE.replace("wget -q https://example.org/lib-1.0.tar.gz && tar xf lib-1.0.tar.gz",
                             "git clone --depth 1 https://example.org/lib.git lib-1.0")  # fmt: skip
WITH_DATA = {**FILES, "shop.conf": "a\n", "README.md": ""}


def test_what_an_installation_of_other_sources_puts_somewhere_comes_along_as_a_whole() -> None:
    builder, runner = stages(FROM_SOURCE, WITH_DATA)
    assert builder.endswith("RUN g++ -o main main.cpp -llib")
    assert (
        runner
        == """FROM debian:bookworm-slim AS runner
RUN apt-get update \\
    && apt-get install -y --no-install-recommends libssl3 libgomp1 libatomic1 \\
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=builder /usr/local /usr/local
RUN ldconfig
COPY --from=builder /app/shop.conf ./shop.conf
COPY --from=builder /app/main ./main
CMD ["./main"]
"""
    )


def prefixed(option: str, text: str = FROM_SOURCE) -> str:
    return text.replace("./configure", f"./configure {option}")


CMAKED = FROM_SOURCE.replace(BUILT, "cmake -S . -B b -DX=1 && cmake --build b && @")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (CLONED, "/usr/local"),
        (prefixed("--prefix=/opt/lib"), "/opt/lib"),
        (prefixed("--prefix /opt/lib --libdir=/opt/lib/lib"), "/opt/lib"),
        (prefixed("", CLONED).replace("make install", "make DESTDIR=/opt/root install"), "/opt/root"),
        (CMAKED.replace("@", "cmake --install b"), "/usr/local"),
        (CMAKED.replace("@", "cmake --install b --prefix /opt/lib"), "/opt/lib"),
        (CMAKED.replace("-DX=1", "-DCMAKE_INSTALL_PREFIX:PATH=/opt/lib").replace("@", "make -C b install"), "/opt/lib"),
        (FROM_SOURCE.replace(BUILT, "make && make install PREFIX=/opt/lib"), "/opt/lib"),
        # Nothing installs it: the program may load libraries where they were built.
        (FROM_SOURCE.replace(" && make install && ldconfig", ""), "/src/lib-1.0"),
        (FROM_SOURCE.replace("make install && ldconfig", "cp -r out/lib out/share /usr/local/"), "/usr/local/lib"),
    ],
)  # fmt: skip
def test_where_other_sources_are_installed(text: str, place: str) -> None:
    _, runner = stages(text, FILES)
    assert f"COPY --from=builder {place} {place}\n" in runner
    assert "lib-1.0.tar.gz" not in runner
    assert ("RUN ldconfig\n" in runner) == ("ldconfig" in text or "/usr/local" in place)


@pytest.mark.parametrize(
    ("step", "place"),
    [
        ("ADD lib.tar.gz /usr/local/", "/usr/local"),
        ("ADD lib.tar.gz /opt/", "/opt"),
        ("ADD lib.tar.gz /src/\nRUN cd /src/lib && ./configure --prefix=/opt/lib && make install", "/opt/lib"),
        ("RUN wget -qO- https://example.org/lib.tgz | tar xz -C /opt", "/opt"),
        ("RUN wget -qO- https://example.org/lib.tgz | tar xz -C /opt && cd /opt/lib && cmake . && make install",
         "/usr/local"),
    ],
)  # fmt: skip
def test_libraries_that_come_as_archives(step: str, place: str) -> None:
    _, runner = stages(LINE.replace("COPY . .", f"{step}\nCOPY main.cpp ."), {**FILES, "lib.tar.gz": ""})
    copied = [line for line in runner.splitlines() if line.startswith("COPY")]
    assert copied == [f"COPY --from=builder {place} {place}", "COPY --from=builder /app/main ./main"]


def test_a_library_in_a_folder_of_other_sources_that_is_linked_in_stays() -> None:
    text = FROM_SOURCE.replace(" && make install && ldconfig", "").replace("-llib", "-I/src/lib-1.0 /src/lib-1.0/a.a")
    assert "lib-1.0" not in stages(text, FILES)[1]
    assert "/src/lib-1.0 /src/lib-1.0\n" in stages(text.replace("/a.a", "/a.a -L/src/lib-1.0"), FILES)[1]


def test_a_program_of_other_sources_is_started() -> None:
    text = FROM_SOURCE.replace("COPY . .\nRUN g++ -o main main.cpp -llib\n", "").replace("./main", "server")
    _, runner = stages(text, FILES)
    assert "COPY --from=builder /usr/local /usr/local\nRUN ldconfig\n" in runner
    said = [one.because for one in run(text, FILES).refused if one.codemod == "run-as-user"]
    assert "line 4 brings the sources of server, which are not in the build context" in said


def test_a_generator_that_other_sources_bring_makes_what_its_rule_says() -> None:
    made = {**FILES, "Makefile": "main: page.cpp main.cpp\n\tg++ -o main main.cpp page.cpp\n\n"
            "page.cpp: page.tmpl\n\t/opt/lib/bin/compile page.tmpl > page.cpp\n"}  # fmt: skip
    text = prefixed("--prefix=/opt/lib").replace("g++ -o main main.cpp -llib", "make")
    assert "COPY --from=builder /opt/lib /opt/lib\n" in stages(text, made)[1]
    assert "a recipe of Makefile" in refusal(text.replace("/opt/lib", "/opt/other"), made)


def test_data_that_cmake_copies_beside_the_program_comes_along() -> None:
    listed = LISTS + (
        "add_custom_command(TARGET main POST_BUILD COMMAND ${CMAKE_COMMAND} -E copy_if_different"
        " ${CMAKE_SOURCE_DIR}/*.conf $<TARGET_FILE_DIR:main>)\n"
    )
    text = FROM_SOURCE.replace("g++ -o main main.cpp -llib", "cmake -S . -B build && cmake --build build")
    text = text.replace('CMD ["./main"]', "WORKDIR /app/build\nCMD ./main shop.conf")
    _, runner = stages(text, {**WITH_DATA, "CMakeLists.txt": listed})
    assert "COPY --from=builder /app/build/shop.conf ./shop.conf\n" in runner


@pytest.mark.parametrize(
    ("text", "files", "because"),
    [
        (FROM_SOURCE.replace("./configure && ", ""), FILES, "where a makefile of others installs to is not known"),
        (prefixed("--prefix=/usr"), FILES, "it installs to /usr, among the files of the system"),
        (prefixed("--sysconfdir=/etc"), FILES, "--sysconfdir=/etc puts files beside /usr/local"),
        (FROM_SOURCE.replace("debian:bookworm", "gcc:13-bookworm"), FILES, "where gcc:13-bookworm has files of"),
        (FROM_SOURCE.replace("&& ldconfig", "&& ./tools/extra"), FILES, "what ./tools/extra reads and"),
        (FROM_SOURCE.replace("make install && ldconfig", "cp -r out/lib /usr/"), FILES, "of the system (/usr/lib)"),
        (FROM_SOURCE.replace(" && make install && ldconfig", "").replace("cd lib-1.0", "cd /app")
         .replace("tar xf", "tar --strip-components=1 -C /app -xf"), FILES, "which of them it reads is not known"),
    ],
)  # fmt: skip
def test_other_sources_that_are_refused(text: str, files: Mapping[str, str], because: str) -> None:
    assert because in refusal(text, files)


def test_who_writes_where_is_not_known_of_other_sources() -> None:
    runner = stages(FROM_SOURCE, FILES)[1]
    assert "USER" not in runner
    said = [one.because for one in run(FROM_SOURCE, FILES).refused if one.codemod == "run-as-user"]
    assert any("where they write is not known" in because for because in said)
