"""The official web clients from the npm registry, ready to run under Node and in a browser."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from npc_server.config import PathsConfig
from tests.support.paths import ROOT

HERE = Path(__file__).parent
PACKAGES = (HERE / "package.json", HERE / "package-lock.json")


@pytest.fixture(scope="session")
def web_clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the clients, their packages and the code that is generated of the contract."""
    folder = tmp_path_factory.mktemp("web-clients")
    for script in HERE.glob("*.js"):
        shutil.copy(script, folder)
    shutil.copy(HERE / "package.json", folder)
    (folder / "node_modules").symlink_to(_packages())
    _generate(folder)
    return folder


def _packages() -> Path:
    """The installed packages, from the cache unless what is wanted has changed."""
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in PACKAGES)).hexdigest()[:12]
    folder = PathsConfig().cache / "web-clients" / wanted
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent) as beside:
            _install(staged := Path(beside) / wanted)
            with suppress(OSError):  # another process was first
                staged.rename(folder)
    return folder / "node_modules"


def _install(folder: Path) -> None:
    folder.mkdir()
    for file in PACKAGES:
        shutil.copy(file, folder)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit"], cwd=folder, check=True)


def _generate(folder: Path) -> None:
    plugin = folder / "node_modules" / ".bin" / "protoc-gen-es"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}"]
    options = [f"--plugin=protoc-gen-es={plugin}", f"--es_out={folder}"]
    written_in_js = "--es_opt=target=js,import_extension=js"
    contract = [str(file.relative_to(ROOT / "proto")) for file in ROOT.glob("proto/npc/v1/*.proto")]
    subprocess.run([*command, *options, written_in_js, *contract], check=True)
