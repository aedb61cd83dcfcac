"""What lore costs a turn: choosing what fires, and fitting it into the prompt, by size of the lore.

A made-up world: every entry is about a place with names of its own and tells of another place, some
have patterns or conditions. Lines of the player name three places among common words, so that some
ten entries fire, those that they lead to among them. Tokens are counted with the embedded base's
vocabulary. The time is what the server's event loop is busy for; the model is not asked.

Run: python -m benchmarks.desk.lore [--out DIR]
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import machine, versions
from benchmarks.options import RESULTS
from benchmarks.results_file import replace_text
from npc_server.config import Config
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
    """Milliseconds per line at one size."""

    entries: int
    build_s: float  # making it ready to be searched, once
    choose_ms: float  # medians
    render_ms: float
    both_ms: float
    worst_ms: float  # of both
    fired: float  # entries per line, mean


@dataclass(frozen=True)
class Figures:
    """What is held to the marks."""

    lore_render_ms: float  # at LARGE
    lore_growth: float  # of that, against SMALL
    small: LoreCost
    large: LoreCost


def measure(tokenizer: Tokenizer) -> Figures:
    """Measure both sizes, in turns with each other."""
    small, large = cost_of(SMALL, tokenizer), cost_of(LARGE, tokenizer)
    return Figures(large.both_ms, large.both_ms / small.both_ms, small, large)


def cost_of(count: int, tokenizer: Tokenizer) -> LoreCost:
    """What lines cost beside so many entries."""
    draw = random.Random(7)
    entries = list(_entries(count, draw))
    begun = time.perf_counter()
    shelf = Shelf("world", entries)
    build_s = time.perf_counter() - begun
    found = [_time_line_ms(shelf, line, tokenizer) for line in _lines(entries, draw)][_WARM:]
    choosing, rendering, fired = zip(*found, strict=True)
    both = [one + other for one, other in zip(choosing, rendering, strict=True)]
    return LoreCost(
        entries=count,
        build_s=build_s,
        choose_ms=median(choosing),
        render_ms=median(rendering),
        both_ms=median(both),
        worst_ms=max(both),
        fired=sum(fired) / len(fired),
    )


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


def main() -> None:
    """Measure, print the figures and write lore.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    out: Path = parser.parse_args().out
    figures = asdict(measure(open_vocab(Config())[1]))
    result: dict[str, Any] = {"machine": machine(), "versions": versions(), "figures": figures}
    out.mkdir(parents=True, exist_ok=True)
    replace_text(out / "lore.json", json.dumps(result, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
