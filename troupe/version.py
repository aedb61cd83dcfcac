"""The version of Troupe that is imported."""

import tomllib
from importlib import metadata
from pathlib import Path


def find_version() -> str:
    """The installed version, or the one of pyproject.toml in a checkout that is not installed."""
    try:
        return metadata.version("troupe")
    except metadata.PackageNotFoundError:
        pyproject = Path(__file__).parents[1] / "pyproject.toml"
        return str(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"])


__version__ = find_version()
