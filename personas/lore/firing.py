"""Which entries fire at a moment of a conversation, and why. Pure.

The player's line and some before it are searched for keys; what fired is searched for the keys of
others, a bounded number of times. An entry that was found may still be held back: by who the
character is, by the state of the world, by what was told before, or by chance, which is drawn from
the conversation and the turn, so that the same moment always comes out alike.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from personas.conditions import parse
from personas.lore.entries import Entry, Logic
from personas.lore.shelf import Found, Shelf
from personas.lore.timing import Told, phase_of
from personas.variables import Values


class Reason(StrEnum):
    """What made an entry fire."""

    CONSTANT = "constant"
    """It needs no key."""
    STICKY = "sticky"
    """It was told before, and still is."""
    KEY = "key"
    """A key was said."""
    PATTERN = "pattern"
    """A line matches one of its patterns."""
    RECURSION = "recursion"
    """Another entry's text has one of its keys, or matches a pattern."""
    MEANING = "meaning"
    """The player's line means something alike."""


@dataclass(frozen=True)
class Firing:
    """An entry, and what made it fire."""

    entry: Entry
    source: str  # the entry's name among those of all shelves
    reason: Reason
    detail: str = ""  # the key, the pattern, the likeness; "" = the reason says all


@dataclass(frozen=True)
class HeldBack:
    """An entry that was found, and why it does not fire all the same."""

    firing: Firing
    why: str


@dataclass(frozen=True)
class Outcome:
    """What came of one moment, in the order of the shelves and their entries."""

    fired: tuple[Firing, ...] = ()
    held_back: tuple[HeldBack, ...] = ()


@dataclass(frozen=True)
class Occasion:
    """A moment of a conversation, as far as entries depend on it."""

    character: str
    lines: Sequence[str]  # the newest first: what the player says, the reply before it, ...
    values: Values  # of all variables of the world
    turn: int = 0  # exchanges before this one
    told: Told = field(default_factory=dict)
    conversation: str = ""  # its id, which chance is drawn from


@dataclass(frozen=True)
class Rules:
    """How entries are looked for."""

    scan_lines: int = 2  # of the conversation, for entries that say nothing else
    recursion: int = 2  # times that what fired is searched for keys of others
    most: int = 24  # entries that fire at once: of more that were said, those of highest priority
    least_similarity: float = 0.25  # cosine of a line and an entry that mean something alike
    most_alike: int = 3  # entries that fire by their meaning


def fire(shelves: Sequence[Shelf], occasion: Occasion, rules: Rules) -> Outcome:
    """Decide which entries of the shelves fire."""
    search = _Search(shelves, occasion, rules)
    fresh = search.take(search.in_the_conversation())
    search.hold_back_surplus()
    for _ in range(rules.recursion):
        fresh = search.take(search.in_entries(fresh))
    return search.outcome()


@dataclass(frozen=True)
class _Heard:
    """What of a shelf's keys was heard, by key: how many lines ago, and in which entries."""

    phrases: dict[str, int] = field(default_factory=dict)
    patterns: dict[str, int] = field(default_factory=dict)
    phrases_in: dict[str, str] = field(default_factory=dict)
    patterns_in: dict[str, str] = field(default_factory=dict)

    def hear_line(self, found: Found, ago: int) -> None:
        """Add what a line has; the newest comes first."""
        for phrase in found.phrases:
            self.phrases.setdefault(phrase, ago)
        for pattern in found.patterns:
            self.patterns.setdefault(pattern, ago)

    def hear_entry(self, found: Found, source: str) -> None:
        """Add what an entry's text has."""
        self.phrases_in.update(dict.fromkeys(found.phrases - self.phrases_in.keys(), source))
        self.patterns_in.update(dict.fromkeys(found.patterns - self.patterns_in.keys(), source))


_Place = tuple[int, int]  # of a shelf, and of an entry on it


class _Search:
    """The state of one decision."""

    def __init__(self, shelves: Sequence[Shelf], occasion: Occasion, rules: Rules) -> None:
        self._shelves, self._occasion, self._rules = shelves, occasion, rules
        self._heard = [_Heard() for _ in shelves]
        self._fired: dict[_Place, Firing] = {}
        self._held_back: dict[_Place, HeldBack] = {}

    def in_the_conversation(self) -> Iterator[tuple[_Place, Firing]]:
        """What the lines find, and what needs no line."""
        for number, shelf in enumerate(self._shelves):
            yield from self._without_key(number, shelf)
            places: set[int] = set()
            scanned = max(shelf.scan_lines, self._rules.scan_lines)
            for ago, line in enumerate(self._occasion.lines[:scanned]):
                found = shelf.found_in(line)
                self._heard[number].hear_line(found, ago)
                places.update(shelf.with_key(found))
            yield from self._with_key(number, places)

    def in_entries(self, fired: Iterable[Firing]) -> Iterator[tuple[_Place, Firing]]:
        """What the texts of these entries find."""
        searched = [firing for firing in fired if not firing.entry.prevent_recursion]
        for number, shelf in enumerate(self._shelves if searched else ()):
            places: set[int] = set()
            for firing in searched:
                found = shelf.found_in_entry(firing.entry.text)
                self._heard[number].hear_entry(found, firing.source)
                places.update(shelf.with_key(found))
            yield from self._with_key(number, places)

    def take(self, candidates: Iterable[tuple[_Place, Firing]]) -> list[Firing]:
        """Let those fire that nothing holds back; returns the ones that had not fired before."""
        fresh = []
        for place, firing in candidates:
            if place in self._fired or place in self._held_back:
                continue
            if len(self._fired) >= self._rules.most and firing.reason is Reason.RECURSION:
                break
            if why := self._obstacle(firing):
                self._held_back[place] = HeldBack(firing, why)
            else:
                self._fired[place] = firing
                fresh.append(firing)
        return fresh

    def hold_back_surplus(self) -> None:
        """Let no more fire than may: those of the highest priority, of equal ones the first."""
        ranked = sorted(self._fired, key=lambda at: (-self._fired[at].entry.priority, at))
        for place in ranked[self._rules.most :]:
            why = f"{len(ranked)} entries were found, of which {self._rules.most} are told"
            self._held_back[place] = HeldBack(self._fired.pop(place), why)

    def outcome(self) -> Outcome:
        """What fired and what did not."""
        fired = tuple(self._fired[place] for place in sorted(self._fired))
        held_back = tuple(self._held_back[place] for place in sorted(self._held_back))
        return Outcome(fired, held_back)

    def _without_key(self, number: int, shelf: Shelf) -> Iterator[tuple[_Place, Firing]]:
        for place in shelf.constants:
            yield (number, place), self._firing(number, place, Reason.CONSTANT)
        for source, told_at in self._occasion.told.items():
            at = shelf.places.get(source)
            if at is not None and phase_of(shelf.entries[at], told_at, self._occasion.turn).again:
                yield (number, at), self._firing(number, at, Reason.STICKY)
        said = self._occasion.lines[0] if self._occasion.lines else ""
        rules = self._rules
        for place, cosine in shelf.alike(said, rules.least_similarity, rules.most_alike):
            yield (number, place), self._firing(number, place, Reason.MEANING, f"{cosine:.2f}")

    def _with_key(self, number: int, places: Iterable[int]) -> Iterator[tuple[_Place, Firing]]:
        for place in sorted(places):
            entry, heard = self._shelves[number].entries[place], self._heard[number]
            scan = entry.scan_lines or self._rules.scan_lines
            found = _key_heard(entry, heard, scan)
            if found and _secondary_keys_agree(entry, heard, scan):
                yield (number, place), self._firing(number, place, *found)

    def _firing(self, number: int, place: int, reason: Reason, detail: str = "") -> Firing:
        shelf = self._shelves[number]
        entry = shelf.entries[place]
        return Firing(entry, shelf.source(entry), reason, detail)

    def _obstacle(self, firing: Firing) -> str:
        """Why an entry that was found does not fire; "" = it does."""
        entry, now = firing.entry, self._occasion
        if entry.audience and now.character not in entry.audience:
            return f"is known to {', '.join(entry.audience)} alone"
        if entry.when and not parse(entry.when).holds(now.values):
            return f"{entry.when} does not hold; {_as_it_is(entry.when, now.values)}"
        if firing.reason is Reason.STICKY:
            return ""
        if now.turn < entry.delay:
            return f"waits {entry.delay} turns from the beginning; this is the {now.turn + 1}th"
        if rests := phase_of(entry, now.told.get(firing.source, ()), now.turn).rests:
            return f"was told before, and rests for {rests} more turns"
        if _drawn_percent(now, firing.source) >= entry.probability:
            return f"fires {entry.probability} times in 100, and not this time"
        return ""


def _key_heard(entry: Entry, heard: _Heard, scan: int) -> tuple[Reason, str] | None:
    for key in entry.keys:
        if heard.phrases.get(key, scan) < scan:
            return Reason.KEY, key
    for pattern in entry.patterns:
        if heard.patterns.get(pattern, scan) < scan:
            return Reason.PATTERN, pattern
    if entry.exclude_recursion:
        return None
    for key in (*entry.keys, *entry.patterns):
        if source := heard.phrases_in.get(key) or heard.patterns_in.get(key):
            return Reason.RECURSION, f"{key} in {source}"
    return None


def _secondary_keys_agree(entry: Entry, heard: _Heard, scan: int) -> bool:
    if not entry.secondary_keys:
        return True
    in_entries = () if entry.exclude_recursion else heard.phrases_in
    said = [
        heard.phrases.get(key, scan) < scan or key in in_entries for key in entry.secondary_keys
    ]
    return {
        Logic.ANY: any(said),
        Logic.ALL: all(said),
        Logic.NOT_ANY: not any(said),
        Logic.NOT_ALL: not all(said),
    }[entry.logic]


def _as_it_is(condition: str, values: Values) -> str:
    """`quest.mill is 0, weather is "sun"`."""
    names = sorted(parse(condition).names)
    shown = ((name, values[name]) for name in names)
    return ", ".join(
        f'{name} is "{value}"' if isinstance(value, str) else f"{name} is {str(value).lower()}"
        for name, value in shown
    )


def _drawn_percent(occasion: Occasion, source: str) -> int:
    drawn = f"{occasion.conversation}\0{occasion.turn}\0{source}".encode()
    return int.from_bytes(hashlib.blake2b(drawn, digest_size=8).digest()) % 100
