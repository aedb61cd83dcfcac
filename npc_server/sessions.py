"""The open conversations, in memory: who talks to whom, and what was said.

A conversation is a list of exchanges: the player's line and the takes on a reply, one of which is
kept. The next prompt continues from the kept takes, as corrected. A choice or a correction can be
undone: what it had replaced counts again. A take that was broken off holds what was sent of it, and
stays; with nothing sent it is kept only where there is no other. Everything durable is in the
feedback store.
"""

from __future__ import annotations

import asyncio
from bisect import insort_right
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter

from feedback_store.records import JSON
from feedback_store.records import Session as SessionRecord
from npc_server.adapters import LiveAdapter
from npc_server.errors import NotLatestTurnError, SessionBusyError, UnknownSessionError
from npc_server.reply_events import Answer, ChosenAction
from personas.notes import Note
from personas.persona import Persona
from personas.render import Line, Speaker
from personas.situation import NOTHING_REPORTED, Situation
from personas.triggers import Trigger

#: How long a call waits for a reply that was running when it came. A cancelled call is told to the
#: server beside the next one of its client, so either may be seen first; the rest takes no time.
SETTLE_S = 0.5


@dataclass(frozen=True)
class _Correction:
    event_id: str  # "" = it came with a save game
    text: str
    at: datetime


@dataclass(frozen=True)
class _Keeping:
    take: int
    event_id: str | None  # of the choice; None = it was the newest take; "" = from a save game
    at: datetime


@dataclass
class UnheardReport:
    """What came of the action of a turn, which the character is to be told once."""

    turn_id: str
    text: str
    told_with: int | None = None  # the exchange, by number; None = it waits for the next line


@dataclass
class Take:
    """One reply to a line, as said and as corrected."""

    turn_id: str
    said: str
    interrupted: bool = False  # broken off after `said`
    call_id: str = ""  # of the call that asked for it; "" = it had none
    action: ChosenAction | None = None  # that it announced
    answer: Answer | None = None  # for that call, should it be repeated; None = there is none
    unread: bool = False  # no model is to read the line and this answer to it
    ended_at: datetime = field(default_factory=lambda: datetime.now(UTC))  # as its turn has it
    corrections: list[_Correction] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text that counts: the latest correction, or else what was said."""
        return self.said if self.correction is None else self.correction

    @property
    def broken_off(self) -> bool:
        """Whether the text that counts is the beginning of an interrupted reply."""
        return self.interrupted and self.correction is None

    @property
    def correction(self) -> str | None:
        """The player's latest correction; None = none."""
        return self.corrections[-1].text if self.corrections else None

    @property
    def corrected_at(self) -> datetime | None:
        """When the player wrote that; None = there is no correction."""
        return self.corrections[-1].at if self.corrections else None


@dataclass(frozen=True)
class Cue:
    """What makes a character speak where the player said nothing."""

    event: str  # as the game calls it
    asked: str  # what the model reads for this reply, in place of the exchange's text
    verbatim: str = ""  # what is said, word for word; "" = the model finds the words


@dataclass(frozen=True)
class Overheard:
    """What began an exchange in a scene, where its text is what several said."""

    player_id: str  # the pseudonym of the player whom the character answers
    told: str  # that player's own words in it; "" = others spoke
    echoes: tuple[str, ...] = ()  # what other characters said, whose phrases count as said
    words_of: tuple[str, ...] = ()  # pseudonyms of players who speak or are answered in it


@dataclass
class Exchange:
    """The player's line, the takes on a reply, and which of them is kept."""

    player_text: str  # or what happened, or what was heard in a scene
    #: What the character is told for it, the same for every take; None = not asked for yet.
    notes: tuple[Note, ...] | None = None
    hearers: tuple[str, ...] = ()  # ids of the characters that hear it; () = the one spoken to
    takes: list[Take] = field(default_factory=list)
    replied_at: datetime = field(default_factory=lambda: datetime.now(UTC))  # the newest take's end
    cue: Cue | None = None  # in place of a line; None = the player said one
    overheard: Overheard | None = None  # in a scene
    annotations: Mapping[str, JSON] = field(default_factory=dict)  # of its turns, by topic
    told: tuple[Note, ...] = ()  # of the notes, those that had room
    _keepings: list[_Keeping] = field(default_factory=list)  # the last one counts

    @property
    def of_player(self) -> bool:
        """Whether it began with the player speaking to this character."""
        return self.cue is None and self.overheard is None

    @property
    def typed(self) -> str:
        """What a player wrote of what the model replies to; "" = nothing."""
        if self.overheard is not None:
            return self.overheard.told
        return self.player_text if self.cue is None else ""

    def told_by(self, player_id: str) -> str:
        """What the player of this pseudonym, who has a session with it, said in it."""
        if self.overheard is not None and self.overheard.player_id != player_id:
            return ""
        return self.typed

    @property
    def asked(self) -> str:
        """What the model replies to."""
        return self.cue.asked if self.cue else self.player_text

    @property
    def verbatim(self) -> str:
        """What an author has the character say; "" = the model finds the words."""
        return self.cue.verbatim if self.cue else ""

    @property
    def kept(self) -> Take:
        """The take that the conversation goes on from: the newest, unless the player chose."""
        return self.takes[self._keepings[-1].take]

    @property
    def chosen(self) -> bool:
        """Whether the player chose the kept take."""
        return self._keepings[-1].event_id is not None

    @property
    def kept_at(self) -> datetime:
        """When the kept take was chosen, or ended."""
        return self._keepings[-1].at

    def add(self, take: Take) -> None:
        """Add a take, and keep it unless nothing of it was heard and there is another."""
        self.takes.append(take)
        self.replied_at = datetime.now(UTC)
        if take.said or not take.interrupted or not self._keepings:
            self._insert(_Keeping(len(self.takes) - 1, None, take.ended_at))

    def answer_to(self, call_id: str) -> Answer | None:
        """The complete reply to the call with this id; None = there is none."""
        answers = (take.answer for take in self.takes if take.call_id == call_id)
        return next((answer for answer in answers if answer is not None), None)

    def keep(self, turn_id: str, event_id: str, at: datetime) -> None:
        """Keep the take of this turn, if it is one of these: the player chose it at that time.

        A choice that was made before the one that counts, and comes in late, changes nothing.
        """
        for i, take in enumerate(self.takes):
            if take.turn_id == turn_id:
                self._insert(_Keeping(i, event_id, at))

    def correct(self, turn_id: str, text: str, event_id: str, at: datetime) -> None:
        """Replace a take's text by what the player wrote then, unless a later one is there."""
        for take in self.takes:
            if take.turn_id == turn_id:
                correction = _Correction(event_id, text, at)
                insort_right(take.corrections, correction, key=attrgetter("at"))

    def _insert(self, keeping: _Keeping) -> None:
        insort_right(self._keepings, keeping, key=attrgetter("at"))

    def unkeep(self, turn_id: str, event_id: str) -> None:
        """Undo that choice."""
        for i, keeping in enumerate(self._keepings):
            from_save = keeping.event_id == "" and self.takes[keeping.take].turn_id == turn_id
            if keeping.event_id == event_id or from_save:
                del self._keepings[i]
                return


@dataclass(frozen=True, eq=False)
class _Running:
    call_id: str  # "" = the call has none
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Story:
    """What a character has lived through in a conversation.

    In a scene it has a session for each player whom it answers, and one story.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    situation: Situation = NOTHING_REPORTED  # as its game tells it; replaced, never changed
    reports: list[UnheardReport] = field(default_factory=list)
    fired_at_s: dict[Trigger, float] = field(default_factory=dict)  # by the monotonic clock

    def turn_ids(self) -> list[str]:
        """The ids of all takes."""
        return [take.turn_id for exchange in self.exchanges for take in exchange.takes]


@dataclass
class Session:
    """One player's conversation with one character."""

    record: SessionRecord
    persona: Persona
    story: Story = field(default_factory=Story)
    turns: int = 0
    _running: _Running | None = None
    brought: tuple[Line, ...] = ()  # was said before it began, as its client tells; not recorded
    scene: tuple[str, ...] = ()  # sentences that its client wants told before every line
    on_trial: LiveAdapter | None = None  # speaks in place of the live one; None = none does
    _telling: list[_Running] = field(default_factory=list)  # what comes after their words

    @property
    def scene_id(self) -> str:
        """The scene that it is a part of; "" = it is a talk of two."""
        return self.record.scene_id

    @property
    def exchanges(self) -> list[Exchange]:
        """What was said, oldest first."""
        return self.story.exchanges

    @property
    def situation(self) -> Situation:
        """How things stand, as its game tells."""
        return self.story.situation

    @property
    def session_id(self) -> str:
        """The id of the session."""
        return self.record.session_id

    @contextmanager
    def claim_turn(self, call_id: str = "") -> Iterator[None]:
        """Claim the session for one turn. Raises SessionBusyError while another runs."""
        if self._running is not None:
            raise SessionBusyError(
                f"session {self.session_id} has a reply running; wait for it or cancel it"
            )
        self._running = running = _Running(call_id)
        try:
            yield
        finally:
            if self._running is running:
                self._running = None
            if running in self._telling:
                self._telling.remove(running)
            running.ended.set()

    def go_on(self) -> None:
        """Let the next turn claim the session: of the running one all words are said."""
        if self._running is not None:
            self._telling.append(self._running)
            self._running = None

    async def settle(self, call_id: str = "") -> None:
        """Wait until no reply runs: SETTLE_S at most, which is enough for a cancelled one.

        A reply to the call with the same id is waited for to its end, with all that comes after its
        words. The caller may claim the session at once if nothing runs then, as nothing else comes
        between.
        """
        patience_ends_s = asyncio.get_running_loop().time() + SETTLE_S
        with suppress(TimeoutError):
            while (running := self._running or self._telling_of(call_id)) is not None:
                same_call = bool(call_id) and running.call_id == call_id
                async with asyncio.timeout_at(None if same_call else patience_ends_s):
                    await running.ended.wait()

    async def settle_all(self) -> None:
        """Wait as `settle`, and until all that was said is recorded."""
        await self.settle()
        for running in list(self._telling):
            await running.ended.wait()

    def _telling_of(self, call_id: str) -> _Running | None:
        same = (one for one in self._telling if call_id and one.call_id == call_id)
        return next(same, None)

    def history(self, exchanges: int | None = None) -> list[Line]:
        """The lines of the first `exchanges` exchanges, or of all."""
        lines = [Line(Speaker.CHARACTER, greeting)] if (greeting := self.record.greeting) else []
        lines += self.brought
        for exchange in self.exchanges[:exchanges]:
            if exchange.kept.unread:
                continue
            lines.append(Line(Speaker.PLAYER, exchange.player_text))
            kept = exchange.kept
            lines.append(Line(Speaker.CHARACTER, kept.text, interrupted=kept.broken_off))
        return lines

    def history_before(self, exchange: Exchange) -> list[Line]:
        """The lines before an exchange: the latest one, or one that is not said yet."""
        return self.history(len(self.exchanges) - bool(exchange.takes))

    def exchange_of_call(self, call_id: str) -> Exchange | None:
        """The exchange that a call with this id was about; None = there is none."""
        for exchange in reversed(self.exchanges):
            if call_id and any(take.call_id == call_id for take in exchange.takes):
                return exchange
        return None

    def latest(self, turn_id: str) -> Exchange:
        """The latest exchange, if `turn_id` is one of its takes. Raises NotLatestTurnError."""
        if self.exchanges and any(take.turn_id == turn_id for take in self.exchanges[-1].takes):
            return self.exchanges[-1]
        raise NotLatestTurnError(
            f"turn {turn_id!r} is not the latest of session {self.session_id}; "
            "only the latest turn has another take"
        )

    def require_open(self, exchange: Exchange) -> None:
        """Raises NotLatestTurnError for an exchange that the conversation has gone on from."""
        if exchange.takes and exchange is not self.exchanges[-1]:
            raise NotLatestTurnError(
                "the reply to this line was interrupted, and the conversation has gone on since;"
                " say it again under a new id"
            )

    def keep(self, turn_id: str, event_id: str, at: datetime) -> None:
        """Keep the take that the player chose then; turns of other sessions are ignored."""
        for exchange in self.exchanges:
            exchange.keep(turn_id, event_id, at)

    def unkeep(self, turn_id: str, event_id: str) -> None:
        """Undo a choice; unknown ones are ignored."""
        for exchange in self.exchanges:
            exchange.unkeep(turn_id, event_id)

    def correct(self, turn_id: str, text: str, event_id: str, at: datetime) -> None:
        """Replace a take's text by what the player wrote then, unless a later one is there.

        Turns of other sessions are ignored.
        """
        for exchange in self.exchanges:
            exchange.correct(turn_id, text, event_id, at)

    def uncorrect(self, turn_id: str, text: str, event_id: str) -> None:
        """Undo a correction; unknown ones are ignored."""
        for take in self._takes(turn_id):
            for known in take.corrections:
                if known.text == text and known.event_id in (event_id, ""):
                    take.corrections.remove(known)
                    break

    def turn_ids(self) -> list[str]:
        """The ids of all takes of the conversation."""
        return self.story.turn_ids()

    def take_of(self, turn_id: str) -> Take | None:
        """The take of a turn; None = the conversation has none."""
        return next(iter(self._takes(turn_id)), None)

    def _takes(self, turn_id: str) -> list[Take]:
        takes = (take for exchange in self.exchanges for take in exchange.takes)
        return [take for take in takes if take.turn_id == turn_id]


class Sessions:
    """The open sessions, at most `limit`; a new one replaces the one that is idle for longest."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._of_turn: dict[str, Session] = {}  # for events, which name a turn
        self._counts: Counter[tuple[str, str]] = Counter()  # by game, and by player of it

    def __len__(self) -> int:
        return len(self._open)

    def add(self, session: Session) -> None:
        """Open a session."""
        if there := self._open.get(session.session_id):
            self._uncount(there)
        self._open[session.session_id] = session
        self._counts.update(_owners(session))
        self._of_turn |= dict.fromkeys(session.turn_ids(), session)
        while len(self._open) > self._limit:
            self._close(self._open.popitem(last=False)[1])

    def count(self, game: str, player_id: str) -> int:
        """How many a game has open; with a player's pseudonym, how many they have."""
        return self._counts[game, player_id]

    def characters(self) -> set[str]:
        """Those whom somebody talks with."""
        return {session.record.character for session in self._open.values()}

    def get(self, session_id: str) -> Session:
        """An open session. Raises UnknownSessionError."""
        session = self._open.get(session_id)
        if session is None:
            raise no_such_session(session_id)
        self._open.move_to_end(session_id)
        return session

    def find(self, session_id: str) -> Session | None:
        """An open session, or None."""
        return self._open.get(session_id)

    def of_turn(self, turn_id: str) -> Session | None:
        """The open session whose conversation holds this turn, or None."""
        return self._of_turn.get(turn_id)

    def add_take(self, session: Session, exchange: Exchange, take: Take) -> None:
        """Add a reply, complete or broken off, from which the conversation continues."""
        exchange.add(take)
        session.turns += 1
        if len(exchange.takes) == 1:
            session.exchanges.append(exchange)
        if self.find(session.session_id) is session:
            self._of_turn[take.turn_id] = session

    def go_back(self, session: Session, rebuilt: Session) -> None:
        """Take an open session back to what a rebuilt one has lived through."""
        self._forget(session)
        session.story = rebuilt.story
        self._of_turn |= dict.fromkeys(session.turn_ids(), session)

    def end(self, session_id: str) -> Session:
        """Close a session. Raises UnknownSessionError."""
        session = self.get(session_id)
        del self._open[session_id]
        self._close(session)
        return session

    def _close(self, session: Session) -> None:
        self._forget(session)
        self._uncount(session)

    def _uncount(self, session: Session) -> None:
        self._counts.subtract(_owners(session))
        for owner in _owners(session):
            if not self._counts[owner]:
                del self._counts[owner]

    def _forget(self, session: Session) -> None:
        for turn_id in session.turn_ids():
            self._of_turn.pop(turn_id, None)


def _owners(session: Session) -> tuple[tuple[str, str], ...]:
    record = session.record
    return (record.game, ""), (record.game, record.player_id)


def no_such_session(session_id: str) -> UnknownSessionError:
    """The error about a session that is not open."""
    return UnknownSessionError(
        f"no open session {session_id!r}; sessions end with EndSession or a restart: "
        "start a new one, or restore a checkpoint of this one"
    )
