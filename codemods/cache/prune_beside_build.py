"""prune-beside-build"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Command,
    Dockerfile,
    Finding,
    Instruction,
    Phase,
    Refusal,
    Refused,
    Remove,
    Replace,
    Safety,
    Stage,
    StageReading,
    Step,
    Trivia,
    leaves,
    recognise,
    refuse,
    rewrites,
)

if TYPE_CHECKING:
    from refactor import Pruned

Node = Instruction | Trivia
SEEN_BY_RUN = frozenset({"ENV", "ARG", "WORKDIR", "USER", "SHELL"})
PROJECT = {
    "package.json": (
        '{"scripts": {"build": "tsc"}, "dependencies": {"express": "^4"}, "devDependencies": {"typescript": "^5"}}'
    ),
    "package-lock.json": "{}",
    "tsconfig.json": '{"compilerOptions": {"outDir": "dist"}}',
    "src/index.ts": "import express from 'express';\n",
}


class PruneBesideBuild(Codemod):
    """Prune development dependencies beside the build, not after it.

    Why
    ---
    Which packages the program needs is decided by the manifests alone. Where they are pruned after the build, in the
    same stage, each edit of a source line prunes them again and copies all of them into the image again.

    What it does
    ------------
    Takes the builder apart: `deps` installs from the manifests, the builder goes on from there with the sources, and
    `prod-deps`, also FROM `deps`, prunes. The last stage gets the packages from `prod-deps` and all else from the
    builder as before. An edit of a source then builds, and nothing else.

    When it refuses
    ---------------
    When the build writes into the packages (a generated client), when it is not known where it writes, and when a
    later stage copies the packages together with other files.

    Safety
    ------
    REVIEW: the same commands run in other stages; what the build writes, and where, is the evidence.
    """

    phase = Phase.CACHE
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.STAGES, Aspect.LAYERS, Aspect.CACHE, Aspect.COPIES})
    examples = (
        rewrites(
            "npm prune after the build",
            before="""
            FROM node:20 AS builder
            WORKDIR /app
            COPY package.json package-lock.json ./
            RUN npm ci
            COPY . .
            RUN npm run build
            RUN npm prune --omit=dev

            FROM node:20-slim
            WORKDIR /app
            COPY --from=builder /app/node_modules ./node_modules
            COPY --from=builder /app/dist ./dist
            CMD ["node", "dist/index.js"]
            """,
            after="""
            FROM node:20 AS deps
            WORKDIR /app
            COPY package.json package-lock.json ./
            RUN npm ci

            FROM deps AS builder
            COPY . .
            RUN npm run build

            FROM deps AS prod-deps
            RUN npm prune --omit=dev

            FROM node:20-slim
            WORKDIR /app
            COPY --from=prod-deps /app/node_modules ./node_modules
            COPY --from=builder /app/dist ./dist
            CMD ["node", "dist/index.js"]
            """,
            files=PROJECT,
        ),
        rewrites(
            "in one RUN with the build",
            before="""
            FROM node:20 AS build
            WORKDIR /app
            COPY package.json package-lock.json ./
            RUN npm ci
            COPY . .
            ENV NODE_ENV=production
            RUN npm run build && npm prune
            FROM node:20-slim
            COPY --from=build /app/node_modules /app/node_modules
            COPY --from=build /app/dist /app/dist
            CMD ["node", "/app/dist/index.js"]
            """,
            after="""
            FROM node:20 AS deps
            WORKDIR /app
            COPY package.json package-lock.json ./
            RUN npm ci

            FROM deps AS build
            COPY . .
            ENV NODE_ENV=production
            RUN npm run build

            FROM deps AS prod-deps
            ENV NODE_ENV=production
            RUN npm prune

            FROM node:20-slim
            COPY --from=prod-deps /app/node_modules /app/node_modules
            COPY --from=build /app/dist /app/dist
            CMD ["node", "/app/dist/index.js"]
            """,
            files=PROJECT,
        ),
        leaves(
            "the packages are copied with all else",
            """
            FROM node:20 AS build
            WORKDIR /app
            COPY package.json package-lock.json ./
            RUN npm ci
            COPY . .
            RUN npm run build && npm prune --omit=dev
            FROM node:20-slim
            COPY --from=build /app /app
            CMD ["node", "/app/dist/index.js"]
            """,
            files=PROJECT,
            because="copies /app with the packages in it",
        ),
        leaves(
            "the build generates into the packages",
            """
            FROM node:20 AS build
            WORKDIR /app
            COPY package.json package-lock.json ./
            RUN npm ci
            COPY . .
            RUN npx prisma generate && npm prune --omit=dev
            FROM node:20-slim
            COPY --from=build /app/node_modules /app/node_modules
            COPY --from=build /app/dist /app/dist
            CMD ["node", "/app/dist/index.js"]
            """,
            files=PROJECT,
            because="generates a client into node_modules",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages[:-1]:
            reading = StageReading.of(file, stage, context)
            for language in recognise(reading):
                answer = language.pruned(reading)
                if answer is None:
                    continue
                from refactor import Pruned

                if isinstance(answer, Pruned):
                    yield self._taken_apart(reading, answer)
                    # The next round sees the stages as they are then.
                    return
                yield refuse(answer[0].node, answer[1].because, answer[1].hint)

    def _taken_apart(self, reading: StageReading, answer: Pruned) -> Finding | Refusal:
        file, stage, node = reading.file, reading.stage, answer.step.node
        copies = _copies(file, stage, answer.folders, reading.context)
        if isinstance(copies, Refused):
            return refuse(node, copies.because, copies.hint)
        halves = _halves(file, answer.step, answer.command)
        if isinstance(halves, Refused):
            return refuse(node, halves.because, halves.hint)
        taken = {(one.name or "").lower() for one in file.stages} | {one.image.lower() for one in file.stages}
        first, last = (_free(name, taken) for name in ("deps", "prod-deps"))
        renewed = _stages(reading, answer, halves, first, last)
        old = stage.nodes
        return Finding(
            node,
            f"prune in a stage of its own, {last}, beside the build",
            [
                Replace(old[0], renewed),
                *(Remove(entry) for entry in old[1:]),
                *(Replace(copy, [copy.with_flag("from", last)]) for copy in copies),
            ],
            why="an edit of a source no longer prunes the packages and copies them again",
            evidence=answer.evidence,
        )


def _free(wish: str, taken: set[str]) -> str:
    return next(name for name in (wish, *(f"{wish}-{number}" for number in range(2, 99))) if name not in taken)


def _copies(
    file: Dockerfile, stage: Stage, folders: Sequence[str], context: BuildContext
) -> list[Instruction] | Refused:
    """The copies of packages from the stage, or why they cannot come from another one."""
    name = stage.name
    if name is None:
        return Refused("the stage that builds has no name", "name it: FROM ... AS builder")
    if name in context.deployment.targets:
        return Refused(f"{', '.join(context.deployment.sources)} builds the stage {name} by its name")
    found = []
    for other in file.stages[stage.index + 1 :]:
        if other.image.lower() == name.lower():
            return Refused(f"line {file.line_of(other.from_)} starts from {name} with its packages")
        for node in other.instructions:
            line = file.line_of(node)
            if any(f"from={name}" in mount for mount in node.flag_values("mount")):
                return Refused(f"line {line} mounts files of {name}")
            reference = node.flag("from") if node.keyword == "COPY" else None
            if reference is not None and reference.isdigit():
                return Refused(f"line {line} calls a stage by its number", "call it by its name")
            if reference is None or reference.lower() != name.lower():
                continue
            kinds = [_kind(file.expand(source, node) or source, folders) for source in node.sources]
            if "around" in kinds or len(set(kinds)) > 1:
                return Refused(
                    f"line {line} copies {' '.join(node.sources)} with the packages in it",
                    "copy the packages and what was built one by one",
                )
            if "packages" in kinds:
                found.append(node)
    return found or Refused(f"no later stage copies the packages of {name}")


def _kind(source: str, folders: Sequence[str]) -> str:
    """Whether a source lies within the packages, is a folder around them, or neither."""
    from fnmatch import fnmatchcase

    parts = source.strip("/").split("/") if source.strip("/") else []
    for folder in folders:
        names = folder.strip("/").split("/")
        if all(fnmatchcase(name, part) for name, part in zip(names, parts)):
            return "packages" if len(parts) >= len(names) else "around"
    return "elsewhere"


def _halves(file: Dockerfile, step: Step, command: Command) -> tuple[Instruction | None, Instruction] | Refused:
    """What stays of the RUN in the builder, None for nothing; and the RUN that prunes."""
    node, script = step.node, step.script
    others = [other for other in step.commands if other is not command]
    if all(other.name == "cd" for other in others):
        return None, node
    states = any(other.name in {"cd", "export", "set", "."} or not other.words for other in others)
    if script is None or not script.is_and_list or node.json is not None or node.has_inner_comment or states:
        return Refused("the RUN that prunes does other things too, in a way that is not taken apart", "prune alone")
    after = next((other for other in step.commands if other.span[0] > command.span[0]), None)
    before = next((other for other in reversed(step.commands) if other.span[0] < command.span[0]), None)
    start = command.span[0] if before is None else before.span[1]
    end = command.span[1] if before is not None or after is None else after.span[0]
    flags = "".join(f"{flag.text} " for flag in node.flags)
    alone = file.new(f"RUN {flags}{' '.join(script.text[slice(*command.span)].split())}")
    return node.splice([(start, end, "")]), alone


def _stages(
    reading: StageReading, answer: Pruned, halves: tuple[Instruction | None, Instruction], first: str, last: str
) -> list[Node]:
    """The stage as three: what comes before the sources, the build, and the pruning."""
    file, stage = reading.file, reading.stage
    platform = f"--platform={stage.platform} " if stage.platform else ""
    result: list[Node] = []
    waiting: list[Node] = []
    settings: list[Node] = []
    comments: list[Node] = []
    is_building = is_pruned = False
    for node in stage.nodes:
        if isinstance(node, Trivia):
            waiting.append(node)
            continue
        if node is stage.from_:
            result += [*waiting, file.new(f"FROM {platform}{stage.image} AS {first}")]
            waiting = []
            continue
        if node is answer.sources:
            is_building = True
            result += [file.blank(), file.new(f"FROM {first} AS {stage.name}")]
            while waiting and waiting[0].text.strip() == "":
                del waiting[0]
        if node is answer.step.node:
            is_pruned = True
            if halves[0] is None:
                comments = [line for line in waiting if line.text.strip()]
            else:
                result += [*waiting, halves[0]]
            waiting = []
            continue
        if is_building and not is_pruned and node.keyword in SEEN_BY_RUN:
            settings.append(file.new(f"{node.keyword} {node.argument}"))
        result += [*waiting, node]
        waiting = []
    result += [file.blank(), file.new(f"FROM {first} AS {last}"), *settings, *comments, halves[1]]
    result += waiting if waiting else [file.blank()]
    return [node for i, node in enumerate(result) if not (i and _is_blank(node) and _is_blank(result[i - 1]))]


def _is_blank(node: Node) -> bool:
    return isinstance(node, Trivia) and node.kind == "blank"
