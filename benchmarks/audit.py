"""What is installed, under which licences, and what is known to be wrong with it: `make audit`.

Licences are what the packages say of themselves, compared with a list of those that may be used
here; an expression passes if one side of each OR, and all sides of each AND, do. Known
vulnerabilities are asked of pip-audit, where it is installed and reaches its database; where not,
that is said, and nothing is called sound.

Exit code 0: nothing found. 1: a licence or a vulnerability. 2: licences pass, the rest is unknown.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec

from rich.console import Console
from rich.table import Table

#: Licences as they are called here, without numbers of versions and clauses.
ALLOWED = frozenset(
    {
        "0bsd",
        "apache",
        "apache with llvm exception",
        "bsd",
        "bsl",
        "cc0",
        "cnri python",
        "dfsg approved",
        "isc",
        "isc iscl",
        "mit",
        "mit cmu",
        "mozilla public mpl",
        "mpl",
        "psf",
        "public domain",
        "python foundation",
        "zlib",
    }
)
_FILLING = {"license", "licence", "software", "version", "clause", "universal", "the"}
_OF_CLASSIFIERS = "License :: "
_AUDIT_S = 120


class Known(StrEnum):
    """What is known of vulnerabilities."""

    NONE = "none is known"
    SOME = "some are known"
    NOTHING = "nobody could be asked"


@dataclass(frozen=True)
class Package:
    """An installed package as it describes itself."""

    name: str
    version: str
    license: str  # "" = it says nothing


@dataclass(frozen=True)
class Finding:
    """What pip-audit said."""

    known: Known
    said: str


def is_allowed(stated: str) -> bool:
    """Whether a licence, or an expression of several, is on the list."""
    sides = re.split(r"\bAND\b|;", re.sub(r"[()]", " ", stated))
    return all(any(_plain(one) in ALLOWED for one in re.split(r"\bOR\b", side)) for side in sides)


def refused(packages: Iterable[Package]) -> tuple[Package, ...]:
    """The packages whose licence is not on the list, or not stated."""
    return tuple(package for package in packages if not is_allowed(package.license))


def finding_of(exit_code: int, printed: str, complaint: str) -> Finding:
    """What an answer of pip-audit means; a failure to ask is no sign that all is well."""
    if exit_code == 0:
        return Finding(Known.NONE, complaint.strip())
    if exit_code == 1 and "Fix Versions" in printed:
        return Finding(Known.SOME, printed.strip())
    return Finding(Known.NOTHING, (complaint.strip().splitlines() or ["no answer"])[-1])


def exit_code_of(packages: Iterable[Package], finding: Finding) -> int:
    """What the command ends with."""
    if refused(packages) or finding.known is Known.SOME:
        return 1
    return 2 if finding.known is Known.NOTHING else 0


def installed() -> tuple[Package, ...]:
    """Every package of this environment, by name, but Troupe itself."""
    found = {package.name: package for package in map(_package, distributions())}
    return tuple(found[name] for name in sorted(found, key=str.casefold) if name != "troupe")


def ask_pip_audit() -> Finding:
    """Ask pip-audit about this environment."""
    if find_spec("pip_audit") is None:
        return Finding(Known.NOTHING, "pip-audit is not installed")
    line = [
        sys.executable,
        "-m",
        "pip_audit",
        "--local",
        "--skip-editable",
        "--progress-spinner=off",
    ]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=_AUDIT_S, check=False)
    except subprocess.TimeoutExpired:
        return Finding(Known.NOTHING, f"no answer in {_AUDIT_S} s")
    return finding_of(done.returncode, done.stdout, done.stderr)


def _plain(stated: str) -> str:
    words = re.findall(r"[a-z][a-z0-9]*|\d+[a-z]+", stated.casefold())
    return " ".join(dict.fromkeys(word for word in words if word not in _FILLING))


def _package(found: Distribution) -> Package:
    said = found.metadata
    classifiers = said.get_all("Classifier") or []
    named = [one.split(" :: ")[-1] for one in classifiers if one.startswith(_OF_CLASSIFIERS)]
    first_line = _field(found, "License").strip().partition("\n")[0]
    stated = _field(found, "License-Expression") or "; ".join(named) or first_line
    return Package(said["Name"], found.version, stated)


def _field(found: Distribution, name: str) -> str:
    return next(iter(found.metadata.get_all(name) or ()), "")


def main() -> int:
    """Print all licences and what is known, and return the exit code."""
    packages, finding, console = installed(), ask_pip_audit(), Console()
    table = Table("package", "version", "licence", "allowed")
    for one in packages:
        allowed = "yes" if is_allowed(one.license) else "NO"
        table.add_row(one.name, one.version, one.license or "not stated", allowed)
    console.print(table)
    bad = ", ".join(one.name for one in refused(packages)) or "none"
    console.print(f"{len(packages)} packages; licences that are not allowed: {bad}")
    console.print(f"known vulnerabilities: {finding.known}. {finding.said}", markup=False)
    return exit_code_of(packages, finding)


if __name__ == "__main__":
    sys.exit(main())
