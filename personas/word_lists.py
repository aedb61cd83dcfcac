"""What code looks for in a reply of any character, by language: authored lists, one file each.

`machine_talk` leaves the role, `machine_talk_at_home` does so in this language and may be an
innocent word of another. `confessions` are made of a start, at most one filler and a thing. Words
of `machine_talk`, and slurs, are found in the forms that the language gives them, all else as it is
listed.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from itertools import product
from typing import Any

import yaml

from languages.phrases import AS_LISTED, mentioned
from languages.reading import read
from languages.recognition import recognise
from languages.tags import primary

LONGEST_NAME = 4  # words


@dataclass(frozen=True)
class Refusals:
    """How what was asked is refused."""

    openings: tuple[str, ...]  # of a reply
    phrases: tuple[str, ...]
    consents: tuple[str, ...]  # begin as a refusal does, and are none


@dataclass(frozen=True)
class WordLists:
    """The lists of one language."""

    code: str
    machine_talk: tuple[str, ...]
    machine_talk_at_home: tuple[str, ...]  # with those of `machine_talk`
    confessions: tuple[str, ...]
    starts: tuple[tuple[str, ...], ...]  # words of "I am"
    machine_nouns: tuple[str, ...]  # last words of what nobody confesses to be
    speakers: tuple[str, ...]
    denials: tuple[str, ...]
    agreements: tuple[str, ...]
    refusals: Refusals
    questions: tuple[str, ...]  # ends of a sentence that ask without a question mark
    unsafe: Mapping[str, tuple[str, ...]] = field(hash=False)  # by group

    @cached_property
    def _other_speaker(self) -> re.Pattern[str]:
        names = "|".join(map(re.escape, self.speakers))
        return re.compile(rf"^\W*({names})(?!\w)[*_\s]*:", re.IGNORECASE | re.MULTILINE)

    def speaks_for_another(self, reply: str) -> bool:
        """Whether a line of the reply is put into the mouth of somebody else."""
        return self._other_speaker.search(unicodedata.normalize("NFKC", reply)) is not None

    def confessions_in(self, reply: str) -> tuple[str, ...]:
        """What the reply says of the kind of "I am a machine"."""
        return mentioned(reply, self.confessions, AS_LISTED)

    def claims(self, reply: str, names: Set[str]) -> bool:
        """Whether the reply says "I am Fenn", of folded names; "I am Fenn's friend" does not."""
        said = read(reply).tokens
        return any(
            " ".join(said[at:end]) in names and said[end : end + 1] != ("s",)
            for at in self._ends_of_starts(said)
            for end in range(at + 1, min(at + LONGEST_NAME, len(said)) + 1)
        )

    def _ends_of_starts(self, said: Sequence[str]) -> Iterator[int]:
        for start in self.starts:
            for at in range(len(said) - len(start)):
                if tuple(said[at : at + len(start)]) == start:
                    yield at + len(start)

    def unsafe_words(self, reply: str) -> tuple[str, ...]:
        """The unsafe phrases that the reply says."""
        return tuple(
            phrase
            for group, phrases in self.unsafe.items()
            for phrase in mentioned(reply, phrases, self.code if group == "slurs" else AS_LISTED)
        )


@cache
def languages_with_lists() -> tuple[str, ...]:
    """The codes of all languages that have lists."""
    files = (resources.files("personas") / "word_lists").iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files))


def lists_for(reply: str, declared: str) -> list[WordLists]:
    """The lists by which a reply is checked: of the declared language, English, and its own.

    Every list, where the language is neither declared nor plain.
    """
    seen = recognise(reply)
    codes = dict.fromkeys((primary(declared), "en", seen))
    if not (declared or seen):
        codes |= dict.fromkeys(languages_with_lists())
    return [lists for lists in map(word_lists, codes) if lists is not None]


@cache
def word_lists(code: str) -> WordLists | None:
    """The lists of a language; None where nobody has written them."""
    if code not in languages_with_lists():
        return None
    text = (resources.files("personas") / "word_lists" / f"{code}.yaml").read_text("utf-8")
    return _lists(code, yaml.safe_load(text))


def _lists(code: str, data: Mapping[str, Any]) -> WordLists:
    made_of = data["confessions"]
    told = product(made_of["starts"], ("", *made_of["fillers"]), made_of["things"])
    return WordLists(
        code=code,
        machine_talk=tuple(data["machine_talk"]),
        machine_talk_at_home=(*data["machine_talk"], *data["machine_talk_at_home"]),
        confessions=tuple(" ".join(parts) for parts in told),
        starts=tuple(read(start).tokens for start in made_of["starts"]),
        machine_nouns=tuple(dict.fromkeys(thing.split()[-1] for thing in made_of["things"])),
        speakers=tuple(data["speakers"]),
        denials=tuple(data["denials"]),
        agreements=tuple(data["agreements"]),
        refusals=Refusals(**{kind: tuple(listed) for kind, listed in data["refusals"].items()}),
        questions=tuple(data.get("questions", ())),
        unsafe={group: tuple(phrases) for group, phrases in data["unsafe"].items()},
    )
