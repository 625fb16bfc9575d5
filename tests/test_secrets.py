"""Tokens as secrets: which steps get one, when nothing is done, and the Compose file that gives it."""

from __future__ import annotations

import pytest

from refactor import BuildContext, Change, Safety, fix
from refactor.context.compose_secrets import with_build_secret

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
