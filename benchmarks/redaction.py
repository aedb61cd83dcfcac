"""How well personal data is found: precision and recall on labelled lines, and CPU time per line.

Reads tests/feedback_store/privacy/redaction_texts.yaml, where `<<category:span>>` marks what must
be found. A finding counts only with the right category and the very same span. Both modes are
measured, `scores` being those of the usual one; and on game_talk.yaml, which holds nothing
personal, the lines that each mode changes. If the `phonenumbers` library is installed, it stands
beside our rules, for telephone numbers, alone and together with them; its example numbers of all
regions are a second, foreign set. Its `valid` refuses most numbers that regulators reserve for
drama, which is what the lines hold, so the examples are the fairer measure.
Run: python -m benchmarks.redaction [--out DIR]
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from benchmarks.machine import machine, versions
from benchmarks.options import RESULTS
from benchmarks.results_file import replace_text
from feedback_store.privacy.policy import Mode, policy
from feedback_store.privacy.redaction import Category, Finding, findings, redact

TEXTS = Path(__file__).parents[1] / "tests/feedback_store/privacy/redaction_texts.yaml"
GAME_TALK = TEXTS.with_name("game_talk.yaml")
LINE_SIGNS = 2000  # the longest line a player may say
_REGIONS = (("US", "GB"), ("US", "GB", "IE", "DE", "FR", "SE", "AU"))
_MARK = re.compile(r"<<(\w+):(.*?)>>")
_TYPICAL = (
    "Where is the old church? I have looked for three days, and nobody tells me.",
    "Où est l'église? Je la cherche depuis 3 jours 🐉",
    "call me at 202-555-0123 or write to bob@example.org",
)
_HOSTILE = [
    "a@",
    "a.",
    "@a",
    "1",
    "1-",
    "41",
    "4111-",
    "1.1.1.1",
    "version",
    "::",
    "1:",
    "2001:db8::",
    "://",
    "a://a@",
    "a://?key=a&",
    "a.a#",
    "aaa#1234",
    "at",
    "dot",
    "(at)",
    "'",
    "-",
    "_",
    "+",
    "+44",
    "(02)",
    "2025550123",
    "call",
    "number",
    "01",
    "99",
    "00",
    "discord:",
    "is",
    "\u200b",
    "１",
    "é",
    "[email]",
    "<at>",
    "\ud800",
]

Finder = Callable[[str], Iterable[Finding]]


@dataclass(frozen=True)
class Labelled:
    """A line, and what must be found in it."""

    text: str
    wanted: frozenset[Finding]


@dataclass(frozen=True)
class Score:
    """Findings counted by span."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """The share of what was found that was wanted; 1 if nothing was found."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """The share of what was wanted that was found; 1 if nothing was wanted."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write redaction.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    flags = parser.parse_args(arguments)
    scores = {half: _scores(read(half)) for half in ("dev", "test")}
    strict = {half: _own_scores(read(half), _strict_findings) for half in ("dev", "test")}
    times = {"typical_line_ms": _slowest_ms(_TYPICAL), "worst_line_ms": _slowest_ms(hostile())}
    scores["numbers of all regions"] = {name: _row(one) for name, one in _of_all_regions().items()}
    talk = {mode.value: asdict(false_alarms(mode)) for mode in (Mode.ON, Mode.STRICT)}
    _print(scores, times)
    _print({f"{half}, strict": rows for half, rows in strict.items()}, {})
    print(f"lines of game talk that are changed: {talk}")
    figures = {"scores": scores, "strict_scores": strict, "game_talk": talk}
    found = {"machine": machine(), "versions": versions(), **figures, **times}
    replace_text(flags.out / "redaction.json", json.dumps(found, indent=2) + "\n")


@dataclass(frozen=True)
class FalseAlarms:
    """Lines without anything personal, and how many of them a mode changes."""

    lines: int
    changed: int

    @property
    def share(self) -> float:
        """Of all lines."""
        return self.changed / self.lines


def false_alarms(mode: Mode) -> FalseAlarms:
    """What the mode changes of the game talk."""
    lines = game_talk()
    return FalseAlarms(len(lines), sum(redact(line, policy(mode)) != line for line in lines))


def game_talk() -> Sequence[str]:
    """Lines of players and characters in many games and languages; nothing of it is personal."""
    by_kind = yaml.safe_load(GAME_TALK.read_text(encoding="utf-8"))
    return [line for lines in by_kind.values() for line in lines]


def read(half: str) -> Sequence[Labelled]:
    """The labelled lines of `dev` or `test`, harmless ones included."""
    lines = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))[half]
    harmless = [Labelled(line, frozenset()) for line in lines["harmless"]]
    return [*map(labelled, lines["personal"]), *harmless]


def labelled(marked: str) -> Labelled:
    """A line without its marks, and the spans they stood around."""
    text, wanted, done = "", set(), 0
    for mark in _MARK.finditer(marked):
        text += marked[done : mark.start()]
        wanted.add(Finding(len(text), len(text) + len(mark[2]), Category(mark[1])))
        text, done = text + mark[2], mark.end()
    return Labelled(text + marked[done:], frozenset(wanted))


def score(
    lines: Sequence[Labelled], find: Finder, categories: Iterable[Category] = Category
) -> Score:
    """Findings of these categories against what is wanted."""
    right = wrong = missed = 0
    for line in lines:
        wanted = {one for one in line.wanted if one.category in categories}
        found = {one for one in find(line.text) if one.category in categories}
        right += len(found & wanted)
        wrong += len(found - wanted)
        missed += len(wanted - found)
    return Score(right, wrong, missed)


def hostile() -> Iterator[str]:
    """Lines of the greatest length that are made to be slow: each sign repeated, and mixtures."""
    draw = random.Random(20261121)
    yield from ((sign * LINE_SIGNS)[:LINE_SIGNS] for sign in _HOSTILE)
    yield from ((f"{sign} " * LINE_SIGNS)[:LINE_SIGNS] for sign in _HOSTILE)
    for _ in range(300):
        few = draw.sample(_HOSTILE, 3)
        mixed = "".join(draw.choice(few) + draw.choice(("", " ")) for _ in range(LINE_SIGNS))
        yield mixed[:LINE_SIGNS]


def _scores(lines: Sequence[Labelled]) -> dict[str, dict[str, Any]]:
    rows = dict[str, Score]()
    for name, find in _phone_finders().items():
        rows[f"phone, {name}"] = score(lines, find, [Category.PHONE])
    return {**_own_scores(lines, findings), **{name: _row(one) for name, one in rows.items()}}


def _own_scores(lines: Sequence[Labelled], find: Finder) -> dict[str, dict[str, Any]]:
    rows = {category.value: score(lines, find, [category]) for category in Category}
    rows["all"] = score(lines, find)
    return {name: _row(one) for name, one in rows.items()}


def _strict_findings(text: str) -> Sequence[Finding]:
    return findings(text, policy(Mode.STRICT))


def _row(one: Score) -> dict[str, Any]:
    shares = {"precision": round(one.precision, 4), "recall": round(one.recall, 4)}
    return {**shares, "n": one.right + one.missed, **asdict(one)}


def _phone_finders() -> Mapping[str, Finder]:
    try:
        import phonenumbers  # noqa: F401  a peer that may be missing
    except ImportError:
        return {}
    peers: dict[str, Finder] = {}
    for regions in _REGIONS:
        for strict in (True, False):
            name = f"phonenumbers {'valid' if strict else 'possible'}, {len(regions)} regions"
            peers[name] = partial(_library_phones, regions=regions, strict=strict)
            peers[f"rules or {name}"] = partial(_either, peers[name])
    return peers


def _library_phones(text: str, regions: Sequence[str], strict: bool) -> set[Finding]:
    from phonenumbers import Leniency, PhoneNumberMatcher

    leniency = Leniency.VALID if strict else Leniency.POSSIBLE
    matches = [one for region in regions for one in PhoneNumberMatcher(text, region, leniency)]
    return {Finding(one.start, one.end, Category.PHONE) for one in matches}


def _either(other: Finder, text: str) -> set[Finding]:
    """Ours, and what the other one finds in places where we find nothing."""
    ours = set(findings(text))
    free = (o for o in other(text) if all(o.end <= u.start or u.end <= o.start for u in ours))
    return ours | set(free)


def _of_all_regions() -> dict[str, Score]:
    """Our rules on the library's mobile and fixed-line examples, as people write them."""
    try:
        import phonenumbers as library
    except ImportError:
        return {}
    kinds = (library.PhoneNumberType.MOBILE, library.PhoneNumberType.FIXED_LINE)
    examples = [
        number
        for region in sorted(library.SUPPORTED_REGIONS)
        for kind in kinds
        if (number := library.example_number_for_type(region, kind))
    ]
    formats = library.PhoneNumberFormat
    ways = {
        "+ and groups, alone": (formats.INTERNATIONAL, "<<phone:{}>>"),
        "+ and digits, alone": (formats.E164, "<<phone:{}>>"),
        "as dialled at home, alone": (formats.NATIONAL, "<<phone:{}>>"),
        "as dialled at home, after call me at": (formats.NATIONAL, "call me at <<phone:{}>>"),
    }
    return {
        name: score(
            [labelled(line.format(library.format_number(n, way))) for n in examples], findings
        )
        for name, (way, line) in ways.items()
    }


def _slowest_ms(lines: Iterable[str]) -> float:
    return round(max(map(_line_ms, lines)), 4)


def _line_ms(line: str, rounds: int = 5) -> float:
    def once() -> float:
        begun_s = time.thread_time()
        redact(line)
        return (time.thread_time() - begun_s) * 1e3

    return median(once() for _ in range(rounds))


def _print(
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]], times: Mapping[str, float]
) -> None:
    for half, rows in scores.items():
        print(f"{half:48} precision  recall    n  wrong missed")
        for name, row in rows.items():
            shares = f"{row['precision']:9.3f} {row['recall']:7.3f}"
            print(f"  {name:46} {shares} {row['n']:4} {row['wrong']:6} {row['missed']:6}")
    for name, value in times.items():
        print(f"{name} {value}")


if __name__ == "__main__":
    main()
