"""What the fields of authored files may hold: ids, texts, phrases, languages.

Each type refuses what would be said word for word, could never match, or that nobody sees.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from languages.tags import UnknownLanguageError, language_of
from languages.visibility import hidden_sign, is_visible, unwanted_sign
from personas.own_language import UNDECLARED
from personas.words import words

ID_PATTERN = r"[a-z][a-z0-9_-]{0,47}"
#: As in a call (`npc_server.engine.sampling`), so that either may say what the other may. A stream
#: looks for all of them at every token, and holds back as much text as could begin the longest.
MAX_STOPS = 16
MAX_STOP_CHARACTERS = 256

#: What other programs fill in; here it would be said word for word.
_MACRO = re.compile(r"\{\{[^{}]*\}\}|\{(?:char|user)\}|<(?:user|bot|char|start)>", re.IGNORECASE)


def one_line(text: str) -> str:
    """The text in one line. Raises ValueError for a macro that nothing fills in here."""
    if ("{" in text or "<" in text) and (macro := _MACRO.search(text)):
        raise ValueError(f"holds {macro[0]}, which nothing fills in here; write the name itself")
    return " ".join(text.split())


def _known_language(tag: str) -> str:
    try:
        language_of(tag or UNDECLARED)
    except UnknownLanguageError as error:
        raise ValueError(str(error)) from error
    return tag


def _shows_something(text: str) -> str:
    if not is_visible(text):
        raise ValueError("holds nothing that a reader can see")
    return text


def _shows_all(label: str) -> str:
    """Signs that are in no text are told for every field by the reader of the file."""
    if (sign := hidden_sign(label)) and not unwanted_sign(label):
        raise ValueError(f"holds {sign}, which nobody sees and every comparison does; delete it")
    return label


def _has_a_word(phrase: str) -> str:
    if not words(phrase):
        raise ValueError("has no letter or digit, so it can never match")
    return phrase


Id = Annotated[str, StringConstraints(pattern=rf"^{ID_PATTERN}$")]
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=600),
    AfterValidator(one_line),
    AfterValidator(_shows_something),
]
Name = Annotated[Text, AfterValidator(_shows_all)]
Phrase = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=80),
    AfterValidator(_has_a_word),
    AfterValidator(_shows_all),
]
Phrases = Annotated[tuple[Phrase, ...], Field(max_length=64)]
LanguageTag = Annotated[str, AfterValidator(_known_language)]
StopText = Annotated[  # blanks count
    str, StringConstraints(min_length=1, max_length=MAX_STOP_CHARACTERS)
]
SomePhrases = Annotated[tuple[Phrase, ...], Field(min_length=1, max_length=64)]


class Closed(BaseModel):
    """A part of an authored file: frozen, and without keys that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
