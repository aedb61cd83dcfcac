"""Which talk a transcript belongs to, and where in it the call comes in.

Clients name no session: they send all that was said again. Everything up to a line of the player
names that line, and so the talk that it was said in; of a client that leaves out what is oldest,
the line with the exchange before it does. From the last line that is known, the talk is followed
reply by reply: a reply that is another take than the kept one was picked, one that nobody said was
written by the player. Where a talk went on otherwise, the call belongs to none, and a new one
begins.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rapidfuzz import fuzz

from languages.visibility import is_visible
from npc_server.doors.openai.transcripts import MAX_BROUGHT_CHARACTERS, Transcript
from npc_server.limits import MAX_LINE_CHARACTERS
from npc_server.sessions import Exchange, Session, Take

MOST_THREADS = 5_000
KEPT_S = 6 * 3600.0  # after the last call


@dataclass(eq=False)
class Thread:
    """A talk with a client, whose session opens with the first call."""

    session: Session | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # of the call that is being answered
    lines: list[str] = field(default_factory=list)  # digest of what began each exchange
    call_ids: list[str] = field(default_factory=list)  # of the call that did; "" = it had none
    keys: list[str] = field(default_factory=list)  # that lead here
    used_at_s: float = 0.0

    def begin(self, at: int, line: str, call_id: str) -> None:
        """Have exchange number `at`, the next one, begin with this line."""
        self.lines[at:] = [digest(line)]
        self.call_ids[at:] = [call_id]

    def began(self, at: int, line: str) -> bool:
        """Whether this line began exchange number `at`."""
        return self.lines[at : at + 1] == [digest(line)]

    @property
    def exchanges(self) -> Sequence[Exchange]:
        """What was said so far."""
        return self.session.exchanges if self.session else ()


@dataclass(frozen=True)
class Pick:
    """A take that was kept, over others."""

    turn_id: str
    over: tuple[str, ...] = ()  # () = there is no whole one to compare it with
    position: int = 0  # among all whole ones, from 1


@dataclass(frozen=True)
class Rewriting:
    """What the player wrote in place of a reply."""

    turn_id: str
    text: str


@dataclass(frozen=True)
class Place:
    """Where a call comes in: at an exchange that is there, or at the next one."""

    at: int  # number of the exchange
    pick: Pick | None = None
    rewritings: tuple[Rewriting, ...] = ()


@dataclass(frozen=True)
class Trail:
    """Keys of a transcript, for every line of the player; of whose talk it is, too."""

    wholes: Sequence[str]  # of all that was said up to the line
    ends: Sequence[str]  # of the line and the exchange before it; "" = there is none


class Threads:
    """The talks that are known, a limited number for a limited time."""

    def __init__(
        self,
        clock: Callable[[], float],
        end: Callable[[Session], None],  # gets those of talks that are forgotten
        most: int = MOST_THREADS,
        kept_s: float = KEPT_S,
    ) -> None:
        self._clock = clock
        self._end = end
        self._most = most
        self._kept_s = kept_s
        self._by_key: dict[str, tuple[Thread, int]] = {}
        self._by_use: OrderedDict[Thread, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_use)

    def find(self, trail: Trail) -> tuple[Thread, int, int] | None:
        """The talk that knows the most of a transcript.

        Returns it, the exchange that the last known line began, and that line's number.
        """
        self._forget_old()
        for keys in (trail.wholes, trail.ends):
            for number in range(len(keys) - 1, -1, -1):
                if found := self._by_key.get(keys[number]):
                    return (*found, number)
        return None

    def note(self, thread: Thread, trail: Trail, at: int) -> None:
        """Have a transcript lead to the exchange of a talk that its last line begins."""
        for key in filter(None, (trail.wholes[-1], trail.ends[-1])):
            if self._by_key.get(key) != (thread, at):
                self._by_key[key] = (thread, at)
                thread.keys.append(key)
        thread.used_at_s = self._clock()
        self._by_use[thread] = None
        self._by_use.move_to_end(thread)

    def forget(self, thread: Thread) -> None:
        """Know a talk no more."""
        self._by_use.pop(thread, None)
        for key in thread.keys:
            if self._by_key.get(key, (None,))[0] is thread:
                del self._by_key[key]
        if thread.session is not None:
            self._end(thread.session)

    def _forget_old(self) -> None:
        oldest_s = self._clock() - self._kept_s
        while self._by_use:
            thread = next(iter(self._by_use))
            if thread.turn.locked():  # in use, whatever its age: looked at again when it is done
                self._by_use.move_to_end(thread)
                return
            if len(self._by_use) <= self._most and thread.used_at_s >= oldest_s:
                return
            self.forget(thread)


def trail_of(owner: Sequence[str], transcript: Transcript) -> Trail:
    """The keys of a transcript in a talk of this owner."""
    begun = hashlib.sha256(b"".join(map(_frame, owner)))
    running, wholes, ends = begun.copy(), [], [""]
    running.update(_frame(transcript.lead))
    for one, following in zip(transcript.answered, transcript.said[1:], strict=True):
        running.update(_frame(one.line))
        wholes.append(running.hexdigest())
        running.update(_frame(one.reply))
        end = begun.copy()
        end.update(b"".join(map(_frame, (one.line, one.reply, following))))
        ends.append(end.hexdigest())
    running.update(_frame(transcript.line))
    return Trail([*wholes, running.hexdigest()], ends)


def place_of(thread: Thread, at: int, number: int, transcript: Transcript) -> Place | None:
    """Where a call comes in whose line `number` began exchange `at`; None = the talk went on."""
    said = transcript.said
    if not thread.began(at, said[number]):
        return None
    pick, rewritings = None, []
    for answered, line in zip(transcript.answered[number:], said[number + 1 :], strict=True):
        found = _reading(thread.exchanges, at, answered.reply)
        if found is None:
            return None
        at += 1
        if at < len(thread.exchanges) and not thread.began(at, line):
            return None
        pick = found.pick or pick
        rewritings += [found.rewriting] if found.rewriting else []
    if at < len(thread.exchanges) - 1:
        return None
    return Place(at, pick, tuple(rewritings))


@dataclass(frozen=True)
class _Reading:
    """What a client says that an exchange was answered with."""

    pick: Pick | None = None
    rewriting: Rewriting | None = None


def _reading(exchanges: Sequence[Exchange], at: int, reply: str) -> _Reading | None:
    if at >= len(exchanges) or len(reply) > MAX_BROUGHT_CHARACTERS:
        return None  # it was never answered here
    exchange, latest = exchanges[at], at == len(exchanges) - 1
    if take := _said_as(exchange, reply):
        if take is exchange.kept:
            return _Reading()
        return _Reading(_pick(exchange, take)) if latest else None
    if not is_visible(reply) or len(reply) > MAX_LINE_CHARACTERS:
        return None
    take = max(exchange.takes, key=lambda one: fuzz.ratio(one.text, reply))
    picked = _pick(exchange, take) if latest and take is not exchange.kept else None
    return _Reading(picked, Rewriting(take.turn_id, reply))


def _said_as(exchange: Exchange, reply: str) -> Take | None:
    """The take that reads like this, the kept one first; of one broken off, any beginning does."""
    letters = _letters(reply)
    for take in (exchange.kept, *exchange.takes):
        whole = _letters(take.text)
        if whole == letters or (take.broken_off and whole.startswith(letters)):
            return take
    return None


def _pick(exchange: Exchange, take: Take) -> Pick:
    if take.interrupted:
        return Pick(take.turn_id)
    whole = [one.turn_id for one in exchange.takes if not one.interrupted]
    over = tuple(turn_id for turn_id in whole if turn_id != take.turn_id)
    return Pick(take.turn_id, over, 1 + whole.index(take.turn_id))


def _letters(text: str) -> str:
    """What is left of a text that a client shows in its own way: marks, blanks, small letters."""
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def digest(line: str) -> str:
    """A line as it is remembered."""
    return hashlib.sha256(line.encode()).hexdigest()


def _frame(text: str) -> bytes:
    """A text that no other one goes on from, blanks aside."""
    return " ".join(text.split()).encode() + b"\0"
