"""What several test files share: the corpus, the real data, and the switch that renews goldens."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How fast a machine makes examples says nothing of the code: a loaded one failed by that alone.
settings.register_profile("dockerfix", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("dockerfix")

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "corpus"
SHARED = ROOT.parent / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="Renew the goldens of corpus/, if the gates pass.")


@pytest.fixture(scope="session")
def real_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real Dockerfiles and applications, unpacked; skips where they are not beside the checkout."""
    unpack = SHARED / "real" / "unpack"
    if not unpack.exists():
        pytest.skip("the real Dockerfiles are not beside this checkout (../shared/real)")
    folder = tmp_path_factory.mktemp("real")
    subprocess.run([str(unpack), str(folder)], check=True, capture_output=True)
    return folder
