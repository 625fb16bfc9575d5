"""Tokens as secrets: which steps get one, when nothing is done, and the Compose file that gives it."""

from __future__ import annotations

import pytest

from refactor import BuildContext, Change, Safety, fix
from refactor.context.compose_secrets import with_build_secret, with_secret_file

NPM = {"package.json": "{}", ".npmrc": "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n"}
TOKEN = "ghp_" + "a1B2" * 9


def run(body: str, files: dict[str, str] | None = None, safety: Safety = Safety.REVIEW) -> Change:
    context = BuildContext.of(NPM if files is None else files)
    change = fix(f"FROM node:20\n{body}".encode(), context, select=["mount-secrets"], safety=safety)
    assert change.failure is None
    return change


MOUNT = "--mount=type=secret,id=npm_token"
EXPORT = 'export NPM_TOKEN="$(cat /run/secrets/npm_token)" && '


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ARG NPM_TOKEN\nRUN npm ci\n", f"RUN {MOUNT} {EXPORT}npm ci\n"),
        ("ARG NPM_TOKEN\nENV NPM_TOKEN=$NPM_TOKEN\nRUN npm ci\n", f"RUN {MOUNT} {EXPORT}npm ci\n"),
        ("ARG NPM_TOKEN\nENV NPM_TOKEN ${NPM_TOKEN}\nRUN npm ci\n", f"RUN {MOUNT} {EXPORT}npm ci\n"),
        ("ARG NPM_TOKEN\nRUN make\nRUN yarn\n", f"RUN make\nRUN {MOUNT} {EXPORT}yarn\n"),
        ("USER node\nARG NPM_TOKEN\nRUN npm ci\n", f"USER node\nRUN {MOUNT},mode=0444 {EXPORT}npm ci\n"),
        (
            'ARG NPM_TOKEN\nRUN echo "t=$NPM_TOKEN" > .npmrc && npm ci && rm -f .npmrc\n',
            f'RUN {MOUNT} {EXPORT}echo "t=$NPM_TOKEN" > .npmrc && npm ci && rm -f .npmrc\n',
        ),
        (
            'ARG API_TOKEN\nRUN curl -H "Authorization: $API_TOKEN" https://x/y -o /y\n',
            "RUN --mount=type=secret,id=api_token "
            'export API_TOKEN="$(cat /run/secrets/api_token)" && '
            'curl -H "Authorization: $API_TOKEN" https://x/y -o /y\n',
        ),
    ],
)
def test_the_steps_that_use_it_get_the_secret(before: str, after: str) -> None:
    change = run(before)
    assert change.after.decode() == f"FROM node:20\n{after}", change.refused
    assert any("docker build --secret id=" in fact for fact in change.applied[0].evidence)


@pytest.mark.parametrize(
    ("body", "because"),
    [
        ("ARG NPM_TOKEN\nRUN echo $NPM_TOKEN > /etc/token\n", "written into /etc/token"),
        ("ARG NPM_TOKEN\nRUN git clone https://$NPM_TOKEN@github.com/a/b\n", "stay in the image"),
        ("ARG NPM_TOKEN\nRUN npm config set token $NPM_TOKEN\n", "stay in the image"),
        ("ARG NPM_TOKEN\nRUN ./build.sh $NPM_TOKEN\n", "what `./build.sh` does with it is not known"),
        ("ARG NPM_TOKEN\nRUN A=$NPM_TOKEN npm ci\n", "cannot be read"),
        ("ARG NPM_TOKEN\nENV TOKEN=$NPM_TOKEN\nRUN npm ci\n", "stays in the image"),
        ("ARG NPM_TOKEN\nLABEL token=$NPM_TOKEN\nRUN npm ci\n", "stays in the image"),
        ("ARG NPM_TOKEN\nRUN npm ci\nCMD echo $NPM_TOKEN\n", "stays in the image"),
        ("ARG NPM_TOKEN\nRUN make\n", "no step is known to use NPM_TOKEN"),
        ('ARG NPM_TOKEN\nRUN ["npm", "ci"]\n', "exec form"),
    ],
)
def test_refused_where_it_would_stay_or_is_not_understood(body: str, because: str) -> None:
    change = run(body)
    assert not change.applied
    assert any(because in refusal.because for refusal in change.refused), change.refused


def test_two_tokens_of_one_step() -> None:
    files = {**NPM, ".npmrc": "a=${NPM_TOKEN}\nb=${OTHER_TOKEN}\n"}
    change = run("ARG NPM_TOKEN\nARG OTHER_TOKEN\nRUN npm ci\n", files)
    text = change.after.decode()
    assert "ARG" not in text
    assert text.count("--mount=type=secret") == 2
    assert text.count("export ") == 2


def test_what_compose_gives_the_container_is_no_build_argument() -> None:
    files = {**NPM, "compose.yaml": "services:\n  web:\n    build: .\n    environment:\n      - NPM_TOKEN\n"}
    change = run("ARG NPM_TOKEN\nRUN npm ci\n", files, Safety.UNSAFE)
    assert not change.applied
    assert any("compose.yaml gives NPM_TOKEN to the container" in refusal.because for refusal in change.refused)


def test_a_pipeline_that_passes_the_argument_makes_it_a_suggestion() -> None:
    files = {**NPM, ".github/workflows/ci.yml": "run: docker build --build-arg NPM_TOKEN ."}
    change = run("ARG NPM_TOKEN\nRUN npm ci\n", files)
    assert not change.applied
    [finding] = change.suggested
    assert any(".github/workflows/ci.yml passes NPM_TOKEN" in fact for fact in finding.evidence)
    assert run("ARG NPM_TOKEN\nRUN npm ci\n", files, Safety.UNSAFE).applied


@pytest.mark.parametrize(
    "body", [f"ENV X={TOKEN}\n", f"RUN git clone https://{TOKEN}@github.com/a/b\n", f"ARG A_TOKEN={TOKEN}\n"]
)
def test_a_leaked_secret_is_reported_and_not_repeated(body: str) -> None:
    change = run(body)
    assert not change.applied
    [refusal] = change.refused
    assert "a token of GitHub stands in the file" in refusal.because
    assert TOKEN not in refusal.because + refusal.hint


@pytest.mark.parametrize(
    "body", ["ENV DB_PASSWORD=\n", "ENV DB_PASSWORD=changeme\n", "ARG API_KEY=$OTHER\n", "ENV TOKEN_URL=x\n"]
)
def test_placeholders_are_no_secrets(body: str) -> None:
    assert not run(body).refused


LIST = (
    "services:\n  web:\n    build:\n      context: .\n      args:\n        - A=1 # one\n"
    "        - NPM_TOKEN=${TOKEN}\n    ports: ['80:80']\n"
)
MAPPING = "services:\r\n  web:\r\n    build:\r\n      args:\r\n        NPM_TOKEN:\r\n      context: .\r\n"


def test_compose_gives_the_secret_and_keeps_the_rest() -> None:
    assert with_build_secret(LIST, "NPM_TOKEN", "npm_token") == (
        "services:\n  web:\n    build:\n      context: .\n      secrets:\n        - npm_token\n      args:\n"
        "        - A=1 # one\n    ports: ['80:80']\n\nsecrets:\n  npm_token:\n    environment: TOKEN\n"
    )
    assert with_build_secret(MAPPING, "NPM_TOKEN", "npm_token") == (
        "services:\r\n  web:\r\n    build:\r\n      secrets:\r\n        - npm_token\r\n      context: .\r\n"
        "\r\nsecrets:\r\n  npm_token:\r\n    environment: NPM_TOKEN\r\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "services: {web: {build: {args: {NPM_TOKEN: x}}}}\n",
        "services:\n  web:\n    build:\n      args: [NPM_TOKEN]\n",
        LIST.replace("${TOKEN}", "literal"),
        LIST + "secrets:\n  other:\n    file: x\n",
        LIST.replace("      args:", "      secrets:\n        - other\n      args:"),
        "services:\n  web:\n    environment:\n      - NPM_TOKEN\n",
        "services: [\n",
    ],
)
def test_compose_in_another_form_is_not_edited(text: str) -> None:
    assert with_build_secret(text, "NPM_TOKEN", "npm_token") is None


SECRET = {"package.json": "{}", ".npmrc": "//r.example.org/:_authToken=abc\n", "server.js": "1\n"}
KEY = "RUN --mount=type=secret,id=id_rsa,target=/root/.ssh/id_rsa,required=true \\\n    "


def builder(body: str) -> str:
    return f"FROM node:20 AS builder\n{body}FROM nginx:1.27\nCOPY --from=builder /x /usr/share/nginx/html\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("COPY id_rsa /root/.ssh/\nRUN git clone git@x.org:a/b /x\n", f"{KEY}git clone git@x.org:a/b /x\n"),
        (
            "COPY a id_rsa /root/.ssh/\nRUN chmod 400 ~/.ssh/id_rsa\nRUN git clone git@x.org:a/b /x\n"
            "RUN rm -r /root/.ssh\n",
            f"COPY a /root/.ssh/\n{KEY}git clone git@x.org:a/b /x\nRUN rm -r /root/.ssh\n",
        ),
        (
            "COPY id_rsa /root/.ssh/\nRUN ssh-keyscan x.org >> ~/.ssh/known_hosts\nRUN npm install git+ssh://x.org/a\n",
            f"{KEY}ssh-keyscan x.org >> ~/.ssh/known_hosts\n{KEY}npm install git+ssh://x.org/a\n",
        ),
    ],
)
def test_a_key_is_there_for_the_steps_that_use_it(before: str, after: str) -> None:
    change = fix(builder(before).encode(), BuildContext.of({"a": ""}), select=["mount-secrets"])
    assert change.failure is None
    assert change.after.decode() == builder(after), change.refused


@pytest.mark.parametrize(
    ("body", "because"),
    [
        ("COPY id_rsa /root/.ssh/\nRUN git clone x /x && rm -rf /root/.ssh\n", "has `rm` take it"),
        ("COPY id_rsa /root/.ssh/\nRUN git clone x /x && chmod -R 600 /root/.ssh\n", "has `chmod` take it"),
        ("COPY id_rsa /root/.ssh/\nRUN cp /root/.ssh/id_rsa /x\n", "has `cp` do something with it"),
        ("COPY id_rsa /root/.ssh/\nRUN read KEY < /root/.ssh/id_rsa\n", "has `read` do something with it"),
        ("COPY id_rsa /root/.ssh/\nRUN make\n", "runs make, which may use it"),
        ("COPY id_rsa /root/.ssh/\n", "no step is known to use it"),
        ("ADD id_rsa /root/.ssh/\nRUN git clone x /x\n", "another form than COPY"),
        ("COPY id_rsa $WHERE/\nRUN git clone x /x\n", "where it is copied to is not known"),
        ("RUN useradd w\nUSER w\nCOPY id_rsa /home/w/.ssh/\nRUN git clone x /x\n", "the numbers of the user"),
        ("COPY id_rsa /x/\nRUN git clone x /y\n", ""),
    ],
)
def test_a_key_stays_where_the_mount_would_not_do(body: str, because: str) -> None:
    source = builder(body).replace("/x /usr", "/x/id_rsa /usr") if not because else builder(body)
    change = fix(source.encode(), BuildContext.of({"a": ""}), select=["mount-secrets"])
    assert not change.applied
    assert any((because or "copies it on") in refusal.because for refusal in change.refused), change.refused


def test_a_key_of_the_image_that_is_shipped_is_a_suggestion() -> None:
    text = b'FROM node:20\nCOPY id_rsa /root/.ssh/\nRUN git clone git@x.org:a/b /x\nCMD ["/x/run"]\n'
    change = fix(text, BuildContext.of({"a": ""}), select=["mount-secrets"])
    assert not change.applied
    [finding] = change.suggested
    assert any("when a container runs is not known" in fact for fact in finding.evidence)


def test_copies_of_the_folder_do_not_bring_the_file_back() -> None:
    stage = "FROM node:20\nWORKDIR /app\nCOPY package.json .npmrc ./\nRUN npm install\nCOPY . .\n"
    context = BuildContext.of(SECRET)
    change = fix((stage + stage).encode(), context, select=["mount-secrets"])
    assert change.failure is None
    assert change.after.count(b"COPY package.json ./\n") == change.after.count(b"target=/app/.npmrc") == 2
    [written] = change.files
    assert (written.path, written.after) == (".dockerignore", b".npmrc\n")
    other = {**SECRET, "Dockerfile.other": "FROM alpine\nCOPY .npmrc /\n"}
    refused = fix(stage.encode(), BuildContext.of(other), select=["mount-secrets"])
    assert any("`COPY .npmrc /` names it" in refusal.because for refusal in refused.refused)


def test_a_pipeline_that_builds_the_image_makes_a_file_a_suggestion() -> None:
    files = {**SECRET, ".github/workflows/ci.yml": "run: docker build .\n"}
    [finding] = run("COPY .npmrc ./\nRUN npm install\n", files).suggested
    assert any(".github/workflows/ci.yml builds images" in fact for fact in finding.evidence)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "services:\n  web:\n    build: . # here\n    ports: ['80:80']\n  db:\n    image: x\n",
            "services:\n  web:\n    build:\n      context: . # here\n      secrets:\n        - npmrc\n"
            "    ports: ['80:80']\n"
            "  db:\n    image: x\n\nsecrets:\n  npmrc:\n    file: ./.npmrc\n",
        ),
        (
            "services:\r\n  web:\r\n    build:\r\n      context: .\r\n",
            "services:\r\n  web:\r\n    build:\r\n      secrets:\r\n        - npmrc\r\n      context: .\r\n"
            "\r\nsecrets:\r\n  npmrc:\r\n    file: ./.npmrc\r\n",
        ),
        ("services: {web: {build: .}}\n", None),
        ("services:\n  web:\n    image: x\n", None),
        ("services:\n  web:\n    build: .\nsecrets:\n  a:\n    file: b\n", None),
        ("services: [\n", None),
    ],
)
def test_compose_gives_a_file_to_the_build(before: str, after: str | None) -> None:
    assert with_secret_file(before, ["web", "db"], "npmrc", "./.npmrc") == after
