"""The wheel, installed into a fresh environment, is all of Troupe."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

PACKAGES = (
    "troupe",
    "personas",
    "feedback_store",
    "npc_server",
    "npc_client",
    "trainer",
    "npc/v1",
    "languages",
)
#: Of a checkout, what is no source; leftovers of an earlier build would slip into the wheel.
LEFTOVERS = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "results")


def run(*command: str | Path) -> str:
    """What a command prints, run where nothing of the checkout can be imported by chance."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout into `folder`, fetching nothing."""
    shutil.copytree(ROOT, folder / "source", ignore=LEFTOVERS)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel")
    options = ("--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    run(*pip, *options, folder / "source")
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; what Troupe depends on is borrowed from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    venv.create(folder / "fresh", with_pip=False)
    python = folder / "fresh" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    run(*pip, "install", "--no-deps", "--no-index", build_wheel(folder))
    paths = sysconfig.get_paths()
    borrowed = "\n".join({paths["purelib"], paths["platlib"]})  # their own .pth are not followed
    site_packages(folder / "fresh").joinpath("borrowed.pth").write_text(borrowed)
    return folder / "fresh"


def site_packages(environment: Path) -> Path:
    """Where an environment keeps its packages."""
    (found,) = environment.glob("lib/python*/site-packages")
    return found


def test_the_wheel_alone_is_imported(fresh: Path) -> None:
    code = "import troupe, trainer; print(trainer.__file__, troupe.__file__, troupe.__version__)"
    *files, version = run(fresh / "bin" / "python", "-c", code).split()
    assert all(Path(file).is_relative_to(site_packages(fresh)) for file in files)
    assert version == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_wheel_checks_its_sample_cast(fresh: Path) -> None:
    said = run(fresh / "bin" / "npc", "persona", "check")
    counted = [line for line in said.splitlines() if ", version " in line]
    assert [line.partition(":")[0] for line in counted] == ["fenn", "mira", "orsolo"]


def test_the_wheel_holds_every_file_that_is_no_module(fresh: Path) -> None:
    kinds = ("*.yaml", "*.txt", "*.html", "*.pyi", "py.typed")
    for package in PACKAGES:
        ours = {f.relative_to(ROOT) for kind in kinds for f in (ROOT / package).rglob(kind)}
        assert {file for file in ours if not (site_packages(fresh) / file).is_file()} == set()
        assert (site_packages(fresh) / package / "py.typed").is_file()


def test_the_wheel_holds_the_contract(fresh: Path) -> None:
    for proto in (ROOT / "proto" / "npc" / "v1").iterdir():
        assert (site_packages(fresh) / "npc/v1" / proto.name).read_text() == proto.read_text()
