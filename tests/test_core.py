"""The core: what serves, talks and keeps feedback needs no extra of the distribution."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions

from packaging.requirements import Requirement

CORE = ("personas", "feedback_store", "npc_server", "npc_client", "troupe")

#: As in an environment without these packages, which others import where they find them.
IMPORT_ALL_WITHOUT = """
import importlib, pkgutil, sys
missing = set(sys.argv[1].split(","))
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)
sys.meta_path.insert(0, NotInstalled())
for name in sys.argv[2:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        importlib.import_module(module.name)
"""


def plain(name: str) -> str:
    """A distribution's name as they compare."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(name: str) -> set[str]:
    """A distribution and all that it requires without extras."""
    found, waiting = set(), [plain(name)]
    while waiting:
        if (one := waiting.pop()) in found:
            continue
        found.add(one)
        for line in distribution(one).requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(plain(requirement.name))
    return found


def beyond(names: set[str]) -> list[str]:
    """What can be imported here of other distributions than these."""
    owners = packages_distributions().items()
    return [package for package, by in owners if not names & set(map(plain, by))]


def test_the_core_does_without_what_only_an_extra_installs() -> None:
    missing = beyond(required("troupe"))
    assert {"torch", "pytest", "datasette"} <= set(missing)
    command = (sys.executable, "-c", IMPORT_ALL_WITHOUT, ",".join(missing), *CORE)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
