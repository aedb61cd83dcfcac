"""The changelog and the version say the same."""

import re
import tomllib
from datetime import date

from tests.support.paths import ROOT
from troupe.version import __version__

UNRELEASED = "Unreleased"


def sections() -> dict[str, str]:
    """Versions in the order of the changelog, each with its day; "" for what is not released."""
    found = re.findall(
        r"^## (\S+)(?: \((.+)\))?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    return dict(found)


def project_version() -> str:
    """The version that a wheel built now would have."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def test_the_newest_release_in_the_changelog_is_the_version() -> None:
    releases = [version for version in sections() if version != UNRELEASED]
    assert releases[0] == project_version()


def test_the_newest_stands_first() -> None:
    versions = list(sections())
    assert versions[0] == UNRELEASED or UNRELEASED not in versions
    releases = [(date.fromisoformat(day), version) for version, day in sections().items() if day]
    assert releases == sorted(releases, reverse=True)
    assert len(releases) == len(set(versions) - {UNRELEASED})


def test_the_imported_version_is_the_one_of_the_checkout() -> None:
    assert __version__ == project_version(), "pip install -e . again"
