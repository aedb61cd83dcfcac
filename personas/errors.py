"""Everything the package raises.

PersonasError
├── PersonaError (ValueError)              authored files have problems; lists all of them
├── PromptTooLongError (ValueError)        the player's line does not fit the token budget
├── CharacterTooLargeError (ValueError)    no line would fit beside the character
├── ChatFormatError (ValueError)           a model's chat template cannot be used; says why
├── CardError (ValueError)                 a character card or a World Info file cannot be used
├── EmbeddingModelError (ValueError)       an embedding model is missing or cannot be used
└── AdapterRepoError
    ├── InvalidIdError (ValueError)        not a character or version id
    ├── InvalidDraftError (ValueError)     what should be published is not publishable
    ├── UnknownVersionError (LookupError)  no such published version
    ├── NothingToRollBackError (LookupError)  the bare base is already live
    ├── CorruptAdapterError (ValueError)   a version's files are not what was published
    ├── CorruptAliasesError (ValueError)   aliases.json cannot be read
    ├── RepoWriteError (OSError)           the disk refused; the old state still stands
    ├── BaseTakenError (ValueError)        a base has that name, or another process makes it
    └── CorruptBaseError (ValueError)      a base does not say whose feedback it learned from
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError


class PersonasError(Exception):
    """Root of the package's errors."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in one authored file; prints as `file:line:column: field: what`."""

    file: Path
    line: int  # 1-based; 0 = the file or folder as a whole
    field: str  # "" = no field in particular
    what: str
    column: int = 0  # 1-based; 0 = the line as a whole

    @property
    def place(self) -> str:
        """File, line and column, as editors take them."""
        return ":".join([str(self.file), *(str(n) for n in (self.line, self.column) if n)])

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.field, self.what) if part)


class PersonaError(PersonasError, ValueError):
    """Authored files are not a cast of characters; `problems` holds every finding."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type["PersonaError"], tuple[tuple[Problem, ...]]]:
        return (PersonaError, (self.problems,))


class PromptTooLongError(PersonasError, ValueError):
    """Persona and line need more tokens than the budget, with all history dropped."""

    def __init__(self, character: str, opening: int, line: int, budget: int) -> None:
        """All in tokens: the character's part, the line's, and what both may have together."""
        self.character, self.opening, self.line, self.budget = character, opening, line, budget
        super().__init__(
            f"this line has {line} tokens, but {character} takes {opening} of the {budget} that a"
            f" prompt may have, so there is room for {max(0, budget - opening)}; shorten the line"
        )

    def __reduce__(self) -> tuple[type["PromptTooLongError"], tuple[str, int, int, int]]:
        return (PromptTooLongError, (self.character, self.opening, self.line, self.budget))


class CharacterTooLargeError(PersonasError, ValueError):
    """Characters, or lines written for them, leave no room in the context; all are named."""


class ChatFormatError(PersonasError, ValueError):
    """A model cannot be prompted by the chat template that it comes with, or was given."""


class CardError(PersonasError, ValueError):
    """A character card or a World Info file is broken, or not what it is taken for; says where."""


class EmbeddingModelError(PersonasError, ValueError):
    """The settings name an embedding model that is missing, incomplete or of another format."""


class AdapterRepoError(PersonasError):
    """Something about stored adapter versions, or bases."""


class InvalidIdError(AdapterRepoError, ValueError):
    """An id that is not spelled like a character or a version; nothing was touched."""


class InvalidDraftError(AdapterRepoError, ValueError):
    """The source folder or the manifest data cannot be published."""


class UnknownVersionError(AdapterRepoError, LookupError):
    """No complete version of that name; half-written ones count as absent."""


class NothingToRollBackError(AdapterRepoError, LookupError):
    """The bare base is live: there is nothing further back."""


class CorruptAdapterError(AdapterRepoError, ValueError):
    """A published version's files changed or went missing since it was published."""


class CorruptAliasesError(AdapterRepoError, ValueError):
    """aliases.json is not what this package writes."""


class BaseTakenError(AdapterRepoError, ValueError):
    """Bases never change: another one needs another name."""


class CorruptBaseError(AdapterRepoError, ValueError):
    """A base's manifest cannot be read, so it may have learned from anybody."""


class RepoWriteError(AdapterRepoError, OSError):
    """Writing failed (disk full, permissions); nothing that existed was changed."""


def brief(error: Exception) -> str:
    """An error in one line; of all that a schema found wrong, the first."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return ": ".join((*map(str, first["loc"]), first["msg"]))
    return str(error)
