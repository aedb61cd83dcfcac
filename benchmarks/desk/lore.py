"""What lore costs a turn: choosing what fires, and fitting it into the prompt, by size of the lore.

A made-up world: every entry is about a place with names of its own and tells of another place, some
have patterns or conditions. Lines of the player name three places among common words, so that some
ten entries fire, those that they lead to among them. Tokens are counted with the embedded base's
vocabulary. The time is what the server's event loop is busy for; the model is not asked.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.desk.workspace import Workspace
from benchmarks.measures import Estimate
from benchmarks.parts import PartResult
from npc_server.config import Config, ModelSection
from npc_server.vocabulary import open_vocab
from personas.lore.entries import Entry
from personas.lore.firing import Occasion, Rules, fire
from personas.lore.shelf import Shelf
from personas.lore_notes import note_of
from personas.render import Tokenizer, notes_before_a_line

SMALL, LARGE = 100, 10_000  # entries
LINES = 400
ROOM_TOKENS = 128
_SYLLABLES = (
    "ba",
    "ke",
    "li",
    "mo",
    "ru",
    "sta",
    "fen",
    "dor",
    "gra",
    "vil",
    "nor",
    "esh",
    "tu",
    "pin",
    "wal",
)
_TALE = (
    "the old road runs beside a river and people there keep bees or sell wool in spring when snow"
    " is gone while children watch sheep on green hills near stone walls that nobody has mended"
    " since their king rode north with all his men under black banners to fight at sea for silver"
)
_WARM = 20  # first lines that do not count


@dataclass(frozen=True)
class LoreCost:
    """What lines cost at one size, in milliseconds a line."""

    entries: int
    build_s: float  # making it ready to be searched, once
    choose_ms: tuple[float, ...]
    render_ms: tuple[float, ...]
    fired: float  # entries per line, mean

    @property
    def both_ms(self) -> list[float]:
        """From the line to what is told."""
        return [one + other for one, other in zip(self.choose_ms, self.render_ms, strict=True)]


async def run(workspace: Workspace) -> PartResult:
    """Measure both sizes, one after the other."""
    _, vocab = open_vocab(Config(model=ModelSection(base=str(workspace.base))))
    small = await asyncio.to_thread(_told_cost, workspace, SMALL, vocab)
    large = await asyncio.to_thread(_told_cost, workspace, LARGE, vocab)
    slow, quick = median(large.both_ms), median(small.both_ms)
    growth = slow / quick
    figures = {
        "lore_render_ms": Estimate(slow, min(large.both_ms), max(large.both_ms)),
        "lore_growth": Estimate(growth, growth, growth),
    }
    samples = {"lore_small_ms": small.both_ms, "lore_large_ms": large.both_ms}
    return PartResult(figures, samples, [_in_words(small), _in_words(large)])


def _told_cost(workspace: Workspace, count: int, tokenizer: Tokenizer) -> LoreCost:
    workspace.tell(f"{count} entries", 0, 1)
    return cost_of(count, tokenizer)


def _in_words(cost: LoreCost) -> str:
    return (
        f"{cost.entries} entries: made ready in {cost.build_s:.2f} s, chosen in"
        f" {median(cost.choose_ms):.2f} ms, counted in {median(cost.render_ms):.2f} ms,"
        f" {cost.fired:.1f} fire on a line"
    )


def cost_of(count: int, tokenizer: Tokenizer) -> LoreCost:
    """What lines cost beside so many entries."""
    draw = random.Random(7)
    entries = list(_entries(count, draw))
    begun = time.perf_counter()
    shelf = Shelf("world", entries)
    build_s = time.perf_counter() - begun
    found = [_time_line_ms(shelf, line, tokenizer) for line in _lines(entries, draw)][_WARM:]
    choosing, rendering, fired = zip(*found, strict=True)
    return LoreCost(count, build_s, choosing, rendering, sum(fired) / len(fired))


def _time_line_ms(
    shelf: Shelf, lines: Sequence[str], tokenizer: Tokenizer
) -> tuple[float, float, int]:
    """Milliseconds to choose and to render, and how many entries fired."""
    begun = time.perf_counter()
    outcome = fire([shelf], Occasion("mira", lines, {"quest": 1}), Rules())
    chosen = time.perf_counter()
    notes_before_a_line([note_of(one) for one in outcome.fired], ROOM_TOKENS, lines[0], tokenizer)
    rendered = time.perf_counter()
    return (chosen - begun) * 1e3, (rendered - chosen) * 1e3, len(outcome.fired)


def _name(number: int) -> str:
    """A name of four syllables, another one for each number."""
    places = (number // len(_SYLLABLES) ** place % len(_SYLLABLES) for place in range(4))
    return "".join(_SYLLABLES[place] for place in places).capitalize()


def _names(place: int) -> tuple[str, str, str]:
    return _name(3 * place), f"{_name(3 * place + 1)} Hall", _name(3 * place + 2)


def _entries(count: int, draw: random.Random) -> Iterator[Entry]:
    for place in range(count):
        name, hall, lord = _names(place)
        other = _names(draw.randrange(count))[0]
        told = " ".join(draw.choices(_TALE.split(), k=12))
        yield Entry(
            id=f"place-{place}",
            text=f"{name} is ruled from {hall}; {told}, and the road leads to {other}.",
            keys=(name, hall, lord),
            patterns=(rf"\bruins? of {name}\w*",) if place % 20 == 0 else (),
            when="quest >= 1" if place % 10 == 0 else "",
            priority=place % 7,
        )


def _lines(entries: Sequence[Entry], draw: random.Random) -> Iterator[tuple[str, str]]:
    """Of each line what the player says, and the reply before it."""
    for _ in range(_WARM + LINES):
        one, two, three = (draw.choice(entry.keys) for entry in draw.sample(entries, 3))
        said = f"Which way is it from {one} to {two}, and who would you ask for on the road?"
        yield said, f"I have heard of {three}, but nobody here has been there for many a year."
