"""Casts for tests: Mira of the sample characters, drawn in another way."""

from __future__ import annotations

from pathlib import Path

import yaml

from personas.persona_files import SAMPLE_CHARACTERS


def mira_with(folder: Path, **sampling: float) -> Path:
    """The folder of a cast of Mira alone, with other values of her sampling."""
    home = folder / "cast" / "mira"
    home.mkdir(parents=True)
    for file in (SAMPLE_CHARACTERS / "mira").iterdir():
        (home / file.name).write_bytes(file.read_bytes())
    card = yaml.safe_load((home / "persona.yaml").read_text(encoding="utf-8"))
    card["sampling"] |= sampling
    (home / "persona.yaml").write_text(yaml.safe_dump(card, allow_unicode=True), encoding="utf-8")
    return home.parent
