"""Which published versions are reward heads, and the words whose logits make their scores.

A head is an adapter that judges replies and generates none. It is published as voices are, below a
root of its own, with `METHOD` and two words in its config: {"good": {"text", "token"}, "bad": ...}.
"""

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from personas.adapter_repo import Manifest
from personas.errors import CorruptAdapterError

METHOD = "reward"


@dataclass(frozen=True)
class Word:
    """A word that is one token of the base."""

    text: str
    token: int


@dataclass(frozen=True)
class Words:
    """A reply's score is the logit of the good word less that of the bad one."""

    good: Word
    bad: Word

    @property
    def contrast(self) -> tuple[int, int]:
        """The two tokens, whose log-probabilities the engine is asked for."""
        return self.good.token, self.bad.token


_WORDS = TypeAdapter(Words)


def words_of(manifest: Manifest) -> Words | None:
    """A head's words; None when the version is a voice.

    Raises CorruptAdapterError when a head names none.
    """
    if manifest.method != METHOD:
        return None
    try:
        return _WORDS.validate_python(manifest.config)
    except ValidationError as error:
        raise CorruptAdapterError(
            f"{manifest.character} {manifest.version} is a reward head without words: "
            f"{error.errors()[0]['msg']}; publish the head again"
        ) from error
