"""How much of what the model saw was said before the player's first line: pure.

A prompt begins with the system message and the examples of its persona, and goes on with what was
said so far; both look alike. All turns of one persona version begin with the same messages, and the
first turn of a session has nothing else before its line. So that turn gives the number for all
others, of any session.
"""

from collections.abc import Iterable, Mapping

from feedback_store.records import Turn


def openings(turns: Iterable[Turn]) -> Mapping[str, int]:
    """By turn id, how many of its messages every conversation began with then.

    A turn is left out when no first turn of its persona version is known.
    """
    said = list(turns)
    shortest: dict[str, int] = {}
    for first in _first_of_sessions(said):
        if not first.messages:  # an author's words, for which no model read anything
            continue
        before_line = len(first.messages) - 1
        version = first.persona_version
        shortest[version] = min(before_line, shortest.get(version, before_line))
    known = (turn for turn in said if turn.persona_version in shortest)
    return {turn.turn_id: shortest[turn.persona_version] for turn in known}


def _first_of_sessions(turns: Iterable[Turn]) -> Iterable[Turn]:
    oldest: dict[str, Turn] = {}
    for turn in sorted(turns, key=lambda turn: (turn.created_at, turn.turn_id)):
        oldest.setdefault(turn.session_id, turn)
    return oldest.values()
