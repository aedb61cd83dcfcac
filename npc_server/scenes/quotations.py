"""Who said a line, as a character reads it: nobody can speak in the name of another. Pure.

What others said stands in square brackets and quotes, `[Anna says, "Hello."]`, as what happens
stands in brackets (`personas.notes.direction`). The latest line stands plain, as in a talk of two:
a small model answers it best so, and copies no form. A bracket above it tells whose it is, unless
there is one player, and it is theirs. Every line is one line of text. It holds no square bracket
and no double quote, so that it cannot end its own, and no colon that could end a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from languages.folding import fold
from languages.recognition import script_of
from languages.visibility import hidden_sign, is_visible
from npc_server.errors import InvalidRequestError
from personas.notes import direction, in_one_line, quotation

MAX_NAME_CHARACTERS = 48
#: Signs that are drawn like a colon.
_COLONS = ":\uff1a\ufe55\ufe13\ua789\u2236\u02d0\u02f8\u205a\u2982"
#: One that could end a name: not one between digits, as in a time, nor the eyes of a smiley.
_LABEL_END = re.compile(
    rf"\s*(?:(?<!\d)[{_COLONS}]|[{_COLONS}](?!\d))(?!(?:(?<=\s:)|(?<=^:))[-'o]?[()|/\\DPp](?!\w))"
)
_IN_NO_NAME = re.compile(rf"[{_COLONS}\[\]\"\u201c\u201d\n\r\t]")
_LOOK_ALIKE = {"LATIN", "CYRILLIC", "GREEK"}  # scripts that share the look of many letters


def quotation_of(name: str, text: str) -> str:
    """A line as those read it who hear others after it."""
    return direction(f"{name} says, {quotation(plain_line(text))}")


def latest_line(name: str, text: str) -> str:
    """A line as those read it who answer it; "" as the name = they know whose it is."""
    above = f"{direction(f'{name} speaks.')}\n" if name else ""
    return above + plain_line(text)


def plain_line(text: str) -> str:
    """The words in one line, without signs that set lines of others apart."""
    return _LABEL_END.sub(",", in_one_line(text))


def check_character_name(name: str, characters: Iterable[str], players: Iterable[str]) -> None:
    """Check that a character can be told apart from who is there. Raises InvalidRequestError."""
    if wrong := next(iter(_IN_NO_NAME.findall(name)), ""):
        raise InvalidRequestError(f"{name!r} holds {wrong!r}, which no name in a scene may")
    if any(fold(name).split() == fold(other).split() for other in characters):
        raise InvalidRequestError(f"two in the scene are called {name!r}: nobody could tell whom")
    if other := next((one for one in players if _alike(name, one)), ""):
        raise InvalidRequestError(f"{name!r} would be taken for the player {other!r}")


def check_player_name(field: str, name: str, taken: Iterable[str]) -> str:
    """Return the name that a player bears in a scene, with single blanks.

    Raises InvalidRequestError, which names `field`, for a name that cannot stand there, or that a
    reader could take for one of `taken`.
    """
    if not is_visible(name) or len(name) > MAX_NAME_CHARACTERS:
        raise InvalidRequestError(
            f"{field} has {len(name)} characters; a name has 1 to {MAX_NAME_CHARACTERS} that show"
        )
    own = " ".join(name.split())
    wrong = hidden_sign(name) or next(iter(_IN_NO_NAME.findall(name)), "")
    if wrong:
        raise InvalidRequestError(f"{field} holds {wrong!r}, which no name in a scene may")
    if len(scripts := _look_alike_scripts(own)) > 1:
        mixed = " and ".join(script.capitalize() for script in scripts)
        raise InvalidRequestError(f"{field} {own!r} mixes {mixed} letters; write it in one script")
    if other := next((one for one in taken if _alike(own, one)), ""):
        raise InvalidRequestError(
            f"{field} {own!r} would be taken for {other!r}, who is in the scene; choose another"
        )
    return own


def _alike(one: str, other: str) -> bool:
    """Whether two names are equal, or one is a word of the other: "Mira" and "Mira Holt"."""
    some, others = fold(one).split(), fold(other).split()
    return some == others or some in [[word] for word in others] or others in [[w] for w in some]


def _look_alike_scripts(name: str) -> list[str]:
    return sorted(_LOOK_ALIKE & {script_of(sign) for sign in name})
