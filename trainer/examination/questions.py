"""What both voices are asked: the designer's probes, tricks that never change, players' lines.

A question is a prompt and a seed, so that each reply of the candidate can be compared with one of
the incumbent. Nothing asked here is ever trained on: `npc persona check` keeps probes apart from
examples, and players' lines come from the held-out side.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from languages.tags import primary
from personas.lore.embeddings import load_embedder
from personas.lore_notes import LoreSettings, opening_notes, shelves_of
from personas.persona import Fact, Persona, Probe, ProbeKind
from personas.render import Tokenizer, prompt
from trainer.gate import QuestionKind

PROBE_SEEDS = 16  # replies per probe: over 88 replies chance alone moves the share by 0.05
INJECTION_SEEDS = 2
FALSEHOOD_SEEDS = 4
GATE_LINES = 40  # replies to held-out prompts

DEFAULT_LORE = LoreSettings()
_KIND_OF = {
    ProbeKind.FACT: QuestionKind.FACT,
    ProbeKind.SECRET: QuestionKind.SECRET,
    ProbeKind.VOICE: QuestionKind.VOICE,
    ProbeKind.CANARY: QuestionKind.CANARY,
    ProbeKind.EMOTION: QuestionKind.EMOTION,
    ProbeKind.ACTION: QuestionKind.ACTION,
}


@dataclass(frozen=True)
class Line:
    """What a held-out player said, as it was rendered."""

    prompt_ids: tuple[int, ...]
    player_id: str
    player_text: str
    said: tuple[str, ...] = ()  # by the character, in the conversation before


@dataclass(frozen=True)
class Question:
    """One thing to ask, under one seed."""

    prompt_ids: tuple[int, ...]
    seed: int
    kind: QuestionKind
    cluster: str  # the probe, or the player: replies to one resemble each other
    line: str  # the last thing the player says
    probe: Probe | None = None  # None = a player's line
    fact: Fact | None = None  # that a fact probe asks for, or a falsehood denies
    said: tuple[str, ...] = ()  # by the character before, as far as a reply shall not say it again

    @property
    def id(self) -> str:
        """Pairs the replies of two voices; names no player."""
        what = self.kind if self.probe is None else f"{self.kind} {self.probe.id}"
        return f"{what} {self.seed}"


def plan(
    persona: Persona,
    tokenizer: Tokenizer,
    lines: Sequence[Line],
    context_tokens: int,
    lore: LoreSettings = DEFAULT_LORE,
) -> list[Question]:
    """Every question for both voices, with the lore that it brings up where they are served.

    A held-out line with so long a past that it would not fit today is not asked. Raises
    PromptTooLongError when a probe does not fit, and EmbeddingModelError.
    """
    asked = fitting(persona, lines, context_tokens)
    opening = _opening_questions(persona, tokenizer, context_tokens, lore)
    return [*opening, *_in_rotation(asked)]


def fitting(persona: Persona, lines: Sequence[Line], context_tokens: int) -> list[Line]:
    """The lines whose prompts leave room for a reply."""
    budget = context_tokens - persona.sampling.max_reply_tokens
    return [line for line in lines if len(line.prompt_ids) <= budget]


def _opening_questions(
    persona: Persona, tokenizer: Tokenizer, context_tokens: int, lore: LoreSettings
) -> Iterator[Question]:
    budget = context_tokens - persona.sampling.max_reply_tokens
    room = lore.room_tokens(context_tokens)
    embedder = load_embedder(lore.embedding_model) if lore.embedding_model else None
    shelves = shelves_of(persona, embedder)
    for kind, probe, fact, seeds in _probes_to_ask(persona):
        notes = opening_notes(persona, shelves, probe.ask, lore.rules)
        told = prompt(persona, (), probe.ask, tokenizer, budget, None, notes, room)
        ids = told.ids
        for seed in range(seeds):
            yield Question(ids, seed, kind, f"{kind} {probe.id}", probe.ask, probe, fact)


def _probes_to_ask(persona: Persona) -> Iterator[tuple[QuestionKind, Probe, Fact | None, int]]:
    facts = persona.known_facts
    for probe in persona.probes:
        fact = facts.get(probe.about or "") if probe.kind is ProbeKind.FACT else None
        yield _KIND_OF[probe.kind], probe, fact, _seeds(probe, persona)
    for probe in injections_for(persona):
        yield QuestionKind.INJECTION, probe, None, INJECTION_SEEDS
    for probe, fact in falsehoods(persona):
        yield QuestionKind.FALSEHOOD, probe, fact, FALSEHOOD_SEEDS


def _seeds(probe: Probe, persona: Persona) -> int:
    """How often to ask a probe: what comes before the words is the same under every seed."""
    before_words = probe.kind is ProbeKind.EMOTION and persona.emotion_first
    return 1 if before_words else PROBE_SEEDS


def _in_rotation(lines: Sequence[Line]) -> Iterator[Question]:
    unique = list({line.prompt_ids: line for line in reversed(lines)}.values())[::-1]
    for index in range(GATE_LINES if unique else 0):
        line = unique[index % len(unique)]
        seed = 1000 + index
        yield Question(
            line.prompt_ids,
            seed,
            QuestionKind.LINE,
            line.player_id,
            line.player_text,
            said=line.said,
        )


def injections_for(persona: Persona) -> tuple[Probe, ...]:
    """Lines that try to talk a character out of its role: in English, and in its language."""
    codes = dict.fromkeys(("en", primary(persona.language)))
    return tuple(probe for code in codes for probe in injections(code))


@cache
def injections(language: str = "en") -> tuple[Probe, ...]:
    """The lines of one language; none where nobody has written any."""
    return tuple(
        Probe(id=e["id"], kind=ProbeKind.CANARY, ask=e["ask"], forbid=tuple(e["forbid"]))
        for e in _read("injections.yaml").get(language, ())
    )


def falsehoods(persona: Persona) -> list[tuple[Probe, Fact]]:
    """The fact probes, each with a wrong answer already in the player's mouth.

    A fact without contradictions gives none. The wrong answer is the first contradiction.
    """
    facts = {fact.id: fact for fact in persona.known_facts.values() if fact.contradictions}
    probes = [p for p in persona.probes if p.kind is ProbeKind.FACT and p.about in facts]
    return [
        (_with_claim(probe, facts[probe.about or ""], persona), facts[probe.about or ""])
        for probe in probes
    ]


def _with_claim(probe: Probe, fact: Fact, persona: Persona) -> Probe:
    claim = fact.contradictions[0]
    told = _read("falsehoods.yaml").get(primary(persona.language), _read("falsehoods.yaml")["en"])
    said = told.format(claim=f"{claim[0].upper()}{claim[1:]}")
    return probe.model_copy(update={"ask": f"{probe.ask} {said}"})


@cache
def _read(file: str) -> Mapping[str, Any]:
    content: Mapping[str, Any] = yaml.safe_load(
        (resources.files("trainer.examination") / file).read_text("utf-8")
    )
    return content
