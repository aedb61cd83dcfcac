"""The lines of each language, written for this: with a phrase planted, innocent, as a machine."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

LINES = Path(__file__).parent / "lines"
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


@dataclass(frozen=True)
class Planted:
    """A line that says a phrase, in a form of its own."""

    phrase: str
    line: str


@dataclass(frozen=True)
class Lines:
    """Everything that is said in one language."""

    planted: tuple[Planted, ...]
    innocent: tuple[str, ...]
    machine: tuple[str, ...]  # talk as a machine; none where nobody has listed such talk

    @property
    def phrases(self) -> tuple[str, ...]:
        """Every phrase once."""
        return tuple(dict.fromkeys(one.phrase for one in self.planted))


def languages() -> list[str]:
    """The codes of all languages with lines."""
    return sorted(path.stem for path in LINES.glob("*.yaml"))


def read_lines(language: str) -> Lines:
    """Read the lines of a language."""
    data: Mapping[str, str] = yaml.safe_load((LINES / f"{language}.yaml").read_text("utf-8"))
    pairs = (line.partition(" | ") for line in data["planted"].splitlines())
    return Lines(
        tuple(Planted(phrase, line) for phrase, _, line in pairs),
        tuple(data["innocent"].splitlines()),
        tuple(data["machine"].splitlines()),
    )


def dressed(planted: Planted) -> Iterator[tuple[str, str]]:
    """The same line in every dress that changes nothing to a reader: what it is, and the line."""
    line = planted.line
    yield "as written", line
    yield "upper case", line.upper()
    yield "decomposed", unicodedata.normalize("NFD", line)
    yield "full width", line.translate(_FULL_WIDTH)
    yield "unseen signs", "\u200b".join(line)
