"""All manifests and lockfiles that are understood. Each language is loaded when one of its names is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refactor.context.go_manifests import (
        GoMod,
        GoReplace,
        GoRequire,
        GoWork,
        read_go_mod,
        read_go_sum,
        read_go_work,
    )
    from refactor.context.node_manifests import (
        INSTALL_SCRIPTS,
        LockedPackage,
        NodeLock,
        PackageJson,
        lock_matches,
        npm_lock_matches,
        pnpm_lock_matches,
        read_npm_lock,
        read_package_json,
        read_pnpm_lock,
        read_yarn_lock,
        satisfies,
        tsconfig_out_dir,
        workspace_members,
        workspace_patterns,
        yarn_lock_matches,
    )
    from refactor.context.python_manifests import (
        LockedDistribution,
        Pyproject,
        PythonLock,
        Requirement,
        RequirementsFile,
        SetupCfg,
        normalise,
        parse_requirement,
        poetry_lock_matches,
        read_pdm_lock,
        read_poetry_lock,
        read_pyproject,
        read_requirements,
        read_setup_cfg,
        read_uv_lock,
        read_version_file,
        uv_lock_matches,
    )

_HOMES = {
    "refactor.context.go_manifests": (
        "GoMod", "GoReplace", "GoRequire", "GoWork", "read_go_mod", "read_go_sum", "read_go_work",
    ),
    "refactor.context.node_manifests": (
        "INSTALL_SCRIPTS", "LockedPackage", "NodeLock", "PackageJson", "lock_matches",
        "npm_lock_matches", "pnpm_lock_matches", "read_npm_lock", "read_package_json", "read_pnpm_lock",
        "read_yarn_lock", "satisfies", "tsconfig_out_dir", "workspace_members", "workspace_patterns",
        "yarn_lock_matches",
    ),
    "refactor.context.python_manifests": (
        "LockedDistribution", "Pyproject", "PythonLock", "Requirement", "RequirementsFile", "SetupCfg",
        "normalise", "parse_requirement", "poetry_lock_matches", "read_pdm_lock", "read_poetry_lock",
        "read_pyproject", "read_requirements", "read_setup_cfg", "read_uv_lock", "read_version_file",
        "uv_lock_matches",
    ),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "INSTALL_SCRIPTS",
    "GoMod",
    "GoReplace",
    "GoRequire",
    "GoWork",
    "LockedDistribution",
    "LockedPackage",
    "NodeLock",
    "PackageJson",
    "Pyproject",
    "PythonLock",
    "Requirement",
    "RequirementsFile",
    "SetupCfg",
    "lock_matches",
    "normalise",
    "npm_lock_matches",
    "parse_requirement",
    "pnpm_lock_matches",
    "poetry_lock_matches",
    "read_go_mod",
    "read_go_sum",
    "read_go_work",
    "read_npm_lock",
    "read_package_json",
    "read_pdm_lock",
    "read_pnpm_lock",
    "read_poetry_lock",
    "read_pyproject",
    "read_requirements",
    "read_setup_cfg",
    "read_uv_lock",
    "read_version_file",
    "read_yarn_lock",
    "satisfies",
    "tsconfig_out_dir",
    "uv_lock_matches",
    "workspace_members",
    "workspace_patterns",
    "yarn_lock_matches",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value
