"""Casts on disk: the sample characters, as often as wanted, each under an id of its own."""

from __future__ import annotations

import shutil
from itertools import cycle, islice
from pathlib import Path

from personas.persona_files import SAMPLE_CHARACTERS, character_folders

FEW = 3


def write_cast(root: Path, characters: int) -> Path:
    """Write so many characters below `root`; returns it. The first three are the sample cast."""
    samples = character_folders(SAMPLE_CHARACTERS)
    for number, sample in enumerate(islice(cycle(samples), characters)):
        name = sample.name if number < len(samples) else f"{sample.name}-{number}"
        _write_character(sample, root / name)
    return root


def _write_character(sample: Path, folder: Path) -> None:
    shutil.copytree(sample, folder)
    card = folder / "persona.yaml"
    text = card.read_text(encoding="utf-8")
    text = text.replace(f"id: {sample.name}", f"id: {folder.name}", 1)
    if folder.name != sample.name:  # nobody shares text with another by chance
        text = text.replace("role: ", f"role: number {folder.name.rpartition('-')[2]}, ", 1)
    card.write_text(text, encoding="utf-8")
