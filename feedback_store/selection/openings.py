"""How much of what the model saw was said before the player's first line: pure.

A prompt begins with the system message and the examples of its persona, and goes on with what was
said so far; both look alike. A turn says how many messages it began with. Those of earlier releases
do not: all turns of one persona version begin with the same messages, and the first turn of a
session had nothing else before its line. So that turn gives the number for all others, of any
session.
"""

from collections.abc import Iterable, Mapping

from feedback_store.records import OPENING, Turn


def openings(turns: Iterable[Turn]) -> Mapping[str, int]:
    """By turn id, how many of its messages every conversation began with then.

    A turn is left out when it does not say so, and no first turn of its persona version is known.
    """
    told, said = _told_and_untold(turns)
    shortest: dict[str, int] = {}
    for first in _first_of_sessions(said):
        if not first.messages:  # an author's words, for which no model read anything
            continue
        before_line = len(first.messages) - 1
        version = first.persona_version
        shortest[version] = min(before_line, shortest.get(version, before_line))
    known = (turn for turn in said if turn.persona_version in shortest)
    return told | {turn.turn_id: shortest[turn.persona_version] for turn in known}


def _told_and_untold(turns: Iterable[Turn]) -> tuple[dict[str, int], list[Turn]]:
    told: dict[str, int] = {}
    untold: list[Turn] = []
    for turn in turns:
        opening = turn.annotations.get(OPENING)
        if isinstance(opening, int):
            told[turn.turn_id] = opening
        else:
            untold.append(turn)
    return told, untold


def _first_of_sessions(turns: Iterable[Turn]) -> Iterable[Turn]:
    oldest: dict[str, Turn] = {}
    for turn in sorted(turns, key=lambda turn: (turn.created_at, turn.turn_id)):
        oldest.setdefault(turn.session_id, turn)
    return oldest.values()
