"""Java and Kotlin stages: what they become, and what is refused by name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.taken_apart import refusal, run, stages

NAIVE = """
FROM maven:3.9-eclipse-temurin-21
WORKDIR /app
COPY . .
RUN mvn -B package
EXPOSE 8080
CMD ["java", "-jar", "target/shop-1.0.jar"]
"""


def pom(inside: str = "", plugins: str = "", parent: str = "", packaging: str = "jar") -> str:
    built = "".join(f"<plugin><artifactId>{name}</artifactId></plugin>" for name in plugins.split())
    return (
        f'<project xmlns="http://maven.apache.org/POM/4.0.0">{parent}<artifactId>shop</artifactId><version>1.0</version>'
        f"<packaging>{packaging}</packaging>{inside}<build><plugins>{built}</plugins></build></project>"
    )


LIBRARY = "<dependencies><dependency><artifactId>gson</artifactId></dependency></dependencies>"
TESTED = LIBRARY.replace("</dependency>", "<scope>test</scope></dependency>")
BOOT = "spring-boot-maven-plugin"
MAIN = "class Main { public static void main(String[] a) { %s } }"
ALONE = {"pom.xml": pom(), "src/main/java/Main.java": MAIN % ""}


def main(body: str, **files: str) -> dict[str, str]:
    return {**ALONE, "src/main/java/Main.java": MAIN % body, **files}


def test_the_runner_has_the_same_java_without_its_compiler() -> None:
    builder, runner = stages(NAIVE, ALONE)
    assert builder == "FROM maven:3.9-eclipse-temurin-21 AS builder\nWORKDIR /app\nCOPY . .\nRUN mvn -B package"
    assert (
        runner
        == """FROM eclipse-temurin:21-jre AS runner
RUN groupadd -r -g 10001 app \\
    && useradd --no-log-init -r -u 10001 -g app app
WORKDIR /app
COPY --from=builder /app/target/shop-1.0.jar ./target/shop-1.0.jar
EXPOSE 8080
USER 10001:10001
CMD ["java", "-jar", "target/shop-1.0.jar"]
"""
    )


@pytest.mark.parametrize(
    ("image", "runner"),
    [
        ("eclipse-temurin:17-jdk-jammy", "eclipse-temurin:17-jre-jammy"),
        ("eclipse-temurin:21-jdk-alpine", "eclipse-temurin:21-jre-alpine"),
        ("openjdk:11-jdk-slim", "eclipse-temurin:11-jre"),
        ("amazoncorretto:17", "eclipse-temurin:17-jre"),
        ("maven:3.8.5-openjdk-17", "eclipse-temurin:17-jre"),
    ],
)
def test_images_of_a_jdk(image: str, runner: str) -> None:
    text = NAIVE.replace("maven:3.9-eclipse-temurin-21", image).replace("mvn", "./mvnw")
    assert f"FROM {runner} AS runner" in stages(text, {**ALONE, "mvnw": "#!/bin/sh\n"})[1]


def test_the_release_that_is_compiled_for_names_the_jre() -> None:
    named = pom("<properties><java.version>17</java.version></properties>")
    _, runner = stages(NAIVE.replace("-eclipse-temurin-21", ""), {**ALONE, "pom.xml": named})
    assert "FROM eclipse-temurin:17-jre AS runner" in runner
    assert "which Java maven:3.9 has is not known" in refusal(NAIVE.replace("-eclipse-temurin-21", ""), ALONE)


@pytest.mark.parametrize(
    "text",
    [pom(LIBRARY, BOOT), pom(LIBRARY, "maven-shade-plugin"), pom(TESTED)],
)
def test_jars_that_hold_what_they_need(text: str) -> None:
    stages(NAIVE, {**ALONE, "pom.xml": text})


def test_a_plugin_that_names_files_of_its_own_may_put_them_below_target() -> None:
    text = pom(LIBRARY, "maven-assembly-plugin").replace(
        "</plugin>", "<configuration><descriptorRef>jar-with-dependencies</descriptorRef></configuration></plugin>"
    )
    _, runner = stages(NAIVE.replace("1.0.jar", "1.0-jar-with-dependencies.jar"), {**ALONE, "pom.xml": text})
    assert "COPY --from=builder /app/target/shop-1.0-jar-with-dependencies.jar ./target/" in runner


def test_a_jar_without_its_libraries_is_refused() -> None:
    assert "needs gson" in refusal(NAIVE, {**ALONE, "pom.xml": pom(LIBRARY)})


def test_variables_of_the_image_stay() -> None:
    text = "ARG JAVA=21\n" + NAIVE.strip().replace("maven:3.9-eclipse-temurin-21", "eclipse-temurin:${JAVA}-jdk")
    _, runner = stages(text.replace("mvn", "./mvnw"), {**ALONE, "mvnw": "#!/bin/sh\n"})
    assert runner.startswith("FROM eclipse-temurin:${JAVA}-jre AS runner")


def test_a_final_stage_on_a_jdk_gets_the_jre() -> None:
    """What it installs stays where both images are of one distribution."""
    text = NAIVE.split("EXPOSE")[0].replace("-21", "-21 AS build", 1) + (
        "FROM %s\nRUN apt-get update && apt-get install -y curl\n"
        'COPY --from=build /app/target/shop-1.0.jar /shop.jar\nCMD ["java", "-jar", "/shop.jar"]\n'
    )
    assert b"FROM eclipse-temurin:21-jre-jammy\n" in run(text % "eclipse-temurin:21-jdk-jammy", ALONE).after
    change = run(text % "amazoncorretto:21", ALONE)
    assert any("may need the larger image" in one.because for one in change.refused)


def test_libraries_beside_the_jar_come_along() -> None:
    text = pom(LIBRARY, "maven-dependency-plugin").replace(
        "<artifactId>maven-dependency-plugin</artifactId>",
        "<artifactId>maven-dependency-plugin</artifactId><configuration><outputDirectory>${project.build.directory}/lib"
        "</outputDirectory><addClasspath>true</addClasspath><classpathPrefix>lib/</classpathPrefix></configuration>",
    )
    _, runner = stages(NAIVE, {**ALONE, "pom.xml": text})
    assert "COPY --from=builder /app/target/lib ./target/lib" in runner
    _, runner = stages(NAIVE, {**ALONE, "pom.xml": text.replace("<classpathPrefix>lib/</classpathPrefix>", "")})
    assert "COPY --from=builder /app/target ./target" in runner


def test_modules_and_the_parent_that_packs_them() -> None:
    parent = (
        "<project><artifactId>all</artifactId><version>2.0</version><packaging>pom</packaging>"
        "<modules><module>web</module></modules></project>"
    )
    web = (
        "<project><parent><artifactId>all</artifactId><version>2.0</version></parent><artifactId>web</artifactId>"
        f"{LIBRARY}<build><finalName>${{project.artifactId}}-app</finalName><plugins><plugin><artifactId>{BOOT}"
        "</artifactId></plugin></plugins></build></project>"
    )
    files = {"pom.xml": parent, "web/pom.xml": web, "web/src/main/java/Main.java": MAIN % ""}
    text = NAIVE.replace("COPY . .\n", "COPY . .\nRUN mvn dependency:go-offline\n")
    builder, runner = stages(text.replace("target/shop-1.0.jar", "web/target/web-app.jar"), files)
    assert "COPY pom.xml ./\nCOPY web/pom.xml web/\nRUN mvn dependency:go-offline\nCOPY . ." in builder
    assert "COPY --from=builder /app/web/target/web-app.jar ./web/target/web-app.jar" in runner


BOOT_GRADLE = "plugins {\n id 'org.springframework.boot' version '3.2.0'\n}\nversion = '1.0'\ndependencies { implementation 'a:b:1' }\n"  # noqa: E501
GRADLE = {"settings.gradle": "rootProject.name = 'shop'\n", "build.gradle": BOOT_GRADLE, "src/main/java/Main.java": ""}
GRADLED = """
FROM gradle:8-jdk17
WORKDIR /app
COPY . .
RUN gradle bootJar
CMD ["java", "-jar", "build/libs/shop-1.0.jar"]
"""


def test_gradle_and_spring_boot() -> None:
    _, runner = stages(GRADLED, GRADLE)
    assert "FROM eclipse-temurin:17-jre AS runner" in runner
    assert "COPY --from=builder /app/build/libs/shop-1.0.jar ./build/libs/shop-1.0.jar" in runner


def test_what_decides_on_the_dependencies_of_gradle_comes_first() -> None:
    text = GRADLED.replace("COPY . .\n", "COPY . .\nRUN gradle web:dependencies\n").replace("bootJar", "web:bootJar")
    files = {**GRADLE, "gradle.properties": "", "settings.gradle": "include 'web'\n", "web/build.gradle": BOOT_GRADLE}
    builder, _ = stages(text.replace("build/libs/shop", "web/build/libs/web"), files)
    assert "COPY build.gradle settings.gradle gradle.properties ./\nCOPY web/build.gradle web/\n" in builder
    # The root needs no script of its own.
    rootless = {path: text for path, text in files.items() if path != "build.gradle"}
    builder, _ = stages(text.replace("build/libs/shop", "web/build/libs/web"), rootless)
    assert "COPY settings.gradle gradle.properties ./\nCOPY web/build.gradle web/\n" in builder


def test_a_wrapper_is_fetched_ahead_of_the_sources() -> None:
    text = GRADLED.replace("COPY . .\n", "COPY . .\nRUN ./gradlew --version\n")
    files = {
        **GRADLE,
        "gradlew": "#!/bin/sh\n",
        "gradle/wrapper/gradle-wrapper.properties": "",
        "gradle.properties": "",
    }
    builder, _ = stages(text, files)
    assert "COPY gradlew ./\nCOPY gradle/wrapper/gradle-wrapper.properties gradle/wrapper/\nRUN ./gradlew" in builder


def test_what_install_dist_makes_is_copied_as_a_whole() -> None:
    files = {**GRADLE, "build.gradle": "plugins { id 'application' }\ndependencies { implementation 'a:b:1' }\n"}
    text = GRADLED.replace("bootJar", "installDist").replace(
        '"java", "-jar", "build/libs/shop-1.0.jar"', '"build/install/shop/bin/shop"'
    )
    _, runner = stages(text, files)
    assert "COPY --from=builder /app/build/install/shop ./build/install/shop" in runner


def test_an_archive_of_the_build_is_copied_as_it_is_unpacked() -> None:
    text = """
FROM gradle:8-jdk21
WORKDIR /src
COPY . .
RUN gradle --no-daemon distTar && mkdir /opt/shop && tar xf build/distributions/shop-1.0.tar -C /opt/shop
CMD ["/opt/shop/shop-1.0/bin/shop"]
"""
    script = (
        "plugins { id 'application' }\nversion = '1.0'\ndependencies { implementation 'com.google.code.gson:gson:2' }\n"
    )
    files = {"build.gradle": script, "settings.gradle": "rootProject.name = 'shop'\n"}
    _, runner = stages(text, {**files, "src/main/java/Main.java": MAIN % ""})
    assert "COPY --from=builder /opt/shop /opt/shop\n" in runner
    assert "FROM eclipse-temurin:21-jre AS runner" in runner


def test_a_parent_of_a_repository_may_pack_anything_below_target() -> None:
    """Its plugins are not seen; but Maven writes nowhere else, and what is unpacked is taken whole."""
    parent = "<parent><artifactId>shop-parent</artifactId><version>3</version></parent>"
    text = NAIVE.replace("EXPOSE 8080\n", "WORKDIR /app/target/dist\nRUN tar xzf *.tar.gz\n")
    text = text.replace(
        '"-jar", "target/shop-1.0.jar"', '"-cp", "/app/target/dist/classes:/app/target/dist/lib/*", "Main"'
    )
    _, runner = stages(text, {**ALONE, "pom.xml": pom(LIBRARY, parent=parent)})
    assert "WORKDIR /app/target/dist\nCOPY --from=builder /app/target/dist .\n" in runner
    assert "needs gson" in refusal(NAIVE, {**ALONE, "pom.xml": pom(LIBRARY, parent=parent)})
    assert "which no command of the Dockerfile is known to make" in refusal(text, ALONE)


def test_a_project_that_the_settings_leave_out_is_named() -> None:
    files = {**GRADLE, "settings.gradle": "include 'web'\n", "web/build.gradle": BOOT_GRADLE, "shop/build.gradle": ""}
    text = GRADLED.replace("bootJar", "shop:bootJar").replace("build/libs", "shop/build/libs")
    assert "the build fails as it is: settings.gradle does not include shop" in refusal(text, files)


def test_ktor_packs_by_its_plugin() -> None:
    script = BOOT_GRADLE.replace("org.springframework.boot", "io.ktor.plugin")
    text = GRADLED.replace("bootJar", "buildFatJar").replace("shop-1.0", "shop-1.0-all")
    _, runner = stages(text, {**GRADLE, "build.gradle": script})
    assert "COPY --from=builder /app/build/libs/shop-1.0-all.jar ./build/libs/shop-1.0-all.jar" in runner


def test_quarkus_starts_from_what_lies_beside_it() -> None:
    files = {**ALONE, "pom.xml": pom(LIBRARY, "quarkus-maven-plugin")}
    _, runner = stages(NAIVE.replace("target/shop-1.0", "target/quarkus-app/quarkus-run"), files)
    assert "COPY --from=builder /app/target/quarkus-app ./target/quarkus-app" in runner


def test_the_word_behind_the_class_is_for_the_program() -> None:
    text = """
FROM eclipse-temurin:21-jdk
WORKDIR /app
COPY . .
RUN javac Main.java
CMD ["java", "-Xmx64m", "--add-opens", "java.base/java.lang=ALL-UNNAMED", "Main", "8080"]
"""
    _, runner = stages(text, {"Main.java": MAIN % ""})
    assert "COPY --from=builder /app/*.class ./\n" in runner
    assert "compiles Main.java at every start" in refusal(text.replace('Main"', 'Main.java"'), {"Main.java": MAIN % ""})


@pytest.mark.parametrize("start", ["$JAVA_OPTS -jar target/shop-1.0.jar", "$JAVA_OPTS -cp target/classes Main"])
def test_a_variable_stands_for_options(start: str) -> None:
    _, runner = stages(NAIVE.replace('["java", "-jar", "target/shop-1.0.jar"]', f"java {start}"), ALONE)
    assert "COPY --from=builder /app/target/" in runner


def test_classes_of_sources_that_another_one_names_come_along() -> None:
    """javac compiles them as well, and a source has more classes than the one of its name."""
    text = NAIVE.replace("maven:3.9-", "").replace("-21", ":21-jdk").replace("mvn -B package", "javac Main.java")
    text = text.replace('"-jar", "target/shop-1.0.jar"', '"Main"')
    files = {"Main.java": MAIN % "new Helper();"}
    _, runner = stages(text, {**files, "Helper.java": "class Helper { Runnable it = new Runnable() { }; }"})
    assert runner.count("COPY") == runner.count("COPY --from=builder /app/*.class ./\n") == 1
    assert "may compile a/Helper.java as well" in refusal(
        text, {**files, "a/Helper.java": "package a; class Helper {}"}
    )


def test_the_plain_jar_is_refused() -> None:
    text = GRADLED.replace("bootJar", "build").replace("shop-1.0.jar", "shop-1.0-plain.jar")
    assert "without what the program needs" in refusal(text, GRADLE)


def test_a_user_of_the_builder_alone_is_named_by_numbers() -> None:
    builder, runner = stages(GRADLED.replace("WORKDIR", "USER gradle\nWORKDIR"), GRADLE)
    assert "USER gradle" in builder
    assert "USER 1000:1000" in runner
    builder, runner = stages(GRADLED.replace("WORKDIR", "USER root\nWORKDIR"), GRADLE)
    assert "USER root" in builder
    assert "USER 10001:10001" in runner


def test_spring_boot_run_is_built_once() -> None:
    files = {**ALONE, "pom.xml": pom(LIBRARY, BOOT)}
    text = NAIVE.replace("RUN mvn -B package\n", "").replace(
        '"java", "-jar", "target/shop-1.0.jar"', '"mvn", "spring-boot:run"'
    )
    builder, runner = stages(text, files)
    assert builder.endswith("RUN mvn package -DskipTests")
    assert runner.endswith('CMD ["java", "-jar", "target/shop-1.0.jar"]\n')
    # The parent alone only sets the plugin's version: nothing packs the libraries into the jar.
    parent = "<parent><artifactId>spring-boot-starter-parent</artifactId><version>3</version></parent>"
    assert "compiles at every start" in refusal(text, {**files, "pom.xml": pom(LIBRARY, parent=parent)})
    # The jar of that name is the one without the libraries.
    apart = pom(LIBRARY, BOOT).replace(
        "</plugin>", "<configuration><classifier>exec</classifier></configuration></plugin>"
    )
    assert "compiles at every start" in refusal(text, {**files, "pom.xml": apart})


def test_what_a_run_packs_already_is_not_built_again() -> None:
    text = NAIVE.replace('"java", "-jar", "target/shop-1.0.jar"', '"mvn", "spring-boot:run"')
    files = {**ALONE, "pom.xml": pom(LIBRARY, BOOT)}
    builder, runner = stages(text, files)
    assert builder.count("RUN") == 1
    # One that builds before the sources are there does not pack them.
    builder, _ = stages(
        text.replace("COPY . .\nRUN mvn -B package", "COPY pom.xml .\nRUN mvn -B package\nCOPY src src"), files
    )
    assert builder.endswith("COPY src src\nRUN mvn package -DskipTests")
    assert runner.endswith('CMD ["java", "-jar", "target/shop-1.0.jar"]\n')


def test_boot_run_is_built_once_where_the_build_names_its_jar() -> None:
    text = GRADLED.replace("RUN gradle bootJar\n", "").replace(
        '"java", "-jar", "build/libs/shop-1.0.jar"', '"gradle", "--no-daemon", "bootRun"'
    )
    builder, runner = stages(text, GRADLE)
    assert builder.endswith("RUN gradle --no-daemon bootJar")
    assert runner.endswith('CMD ["java", "-jar", "build/libs/shop-1.0.jar"]\n')
    assert "compiles at every start" in refusal(text, {**GRADLE, "settings.gradle": ""})


def test_files_that_it_opens_come_along() -> None:
    files = main('new Scanner(new File("data/a.txt")); Path.of("pages/x");', **{"data/a.txt": "", "pages/x": ""})
    _, runner = stages(NAIVE, {**files, "config/application.yml": "a: 1"})
    for path in ("data/a.txt", "pages/x", "config"):
        assert f"COPY --from=builder /app/{path} ./{path}\n" in runner


def test_folders_that_frameworks_look_for_come_along() -> None:
    _, runner = stages(NAIVE, {**ALONE, "conf/application.conf": "", "docs/a.md": ""})
    assert "COPY --from=builder /app/conf ./conf\n" in runner
    assert "docs" not in runner


def test_folders_that_it_writes_to_become_its_users() -> None:
    settings = {"src/main/resources/application.properties": "logging.file.name=logs/shop.log\n"}
    _, runner = stages(NAIVE, {**ALONE, **settings})
    assert "chown app:app /app/logs" in runner


@pytest.mark.parametrize(
    ("text", "files", "because"),
    [
        (NAIVE, main("Runtime.getRuntime().exec(tool);"), "may start a program whose name is only known when it runs"),
        (NAIVE, main("javax.tools.ToolProvider.getSystemJavaCompiler();"), "calls the compiler"),
        (NAIVE.replace('"java"', '"/usr/bin/java"'), ALONE, "the place of java in the base image"),
        (NAIVE.replace("CMD", "HEALTHCHECK CMD jcmd 1 VM.version\nCMD"), ALONE, "calls jcmd, which only the JDK has"),
        (NAIVE.replace("shop-1.0", "other"), ALONE, "which no command of the Dockerfile is known to make"),
        (NAIVE.replace("mvn -B package", "ant"), ALONE, "ant"),
        (NAIVE.replace("RUN mvn -B package\n", ""), ALONE, "which no command of the Dockerfile is known to make"),
        ("FROM tomcat:10-jdk17\nCOPY . /src\nRUN cd /src && ./mvnw package && cp target/shop-1.0.war webapps/\n",
         {**ALONE, "pom.xml": pom(packaging="war"), "mvnw": "#!/bin/sh\n"}, "it is not known what the container runs"),
    ],
)  # fmt: skip
def test_refusals(text: str, files: Mapping[str, str], because: str) -> None:
    assert because in refusal(text, files)


def test_a_library_that_keeps_files_keeps_root() -> None:
    change = run(NAIVE, {**ALONE, "pom.xml": pom(LIBRARY.replace("gson", "sqlite-jdbc"), BOOT)})
    assert any("sqlite-jdbc keeps files" in one.because for one in change.refused)
    assert b"USER" not in change.after


def test_a_class_path_below_root_keeps_root() -> None:
    text = NAIVE.replace('"-jar", "target/shop-1.0.jar"', '"-cp", "target/classes:/root/.m2/a.jar", "Main"')
    change = run(text, ALONE)
    assert any("names a file below /root" in one.because for one in change.refused)
    assert b"USER" not in change.after
