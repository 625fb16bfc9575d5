"""Who starts, asks, mounts and targets an image: what is read of Compose, Kubernetes, Helm, Procfiles, CI and Bake."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from refactor import parse
from refactor.context import BuildContext
from refactor.context.deployment import Deployment, Mount, Service
from refactor.ecosystems import StageReading
from refactor.ecosystems.deployed import other_start, starts_same
from refactor.engine.contexts import ContextFinder


def deployment(files: Mapping[str, str]) -> Deployment:
    return BuildContext.of({"Dockerfile": "FROM scratch\n", **files}).deployment


COMPOSE = """
services:
  web:
    build: {context: ., target: prod}
    image: registry.example/team/shop:1
    command: gunicorn app:app --reload
    user: "1000"
    ports: ["8080:80", "127.0.0.1:9:9/udp", {target: 443}]
    volumes: ["./data:/data:ro", "/cache", {type: volume, source: db, target: /db}, "${X:-./a}:/a"]
    healthcheck: {test: ["CMD", "curl", "-f", "http://localhost/"]}
  worker:
    image: registry.example/team/shop:1
    entrypoint: ["celery", "-A", "app"]
  check:
    extends: web
    healthcheck: {test: "wget -q localhost || exit 1"}
  db:
    image: postgres:16
    command: postgres -c fsync=off
    healthcheck: {test: ["CMD-SHELL", "pg_isready"]}
  other:
    build: other
    user: root
"""


def test_compose() -> None:
    found = deployment({"docker-compose.yml": COMPOSE})
    web, worker, check = found.services
    assert web.command == web.arguments == ("gunicorn", "app:app", "--reload")
    assert web.target == "prod"
    assert web.user == "1000"
    assert web.ports == (80, 9, 443)
    assert web.mounts == (
        Mount("/data", "./data", True),
        Mount("/cache"),
        Mount("/db", "db"),
        Mount("/a", "${X:-./a}"),
    )
    assert [(call.words, call.by) for call in web.calls] == [
        (("curl", "-f", "http://localhost/"), "healthcheck of web in docker-compose.yml")
    ]
    assert (worker.name, worker.entrypoint, worker.arguments) == ("worker", ("celery", "-A", "app"), None)
    assert check.calls[0].words == "wget -q localhost || exit 1"
    assert found.targets == ("prod",)
    assert found.users == ("1000",)
    assert found.sources == ("docker-compose.yml",)


def test_another_compose_file_adds_to_a_service_of_the_same_name() -> None:
    override = "services:\n  web: {command: [npm, run, dev]}\n  db: {command: [x]}\n"
    found = deployment({"compose.yaml": "services: {web: {build: .}}", "compose.dev.yaml": override})
    assert [(one.source, one.command) for one in found.services] == [
        ("compose.dev.yaml", ("npm", "run", "dev")),
        ("compose.yaml", None),
    ]


MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
---
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      securityContext: {runAsUser: 1001}
      volumes: [{name: host, hostPath: {path: /var/log}}]
      containers:
        - name: api
          image: ghcr.io/team/api:2
          args: ["serve"]
          ports: [{containerPort: 8080}]
          volumeMounts: [{name: host, mountPath: /logs, readOnly: true}, {name: tmp, mountPath: /tmp}]
          livenessProbe: {exec: {command: [curl, localhost]}}
          readinessProbe: {httpGet: {path: /}}
          lifecycle: {preStop: {exec: {command: [sh, -c, "sleep 5"]}}}
        - name: proxy
          image: nginx:1.27
          command: [nginx]
"""


def test_kubernetes() -> None:
    found = deployment({"deploy/k8s/api.yml": MANIFEST})
    (api,) = found.services
    assert (api.source, api.kind, api.name) == ("deploy/k8s/api.yml", "kubernetes", "api")
    assert api.arguments == ("serve",)
    assert api.user == "1001"
    assert api.ports == (8080,)
    assert api.mounts == (Mount("/logs", "/var/log", True), Mount("/tmp", "tmp"))
    assert [call.words for call in api.calls] == [("curl", "localhost"), ("sh", "-c", "sleep 5")]


def test_manifest_of_another_image_is_left_out_where_the_name_is_known() -> None:
    other = MANIFEST.replace("team/api:2", "team/other:2")
    compose = "services: {api: {build: ., image: api}}"
    assert [one.kind for one in deployment({"a.yaml": other}).services] == ["kubernetes"]
    assert [one.kind for one in deployment({"a.yaml": MANIFEST, "compose.yaml": compose}).services] == [
        "compose",
        "kubernetes",
    ]
    files = {"a.yaml": MANIFEST, "b.yaml": other, "compose.yaml": compose}
    assert [one.source for one in deployment(files).services] == ["compose.yaml", "a.yaml"]


def test_helm_template() -> None:
    text = """
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      {{- with .Values.security }}
      securityContext: {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.image }}:{{ .Values.tag }}"
          livenessProbe: {exec: {command: ["curl", "{{ .Values.url }}"]}}
"""
    (found,) = deployment({"chart/templates/deployment.yaml": text}).services
    assert found.kind == "helm"
    assert found.calls[0].words == ("curl", "$HELM")


def test_procfile() -> None:
    (found,) = deployment({"Procfile": "web: bundle exec puma -p $PORT\n", "sub/Procfile": "x: y\n"}).services
    assert (found.kind, found.name, found.command) == ("procfile", "web", "bundle exec puma -p $PORT")
    assert found.arguments is None


GITHUB = """
jobs:
  test:
    steps:
      - run: |
          docker build --target test -t me/app:${{ github.sha }} .
          docker build -f other/Dockerfile.other --target no .
          docker run --rm -d -v "$PWD/out:/out" -p 8080:80 -u 5 --name app me/app:${{ github.sha }} serve --all
          docker run node:20 npm test
          docker exec -e A=1 app curl -f localhost
      - run: if true; then sudo docker compose -f x.yml exec -T web ./manage.py check; fi
      - run: docker compose exec db psql
      - uses: docker/build-push-action@v6
        with: {context: ., target: release, tags: "me/app:latest"}
"""


def test_ci() -> None:
    compose = "services: {web: {build: .}, db: {image: postgres}}"
    found = deployment({".github/workflows/ci.yml": GITHUB, "compose.yaml": compose})
    assert found.targets == ("release", "test")
    assert [call.words for call in found.calls] == [("curl", "-f", "localhost"), ("./manage.py", "check")]
    (run,) = [one for one in found.services if one.command]
    assert run.command == ("serve", "--all")
    assert run.mounts == (Mount("/out", "$PWD/out"),)
    assert (run.user, run.ports) == ("5", (80,))


def test_other_pipelines_and_scripts() -> None:
    found = deployment(
        {
            ".gitlab-ci.yml": "job: {script: ['docker build --target=gitlab .', 'kubectl exec pod -- a b']}\n",
            "Makefile": "DC = docker compose\ntest:\n\t@$(DC) exec app make check\n\t-podman build --target made .\n",
            "run.sh": "#!/bin/sh\nset -e\ndocker exec $(docker ps -q) sh -c 'curl x'\n",
            "docker-bake.hcl": 'target "a" {\n  dockerfile = "Dockerfile"\n  target = "baked"\n  tags = ["x/y:1"]\n}\n',
            "sub/docker-bake.json": '{"target": {"b": {"target": "json"}}}',
        }
    )
    assert found.targets == ("baked", "gitlab", "json", "made")
    assert [call.words for call in found.calls] == [("a", "b"), ("make", "check"), ("sh", "-c", "curl x")]


@pytest.mark.parametrize(
    "text",
    ["a: [", "services: 5", "services: {web: 5}", "services: {web: {build: 5, command: 5, volumes: 5}}", "- services"],
)
def test_broken_compose_says_nothing(text: str) -> None:
    assert not deployment({"compose.yaml": text}).has_own_command


def test_on_disk_sources_are_seen_from_the_context(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    app = tmp_path / "app"
    app.mkdir()
    (app / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "compose.yaml").write_text("services: {web: {build: app, user: '7'}}")
    (tmp_path / "secret.yaml").symlink_to(tmp_path / "compose.yaml")
    context = ContextFinder().open(str(app / "Dockerfile"), parse(b"FROM scratch\n"))
    assert context.root == str(app)
    assert context.deployment.named_by("user") == "../compose.yaml"
    assert len(context.deployment.services) == 1


def reading(text: str) -> StageReading:
    file = parse(text.encode())
    return StageReading.of(file, file.stages[-1], BuildContext.of({}))


@pytest.mark.parametrize(
    ("own", "service", "same"),
    [
        ('CMD ["gunicorn", "app:app"]', {"command": ("gunicorn", "app:app", "--reload", "-w", "4")}, True),
        ("CMD gunicorn -b 0.0.0.0:80 app:app", {"command": ("gunicorn", "app:app")}, True),
        ("CMD gunicorn app:app", {"command": ("sh", "-c", "exec gunicorn --bind :8000 app:app")}, True),
        ('CMD ["gunicorn", "app:app"]', {"command": ("gunicorn", "other:app")}, False),
        ('CMD ["node", "server.js"]', {"command": ("node", "--inspect", "server.js")}, True),
        ('CMD ["node", "server.js"]', {"command": ("nodemon", "server.js")}, False),
        ('CMD ["node", "server.js"]', {"command": ("node", "-r", "./trace.js", "server.js")}, False),
        ('CMD ["node", "server.js"]', {"command": ("node", "worker.js")}, False),
        ('CMD ["python", "-m", "app"]', {"command": ("python3.12", "-m", "app")}, True),
        ('CMD ["python", "-m", "app"]', {"command": ("python", "-m", "worker")}, False),
        ('CMD ["npm", "start"]', {"command": ("npm", "run", "dev")}, False),
        ('ENTRYPOINT ["./app"]\nCMD ["serve"]', {"command": ("serve", "--port", "80")}, True),
        ('ENTRYPOINT ["./app"]\nCMD ["serve"]', {"command": ("migrate",)}, False),
        ('ENTRYPOINT ["./app"]\nCMD ["serve"]', {"entrypoint": ("./app", "serve")}, True),
        ('ENTRYPOINT ["./app"]\nCMD ["serve"]', {"entrypoint": ("./app",)}, False),
        ("ENTRYPOINT ./app serve", {"command": ("migrate",)}, True),
        ('CMD ["./app"]', {}, True),
        ("", {"command": ("./app",)}, False),
    ],
)
def test_the_same_program(own: str, service: dict[str, tuple[str, ...]], same: bool) -> None:
    found = Service("compose.yaml", "compose", "web", service.get("command"), service.get("entrypoint"))
    assert starts_same(reading(f"FROM x\n{own}\n"), found) is same


def test_the_service_that_starts_something_else_is_named() -> None:
    file = parse(b'FROM x\nCMD ["node", "a.js"]\n')
    compose = "services: {a: {build: ., command: node a.js}, b: {build: ., command: node b.js}}"
    context = BuildContext.of({"Dockerfile": "", "compose.yaml": compose})
    found = other_start(StageReading.of(file, file.stages[-1], context))
    assert found is not None
    assert found.name == "b"
