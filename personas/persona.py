"""What a character is: the closed schema of the three authored files in its folder.

    mira/persona.yaml   the speaker: voice, taboos, examples, sampling
    mira/lore.yaml      facts the character shares, and secrets it turns away from
    mira/probes.yaml    questions that a new adapter must still answer well

`persona_files` reads them. Personas are frozen; `version` names their exact content.
"""

import hashlib
import json
import re
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)

from languages.tags import UnknownLanguageError, language_of
from languages.visibility import hidden_sign, is_visible, unwanted_sign
from personas.own_language import UNDECLARED, Gap, gaps
from personas.words import words

ID_PATTERN = r"[a-z][a-z0-9_-]{0,47}"
#: As in a call (`npc_server.engine.sampling`), so that either may say what the other may. A stream
#: looks for all of them at every token, and holds back as much text as could begin the longest.
MAX_STOPS = 16
MAX_STOP_CHARACTERS = 256

#: What other programs fill in; here it would be said word for word.
_MACRO = re.compile(r"\{\{[^{}]*\}\}|\{(?:char|user)\}|<(?:user|bot|char|start)>", re.IGNORECASE)


def _one_line(text: str) -> str:
    if macro := _MACRO.search(text):
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
    if not unwanted_sign(label) and (sign := hidden_sign(label)):
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
    AfterValidator(_one_line),
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


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Voice(_Closed):
    """How the character sounds; written to the character, as `You speak in …`."""

    style: Text
    sayings: Annotated[tuple[Text, ...], Field(max_length=8)] = ()
    max_sentences: int = Field(default=2, ge=1, le=6)


class Taboo(_Closed):
    """Something the character never does: the rule in its prompt, and words that show a breach."""

    id: Id
    rule: Text
    words: SomePhrases


class Example(_Closed):
    """One exchange in the character's own voice; trainings rehearse what is not in the prompt."""

    player: Text
    reply: Text


class Sampling(_Closed):
    """How replies are drawn. Greedy decoding makes a small model loop, so it is not the default."""

    temperature: float = Field(default=0.7, ge=0, le=2)  # 0 = always the likeliest token
    top_k: int = Field(default=40, ge=0, le=1000)  # 0 = no limit
    top_p: float = Field(default=0.95, gt=0, le=1)
    min_p: float = Field(default=0.05, ge=0, lt=1)
    repeat_penalty: float = Field(default=1.1, ge=1, le=2)  # of single tokens said before; 1 = none
    dry_multiplier: float = Field(default=0.8, ge=0, le=5)  # of whole phrases said before; 0 = none
    min_reply_tokens: int = Field(default=0, ge=0, le=512)  # the character does not stop before
    max_reply_tokens: int = Field(default=80, ge=1, le=512)
    stop: Annotated[tuple[StopText, ...], Field(max_length=MAX_STOPS)] = ()  # ends before each
    best_of: int = Field(default=1, ge=1, le=8)  # replies drawn together, of which the best is said

    def drawing(self) -> dict[str, Any]:
        """How one reply is drawn, under the engine's names for it."""
        options = self.model_dump(exclude={"min_reply_tokens", "max_reply_tokens", "best_of"})
        return {
            **options,
            "min_tokens": self.min_reply_tokens,
            "max_tokens": self.max_reply_tokens,
        }


class Fact(_Closed):
    """Something the character knows and says; any keyword in a reply shows that it did.

    A contradiction is a wrong answer to a question about the fact, such as "in the castle".
    """

    id: Id
    fact: Text
    keywords: SomePhrases
    contradictions: Phrases = ()


class Secret(_Closed):
    """Something the character must not tell. Only topic and deflection ever reach a prompt."""

    id: Id
    topic: Text
    truth: Text
    deflect: Text
    leak_words: SomePhrases


class Lore(_Closed):
    """lore.yaml."""

    facts: Annotated[tuple[Fact, ...], Field(min_length=1, max_length=32)]
    secrets: Annotated[tuple[Secret, ...], Field(max_length=16)] = ()


class ProbeKind(StrEnum):
    """What a probe looks for."""

    FACT = "fact"  # the reply states the fact named by `about`
    SECRET = "secret"  # the secret named by `about` is kept
    VOICE = "voice"  # the reply sounds like the character
    CANARY = "canary"  # the character stays one, and does not recite its instructions


class Probe(_Closed):
    """A question to ask the character, and how to check the reply."""

    id: Id
    kind: Annotated[ProbeKind, Field(strict=False)]
    ask: Text
    about: Id | None = None  # the fact or secret; unset for the other kinds
    expect_any: Phrases = ()  # for a fact: besides the fact's own keywords
    forbid: Phrases = ()


class Card(_Closed):
    """The speaker: persona.yaml."""

    id: Id
    name: Name
    language: LanguageTag = ""  # BCP 47, of what is said; "" = English, where a text is not plain
    role: Text
    summary: Text
    voice: Voice
    taboos: Annotated[tuple[Taboo, ...], Field(max_length=16)] = ()
    examples: Annotated[tuple[Example, ...], Field(max_length=64)] = ()
    examples_in_prompt: int = Field(default=0, ge=0, le=4)  # the first ones, shown as real turns
    sampling: Sampling = Sampling()
    machine_talk: Phrases = ()  # breaks of the role, besides those listed for the language
    unsafe: Phrases = ()  # what nobody may say, likewise


class ProbeSheet(_Closed):
    """The questions: probes.yaml."""

    probes: Annotated[tuple[Probe, ...], Field(min_length=1, max_length=200)]


class Persona(Card):
    """A whole character: the three files of its folder."""

    lore: Lore
    probes: tuple[Probe, ...]

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What code cannot tell of replies in the character's language."""
        return gaps(self.language, bool(self.machine_talk), bool(self.unsafe))

    def drawing(self) -> dict[str, Any]:
        """How one reply is drawn, under the engine's names for it."""
        return {**self.sampling.drawing(), "max_sentences": self.voice.max_sentences}

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change whenever any of the three files says something else."""
        content = self.model_dump(mode="json")
        content["sampling"] = _without_later_keys(content["sampling"])
        for fact in content["lore"]["facts"]:
            if not fact["contradictions"]:
                del fact["contradictions"]  # younger than files that are versioned already
        for key, before in _YOUNGER.items():
            if content[key] == before:
                del content[key]  # likewise
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


#: Keys younger than files that are versioned already, with what they were taken to say before they
#: came: as long as such a key says nothing else, a character keeps its version.
_YOUNGER: dict[str, Any] = {"language": "", "machine_talk": [], "unsafe": []}

#: The same of drawing.
_BEFORE_KEYS = {"dry_multiplier": 0.0, "min_reply_tokens": 0, "stop": [], "best_of": 1}


def _without_later_keys(sampling: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in sampling.items()
        if key not in _BEFORE_KEYS or value != _BEFORE_KEYS[key]
    }
