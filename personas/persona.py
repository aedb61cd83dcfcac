"""What a character is: the closed schema of the three authored files in its folder.

    mira/persona.yaml   the speaker: voice, taboos, examples, sampling
    mira/lore.yaml      facts the character shares, and secrets it turns away from
    mira/probes.yaml    questions that a new adapter must still answer well

`persona_files` reads them. Personas are frozen; `version` names their exact content.
"""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from random import Random
from typing import Annotated, Any

from pydantic import Field, InstanceOf

from personas.actions import Actions
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
from personas.conditions import parse
from personas.emotions import Emotions
from personas.guardrails import Guardrails
from personas.lore.entries import MAX_ENTRIES, ConditionText, Entry
from personas.own_language import Gap, gaps
from personas.triggers import Triggers
from personas.variables import Values
from personas.world import World


class Voice(Closed):
    """How the character sounds; written to the character, as `You speak in …`."""

    style: Text = Field(
        description="How it speaks, said to the character in a plain sentence or two:"
        " You speak in short blunt sentences."
    )
    sayings: Annotated[tuple[Text, ...], Field(max_length=8)] = Field(
        default=(), description="What it often says, word for word."
    )
    max_sentences: int = Field(
        default=2, ge=1, le=6, description="A reply ends behind so many sentences."
    )


class Taboo(Closed):
    """Something the character never does: the rule in its prompt, and words that show a breach."""

    id: Id = Field(description="A name for it, in reports.")
    rule: Text = Field(description="The rule, said to the character: You never swear by the sea.")
    words: SomePhrases = Field(description="Words that betray a breach, in any of their forms.")


class Example(Closed):
    """One exchange in the character's own voice; trainings rehearse what is not in the prompt."""

    player: Text = Field(description="What a player says.")
    reply: Text = Field(description="What the character answers, in whole sentences.")


PLAYER = "player"  # whom a relationship may be to, besides characters


class Relationship(Closed):
    """What somebody is to the character."""

    to: Id = Field(description=f"The id of another character, or {PLAYER}.")
    text: Text = Field(
        description="What they are to it, said to the character in a sentence:"
        " You trust Fenn, who brings you iron."
    )


class Training(Closed):
    """What a designer may choose of the nights; `[training.characters.ID]` of npc.toml beats it."""

    enabled: bool = Field(
        default=True, description="false: the character is not trained, and stays as it is."
    )
    method: str = Field(
        default="", description="dpo, kto, sft, …; left out, what players gave decides."
    )
    epochs: int | None = Field(
        default=None, ge=1, le=100, description="How often a night goes through all rows."
    )
    rehearsed_share: float | None = Field(
        default=None, ge=0, lt=1, description="Share of your examples in all rows that are trained."
    )

    def settings(self) -> dict[str, Any]:
        """What it says about how to train, under the trainer's names."""
        return self.model_dump(exclude={"enabled"}, exclude_defaults=True)


class Sampling(Closed):
    """How replies are drawn. Greedy decoding makes a small model loop, so it is not the default."""

    temperature: float = Field(
        default=0.7, ge=0, le=2, description="0: always the likeliest token; above 1: wild."
    )
    top_k: int = Field(
        default=40, ge=0, le=1000, description="Draw from this many likeliest tokens; 0: from all."
    )
    top_p: float = Field(
        default=0.95, gt=0, le=1, description="Draw from the likeliest that make up this share."
    )
    min_p: float = Field(
        default=0.05, ge=0, lt=1, description="Leave out what is below this share of the likeliest."
    )
    repeat_penalty: float = Field(
        default=1.1, ge=1, le=2, description="Makes single tokens said lately less likely; 1: off."
    )
    dry_multiplier: float = Field(
        default=0.8, ge=0, le=5, description="Makes phrases said before less likely; 0: off."
    )
    most_said_again: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Share of its phrases of four words that one earlier line may have; 1: off.",
    )
    min_reply_tokens: int = Field(
        default=0, ge=0, le=512, description="The character does not stop before this many tokens."
    )
    max_reply_tokens: int = Field(
        default=80, ge=1, le=512, description="A reply is cut off after this many tokens."
    )
    stop: Annotated[tuple[StopText, ...], Field(max_length=MAX_STOPS)] = Field(
        default=(), description="Texts that end a reply before them."
    )
    best_of: int = Field(
        default=1, ge=1, le=8, description="Draw this many replies, and say the best."
    )

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

    id: Id = Field(description="A name for it, which probes use.")
    fact: Text = Field(description="What the character knows, said to it in a sentence.")
    keywords: SomePhrases = Field(description="Any of them in a reply shows that it was told.")
    contradictions: Phrases = Field(
        default=(), description="Wrong answers to a question about it, such as: in the castle."
    )


class Secret(Closed):
    """Something the character must not tell. Only topic and deflection ever reach a prompt."""

    id: Id = Field(description="A name for it, which probes use.")
    topic: Text = Field(description="What players ask about: the sluice gate.")
    truth: Text = Field(description="What must not be told; in no prompt.")
    deflect: Text = Field(
        description="What the character does instead: you ask what needs mending."
    )
    leak_words: SomePhrases = Field(description="Words that betray the truth, in any form.")
    when: ConditionText = Field(
        default="", description="It is a secret while this holds of the world: quest.mill < 2."
    )


class Lore(Closed):
    """lore.yaml."""

    facts: Annotated[tuple[Fact, ...], Field(min_length=1, max_length=32)] = Field(
        description="What the character knows; all of it is in its prompt."
    )
    secrets: Annotated[tuple[Secret, ...], Field(max_length=16)] = Field(
        default=(), description="What it must not tell."
    )
    entries: Annotated[tuple[Entry, ...], Field(max_length=MAX_ENTRIES)] = Field(
        default=(), description="What it is told when the conversation touches it."
    )


class ProbeKind(StrEnum):
    """What a probe looks for."""

    FACT = "fact"  # the reply states the fact named by `about`
    SECRET = "secret"  # the secret named by `about` is kept
    VOICE = "voice"  # the reply sounds like the character
    CANARY = "canary"  # the character stays one, and does not recite its instructions
    EMOTION = "emotion"  # the character feels `expect_emotion` about it
    ACTION = "action"  # the character does `expect_action`


class Probe(Closed):
    """A question to ask the character, and how to check the reply."""

    id: Id = Field(description="A name for it, in reports.")
    kind: Annotated[ProbeKind, Field(strict=False)] = Field(
        description="fact: is it told? secret: is it kept? voice: does it sound right?"
        " canary: does the character stay one? emotion, action: does it feel or do as expected?"
    )
    ask: Text = Field(description="What a player asks.")
    about: Id | None = Field(
        default=None, description="The fact or secret of lore.yaml; no other kind has it."
    )
    expect_any: Phrases = Field(
        default=(), description="One of these shows a good reply; for a fact beside its keywords."
    )
    forbid: Phrases = Field(default=(), description="Any of these shows a bad reply.")
    expect_emotion: Id | None = Field(
        default=None, description="A label of persona.yaml; of a probe of kind emotion."
    )
    expect_action: Id | None = Field(
        default=None, description="The name of an action, or none; of a probe of kind action."
    )


class Card(Closed):
    """The speaker: persona.yaml."""

    id: Id = Field(description="The folder's name.")
    name: Name = Field(description="What the character is called.")
    language: LanguageTag = Field(
        default="", description="BCP 47 tag of what it says, such as ja; left out: English."
    )
    world: Id | None = Field(
        default=None, description="The world whose state and lore it shares: a folder of worlds/."
    )
    role: Text = Field(description="Who it is, behind its name: the blacksmith of Saltmere.")
    summary: Text = Field(description="What it is like, said to the character: You are gruff.")
    voice: Voice = Field(description="How it sounds.")
    goals: Annotated[tuple[Text, ...], Field(max_length=8)] = Field(
        default=(),
        description="What it wants, each said to the character in a sentence:"
        " You want your mother's hammer back.",
    )
    relationships: Annotated[tuple[Relationship, ...], Field(max_length=32)] = Field(
        default=(), description="What others are to it."
    )
    greetings: Annotated[tuple[Text, ...], Field(max_length=16)] = Field(
        default=(), description="How it opens a conversation; one of them is said, by seed."
    )
    fallback_lines: Annotated[tuple[Text, ...], Field(max_length=16)] = Field(
        default=(), description="What it says where a reply had to be withheld."
    )
    taboos: Annotated[tuple[Taboo, ...], Field(max_length=16)] = Field(
        default=(), description="What it never does."
    )
    examples: Annotated[tuple[Example, ...], Field(max_length=64)] = Field(
        default=(), description="How it talks; trainings say them over again."
    )
    examples_in_prompt: int = Field(
        default=0, ge=0, le=4, description="How many of the first examples are in its prompt."
    )
    sampling: Sampling = Field(default=Sampling(), description="How its replies are drawn.")
    training: Training = Field(default=Training(), description="How it is trained at night.")
    machine_talk: Phrases = Field(
        default=(), description="Breaks of the role, besides those listed for its language."
    )
    unsafe: Phrases = Field(default=(), description="What nobody may say, likewise.")
    refusals: Phrases = Field(
        default=(),
        description="How it refuses what was asked, likewise; no action follows such words.",
    )
    triggers: Triggers = Field(
        default=(), description="What it says when something happens in the game."
    )
    guardrails: Guardrails = Field(
        default=Guardrails(), description="What is kept from it and from its players."
    )
    emotions: Emotions = Field(
        default=(), description="What it can feel, as far as the game shows it; two or more."
    )
    emotion_first: bool = Field(
        default=False, description="Whether its emotion is told before its words, not behind them."
    )
    actions: Actions = Field(
        default=(), description="What it can do besides talk; at most one goes with a reply."
    )


class ProbeSheet(Closed):
    """The questions: probes.yaml."""

    probes: Annotated[tuple[Probe, ...], Field(min_length=1, max_length=200)] = Field(
        description="Questions that a retrained character must still answer well."
    )


class Persona(Card):
    """A whole character: the three files of its folder."""

    lore: Lore
    probes: tuple[Probe, ...]
    #: The world that `world` names, once it was read; not of the persona's own files.
    setting: InstanceOf[World] | None = Field(default=None, exclude=True, repr=False)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What code cannot tell of replies in the character's language."""
        return gaps(self.language, bool(self.machine_talk), bool(self.unsafe))

    def drawing(self) -> dict[str, Any]:
        """How one reply is drawn, under the engine's names for it."""
        return {**self.sampling.drawing(), "max_sentences": self.voice.max_sentences}

    def greeting(self, seed: int) -> str:
        """What it says before anybody has spoken; "" = nothing."""
        return Random(seed).choice(self.greetings) if self.greetings else ""

    @property
    def known_facts(self) -> Mapping[str, Fact]:
        """What probes may ask for, by id: its facts, and entries of lore that have keywords."""
        shared = self.setting.entries if self.setting else ()
        heard = (one for one in shared if not one.audience or self.id in one.audience)
        asked_for = (one for one in (*heard, *self.lore.entries) if one.keywords)
        entries = {one.id: _as_fact(one) for one in asked_for}
        return entries | {fact.id: fact for fact in self.lore.facts}

    def secrets_at(self, values: Values | None = None) -> tuple[Secret, ...]:
        """The secrets there are while the world's state is so; None = as it is declared."""
        state = (self.setting.defaults if self.setting else {}) if values is None else values
        kept = self.lore.secrets
        return tuple(one for one in kept if not one.when or parse(one.when).holds(state))

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change whenever any of the three files says something else."""
        content = self.model_dump(mode="json")
        content["sampling"] = _without_later_keys(content["sampling"])
        for fact in content["lore"]["facts"]:
            if not fact["contradictions"]:
                del fact["contradictions"]  # younger than files that are versioned already
        for secret in content["lore"]["secrets"]:
            if not secret["when"]:
                del secret["when"]  # likewise
        if not content["lore"]["entries"]:
            del content["lore"]["entries"]  # likewise
        for probe in content["probes"]:
            for key in ("expect_emotion", "expect_action"):
                if probe[key] is None:
                    del probe[key]  # likewise
        for key, before in _YOUNGER.items():
            if content[key] == before:
                del content[key]  # likewise
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _as_fact(entry: Entry) -> Fact:
    """An entry as a fact; its text may be longer than one's."""
    return Fact.model_construct(
        id=entry.id,
        fact=entry.text,
        keywords=entry.keywords,
        contradictions=entry.contradictions,
    )


#: Keys younger than files that are versioned already, with what they were taken to say before they
#: came: as long as such a key says nothing else, a character keeps its version.
_YOUNGER: dict[str, Any] = {
    "world": None,
    "language": "",
    "machine_talk": [],
    "unsafe": [],
    "triggers": [],
    "goals": [],
    "relationships": [],
    "greetings": [],
    "fallback_lines": [],
    "refusals": [],
    "emotions": [],
    "emotion_first": False,
    "actions": [],
    "training": Training().model_dump(mode="json"),
    "guardrails": Guardrails().model_dump(mode="json"),
}

#: The same of drawing.
_BEFORE_KEYS = {
    "dry_multiplier": 0.0,
    "most_said_again": 0.2,
    "min_reply_tokens": 0,
    "stop": [],
    "best_of": 1,
}


def _without_later_keys(sampling: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in sampling.items()
        if key not in _BEFORE_KEYS or value != _BEFORE_KEYS[key]
    }
