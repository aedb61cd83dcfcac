"""The macros of cards, filled in once, when a card is imported. Pure.

Other programs fill them in at every reply. Here a persona is fixed, so that its version names what
was said and trained: `{{char}}` becomes the name, and a choice (`random`, `pick`, `roll`) is made
once, by the text itself, so that importing a card twice gives the same character.
Comments are left out, and so is what nothing here knows, such as the time; that is told.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_MACRO = re.compile(r"\{\{([^{}]*)\}\}")
_SHORT = re.compile(r"<(user|bot|char|start)>|\{(char|user)\}", re.IGNORECASE)
_ROLL = re.compile(r"\s*(\d{0,3})d?(\d{1,6})\s*(?:\+\s*(\d{1,6}))?\s*", re.IGNORECASE)
_MOST_PASSES = 8  # macros within macros


@dataclass(frozen=True)
class Names:
    """Whom the macros mean."""

    character: str
    player: str


@dataclass(frozen=True)
class Rendering:
    """A text without macros, and what became of those that are more than a name."""

    text: str
    chosen: tuple[str, ...] = ()  # macros whose choice was made once
    unknown: tuple[str, ...] = ()  # macros that were left out


def rendering(text: str, names: Names) -> Rendering:
    """Fill in every macro; what is left holds none."""
    chosen: list[str] = []
    unknown: list[str] = []

    def value_for(found: re.Match[str]) -> str:
        macro = found[0]
        value = _value_of(found[1].strip(), names, f"{text}\0{found.start()}")
        if value is None:
            unknown.append(macro)
        elif _is_choice(found[1]):
            chosen.append(macro)
        return value or ""

    for _ in range(_MOST_PASSES):
        if not _MACRO.search(text) and not _SHORT.search(text):
            break
        text = _SHORT.sub(lambda found: _short(found, names), _MACRO.sub(value_for, text))
    else:
        text = re.sub("[{}<>]", "", text)  # nested deeper than anybody writes
    return Rendering(text, tuple(chosen), tuple(unknown))


def _short(found: re.Match[str], names: Names) -> str:
    word = (found[1] or found[2]).lower()
    return {"user": names.player, "start": ""}.get(word, names.character)


def _is_choice(macro: str) -> bool:
    return macro.strip().lower().startswith(("random", "pick", "roll"))


def _value_of(macro: str, names: Names, seed: str) -> str | None:
    """What stands for a macro; None = nothing here knows it."""
    plain = {"char": names.character, "user": names.player, "newline": "\n", "noop": "", "trim": ""}
    if macro.lower() in plain:
        return plain[macro.lower()]
    if macro.startswith("//"):
        return ""
    kind, _, rest = macro.partition(":")
    take = _CHOICES.get(kind.strip().lower())
    return None if take is None else take(rest, seed)


def _pick(listed: str, seed: str) -> str | None:
    options = _options(listed)
    return options[_draw(seed, len(options))] if options else None


def _options(listed: str) -> Sequence[str]:
    """`a,b` or `:a::b`; a comma that is meant is written `\\,`."""
    if "::" in listed or listed.startswith(":"):
        return listed.removeprefix(":").split("::")
    return [part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", listed)]


def _roll(dice: str, seed: str) -> str | None:
    found = _ROLL.fullmatch(dice.removeprefix(":"))
    if found is None or int(found[2]) == 0:
        return None
    times = int(found[1] or 1)
    rolled = (1 + _draw(f"{seed}\0{at}", int(found[2])) for at in range(times))
    return str(sum(rolled) + int(found[3] or 0))


def _silent(_hidden: str, _seed: str) -> str:
    return ""


def _draw(seed: str, count: int) -> int:
    """A number below `count` that the seed alone decides."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") % count


_CHOICES: dict[str, Callable[[str, str], str | None]] = {
    "random": _pick,
    "pick": _pick,
    "roll": _roll,
    "comment": _silent,
    "hidden_key": _silent,
}
