"""From what is stored to what is trained on: pure, a module for each question of the selection.

`select` takes them in order; its docstring is the way through. The names here are the door for
the other packages.
"""

from feedback_store.selection.lessons import (
    Drop,
    Edited,
    HeldOutBy,
    Labelled,
    Messages,
    Origin,
    Pair,
    Prompt,
)
from feedback_store.selection.likeness import RowT, texts
from feedback_store.selection.near_text import normalised
from feedback_store.selection.rules import Rules
from feedback_store.selection.select import Snapshot, changed, select
from feedback_store.selection.splits import is_held_out

__all__ = [
    "Drop",
    "Edited",
    "HeldOutBy",
    "Labelled",
    "Messages",
    "Origin",
    "Pair",
    "Prompt",
    "RowT",
    "Rules",
    "Snapshot",
    "changed",
    "is_held_out",
    "normalised",
    "select",
    "texts",
]
