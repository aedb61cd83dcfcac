"""The characters that are served now, and why what was saved since is not.

Whoever looks a character up finds it as it is at that moment; nobody keeps a copy of the whole. It
changes on the event loop alone, all that was saved together at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from personas.cast_stamps import Stamp
from personas.persona import Persona
from personas.world_files import Worlds


@dataclass
class CastFolder:
    """Where a cast lies, and what its files were when they were last looked at."""

    root: Path
    worlds: Worlds
    seen: dict[str, Stamp] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """How a character's files stand."""

    character: str
    version: str  # that is served; "" = none, as its files never were in order
    since: datetime  # that version
    problems: tuple[str, ...] = ()  # why what was saved since is not served; () = it is

    @property
    def current(self) -> bool:
        """Whether what is served is what was saved last."""
        return not self.problems


class Cast(Mapping[str, Persona]):
    """Personas by id."""

    def __init__(self, personas: Mapping[str, Persona]) -> None:
        self._served = dict(personas)
        begun = datetime.now(UTC)
        self._since = dict.fromkeys(personas, begun)
        self._begun = begun
        self._problems: dict[str, tuple[str, ...]] = {}
        self.changes = 0  # counted up whenever somebody comes, goes or says something new
        self.folder_problem = ""  # of the folder of all characters; "" = it can be read

    def __getitem__(self, character: str) -> Persona:
        return self._served[character]

    def __iter__(self) -> Iterator[str]:
        return iter(self._served)

    def __len__(self) -> int:
        return len(self._served)

    def serve(self, personas: Iterable[Persona]) -> list[Persona]:
        """Serve these from now on; returns those that say something new."""
        new = [one for one in personas if not self._says_the_same(one)]
        now = datetime.now(UTC)
        self.changes += 1
        self._served |= {one.id: one for one in new}
        self._since |= dict.fromkeys((one.id for one in new), now)
        return new

    def _says_the_same(self, persona: Persona) -> bool:
        self._problems.pop(persona.id, None)
        served = self._served.get(persona.id)
        return served is not None and _versions(served) == _versions(persona)

    def withdraw(self, characters: Iterable[str]) -> None:
        """Serve these no more; conversations with them go on."""
        self.changes += 1
        for name in characters:
            self._problems.pop(name, None)
            self._served.pop(name, None)
            self._since.pop(name, None)

    def refuse(self, character: str, problems: Iterable[str]) -> None:
        """Keep what is served of a character, and say why what was saved is not."""
        self._problems[character] = tuple(problems)

    def standing(self, character: str) -> Standing:
        """How one character stands. Raises KeyError for one that there is nothing of."""
        persona = self._served.get(character)
        problems = self._problems.get(character, ())
        if persona is None and not problems:
            raise KeyError(character)
        since = self._since.get(character, self._begun)
        return Standing(character, persona.version if persona else "", since, problems)

    def standings(self) -> list[Standing]:
        """How all of them stand, by name; those too that were saved broken from the first."""
        return [self.standing(name) for name in sorted({*self._served, *self._problems})]


def _versions(persona: Persona) -> tuple[str, str]:
    """Of the character's files, and of its world's."""
    return persona.version, persona.setting.version if persona.setting else ""
