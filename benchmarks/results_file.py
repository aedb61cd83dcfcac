"""A result's file is the old one or the new one, never a part: written beside its name."""

from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Write a file whole, its folder too if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
