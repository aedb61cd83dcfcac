"""Ada, a baker who shows what she feels and does things; and an engine's taste for what comes next.

The scripted engine has a token per byte, so that names which begin alike are told apart by many
questions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from npc_server.engine.protocol import Request
from personas.asides import EMPTY_EXCHANGES, EMPTY_LINES
from personas.fake import FakeTokenizer

CARD = """\
id: ada
name: Ada Rye
role: the baker
summary: You are kind.
voice: {style: You speak softly.}
emotions:
  - {label: glad, cue: glad}
  - {label: angry, cue: furious}
  - {label: afraid, cue: frightened}
actions:
  - name: hand_over
    parameters:
      - {name: loaf, kind: one_of, choices: [rye, wheat]}
      - {name: coins, kind: int, least: 0, most: 9}
  - name: lock_door
"""
LORE = "facts: [{id: oven, fact: Your oven is called Bertha., keywords: [bertha]}]\n"
PROBES = 'probes: [{id: oven, kind: fact, about: oven, ask: "What is it called?"}]\n'

HANDED = '{"loaf": "rye", "coins": 2}'  # arguments of hand_over

_EMPTY = (
    *(f"assistant\n{reply}" for _, reply in EMPTY_EXCHANGES),
    *(f"\n{line}<|im_end|>\n<|im_start|>assistant\n" for line in EMPTY_LINES),
)
LIKED, DISLIKED = -1.0, -9.0


def write_ada(root: Path, card: str = CARD) -> Path:
    """Write a cast of Ada alone; returns its folder."""
    folder = root / "cast" / "ada"
    folder.mkdir(parents=True)
    for name, text in (("persona", card), ("lore", LORE), ("probes", PROBES)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder.parent


def taste(*liked: str, name: str = "Ada Rye") -> Callable[[Request], tuple[float, ...]]:
    """A judge to whom these cues and names are likely behind any words but empty ones."""
    tokenizer = FakeTokenizer()

    def judge(request: Request) -> tuple[float, ...]:
        before, _, said = tokenizer.decode(request.prompt_ids).rpartition(f" ({name}:")
        if before.endswith(_EMPTY):
            return (DISLIKED,) * len(request.choices)
        ways = [f" {text})" for text in liked]
        nexts = [said + tokenizer.decode([token]) for token in request.choices]
        return tuple(
            LIKED if any(way.startswith(text) for way in ways) else DISLIKED for text in nexts
        )

    return judge


def is_aside(request: Request) -> bool:
    """Whether a request asks behind or before the words."""
    return bool(request.choices or request.sampling.json_schema)
