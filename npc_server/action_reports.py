"""What came of actions: a game reports it, and the character hears of it with the next line.

A report waits with its conversation. The line that it is told with keeps it: another take on that
line hears it again, and so does the line that is said in place of one that failed. It is stored,
too, behind its turn: a save game brings back what nobody had heard of then, in the same server or
in a later one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

from feedback_store.records import ActionReport, Turn
from npc_server.errors import InvalidRequestError, UnknownTurnError
from npc_server.limits import check_report
from npc_server.note_sources import Moment
from npc_server.recorder import Recorder
from npc_server.sessions import Session, Sessions, Take, UnheardReport
from npc_server.turns import stored_notes
from personas.actions import as_words
from personas.notes import Note, NoteKind
from personas.render import Tokenizer

_LEAST_ROOM_TOKENS = 48  # a sentence or two
_PRIORITY = 100  # what has just happened to the character goes before all it could remember


class ActionReports:
    """Takes reports; a `NoteSource`."""

    def __init__(self, sessions: Sessions, recorder: Recorder, tokenizer: Tokenizer) -> None:
        self._sessions = sessions
        self._recorder = recorder
        self._tokenizer = tokenizer

    async def report(self, turn_id: str, name: str, text: str, *, ok: bool) -> None:
        """Tell the character what came of the action of a turn; "" as text = a plain sentence.

        The same again changes nothing. Raises UnknownTurnError and InvalidRequestError.
        """
        session = self._sessions.of_turn(turn_id)
        take = session.take_of(turn_id) if session else None
        if session is None or take is None:
            raise no_such_turn(turn_id)
        _require_action(take, name)
        told = check_report("text", text) or _plain_sentence(name, ok=ok)
        if any((one.turn_id, one.text) == (turn_id, told) for one in session.story.reports):
            return
        others = [one for one in session.story.reports if one.turn_id != turn_id]
        session.story.reports = [*others, UnheardReport(turn_id, told)]
        now = datetime.now(UTC)
        stored = ActionReport(turn_id, session.session_id, told, now)
        await self._recorder.record_action_report(stored)

    def room_tokens(self, session: Session) -> int:
        """Room for what is told with the next line, from the first report on."""
        if not session.story.reports:
            return 0
        told = (self._tokenizer.encode(f" [{one.text}]\n") for one in _due(session))
        return max(_LEAST_ROOM_TOKENS, sum(map(len, told)))

    async def notes(self, moment: Moment) -> Sequence[Note]:
        """The reports that no line has been told with yet."""
        due = _due(moment.session)
        for report in due:
            report.told_with = len(moment.session.exchanges)
        return [_note(report.turn_id, report.text) for report in due]


def unheard_reports(
    lived: Collection[str],  # ids of the turns that the character had lived through
    saved_at: datetime,
    turns: Iterable[Turn],  # of the whole conversation
    reports: Iterable[ActionReport],
) -> list[UnheardReport]:
    """The reports that wait where a save game leads back to.

    What came in after it has not happened yet there, unless nothing was said since: then the
    conversation goes on from where it was.
    """
    there = list(turns)
    went_on = any(turn.turn_id not in lived and turn.created_at > saved_at for turn in there)
    told = _told_with(turn for turn in there if turn.turn_id in lived)
    return [
        UnheardReport(one.turn_id, one.text)
        for one in reports
        if one.turn_id in lived
        and _note(one.turn_id, one.text) not in told
        and not (went_on and one.reported_at > saved_at)
    ]


def _told_with(turns: Iterable[Turn]) -> Collection[Note]:
    return {note for turn in turns for note in stored_notes(turn)}


def _due(session: Session) -> list[UnheardReport]:
    """What the next line is told with: a line that failed may have been told with it, too."""
    line, lived = len(session.exchanges), set(session.turn_ids())
    return [
        one
        for one in session.story.reports
        if one.turn_id in lived and one.told_with in (None, line)
    ]


def _note(turn_id: str, text: str) -> Note:
    return Note(NoteKind.EVENT, text, f"action/{turn_id}", _PRIORITY)


def no_such_turn(turn_id: str) -> UnknownTurnError:
    """The error about a turn that no open session has."""
    return UnknownTurnError(
        f"no open session has a turn {turn_id!r}; report an action before its session ends"
    )


def _require_action(take: Take, name: str) -> None:
    taken = take.action.name if take.action else ""
    if taken != name:
        what = f"its action is {taken!r}" if taken else "it has no action"
        raise InvalidRequestError(f"turn {take.turn_id!r} did not announce {name!r}: {what}")


def _plain_sentence(name: str, *, ok: bool) -> str:
    return f"You tried to {as_words(name)}, and it {'worked' if ok else 'failed'}."
