"""What came of actions: a game reports it, and the character hears of it with the next line.

A report waits with its conversation. The line that it is told with keeps it: another take on that
line hears it again, and so does the line that is said in place of one that failed. Reports that
nobody has heard end with the session, or with the server.
"""

from __future__ import annotations

from collections.abc import Sequence

from npc_server.errors import InvalidRequestError, UnknownTurnError
from npc_server.limits import check_report
from npc_server.note_sources import Moment
from npc_server.sessions import ActionReport, Session, Sessions, Take
from personas.actions import as_words
from personas.notes import Note, NoteKind

_ROOM_TOKENS = 48  # a sentence or two
_PRIORITY = 100  # what has just happened to the character goes before all it could remember


class ActionReports:
    """Takes reports; a `NoteSource`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def report(self, turn_id: str, name: str, text: str, *, ok: bool) -> None:
        """Tell the character what came of the action of a turn; "" as text = a plain sentence.

        Raises UnknownTurnError and InvalidRequestError.
        """
        session = self._sessions.of_turn(turn_id)
        take = session.take_of(turn_id) if session else None
        if session is None or take is None:
            raise UnknownTurnError(
                f"no open session has a turn {turn_id!r}; report an action before its session ends"
            )
        _require_action(take, name)
        told = check_report("text", text) or _plain_sentence(name, ok=ok)
        story = session.story
        waiting = [one for one in story.reports if one.turn_id != turn_id]
        story.reports = [*waiting, ActionReport(turn_id, told)]

    def room_tokens(self, session: Session) -> int:
        """Room for a report, from the first one on."""
        return _ROOM_TOKENS if session.story.reports else 0

    async def notes(self, moment: Moment) -> Sequence[Note]:
        """The reports that no line has been told with yet."""
        session = moment.session
        line, lived = len(session.exchanges), set(session.turn_ids())
        heard = [one for one in session.story.reports if one.turn_id in lived]
        for report in heard:
            report.told_with = line if report.told_with is None else report.told_with
        return [
            Note(NoteKind.EVENT, report.text, "action", _PRIORITY)
            for report in heard
            if report.told_with == line
        ]


def _require_action(take: Take, name: str) -> None:
    taken = take.action.name if take.action else ""
    if taken != name:
        what = f"its action is {taken!r}" if taken else "it has no action"
        raise InvalidRequestError(f"turn {take.turn_id!r} did not announce {name!r}: {what}")


def _plain_sentence(name: str, *, ok: bool) -> str:
    return f"You tried to {as_words(name)}, and it {'worked' if ok else 'failed'}."
