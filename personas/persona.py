"""What a character is: the closed schema of the three authored files in its folder.

    mira/persona.yaml   the speaker: voice, taboos, examples, sampling
    mira/lore.yaml      facts the character shares, and secrets it turns away from
    mira/probes.yaml    questions that a new adapter must still answer well

`persona_files` reads them. Personas are frozen; `version` names their exact content.
"""

import hashlib
import json
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field

from personas.authored_fields import (
    MAX_STOPS,
    Closed,
    Id,
    LanguageTag,
    Name,
    Phrases,
    SomePhrases,
    StopText,
    Text,
)
from personas.own_language import Gap, gaps
from personas.triggers import Triggers


class Voice(Closed):
    """How the character sounds; written to the character, as `You speak in …`."""

    style: Text
    sayings: Annotated[tuple[Text, ...], Field(max_length=8)] = ()
    max_sentences: int = Field(default=2, ge=1, le=6)


class Taboo(Closed):
    """Something the character never does: the rule in its prompt, and words that show a breach."""

    id: Id
    rule: Text
    words: SomePhrases


class Example(Closed):
    """One exchange in the character's own voice; trainings rehearse what is not in the prompt."""

    player: Text
    reply: Text


class Sampling(Closed):
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


class Fact(Closed):
    """Something the character knows and says; any keyword in a reply shows that it did.

    A contradiction is a wrong answer to a question about the fact, such as "in the castle".
    """

    id: Id
    fact: Text
    keywords: SomePhrases
    contradictions: Phrases = ()


class Secret(Closed):
    """Something the character must not tell. Only topic and deflection ever reach a prompt."""

    id: Id
    topic: Text
    truth: Text
    deflect: Text
    leak_words: SomePhrases


class Lore(Closed):
    """lore.yaml."""

    facts: Annotated[tuple[Fact, ...], Field(min_length=1, max_length=32)]
    secrets: Annotated[tuple[Secret, ...], Field(max_length=16)] = ()


class ProbeKind(StrEnum):
    """What a probe looks for."""

    FACT = "fact"  # the reply states the fact named by `about`
    SECRET = "secret"  # the secret named by `about` is kept
    VOICE = "voice"  # the reply sounds like the character
    CANARY = "canary"  # the character stays one, and does not recite its instructions


class Probe(Closed):
    """A question to ask the character, and how to check the reply."""

    id: Id
    kind: Annotated[ProbeKind, Field(strict=False)]
    ask: Text
    about: Id | None = None  # the fact or secret; unset for the other kinds
    expect_any: Phrases = ()  # for a fact: besides the fact's own keywords
    forbid: Phrases = ()


class Card(Closed):
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
    triggers: Triggers = ()  # what is said when something happens


class ProbeSheet(Closed):
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
_YOUNGER: dict[str, Any] = {"language": "", "machine_talk": [], "unsafe": [], "triggers": []}

#: The same of drawing.
_BEFORE_KEYS = {"dry_multiplier": 0.0, "min_reply_tokens": 0, "stop": [], "best_of": 1}


def _without_later_keys(sampling: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in sampling.items()
        if key not in _BEFORE_KEYS or value != _BEFORE_KEYS[key]
    }
