"""What the gate judges by: both voices asked the same things, through the engine that serves.

Held-out players' prompts are asked as they were rendered, probes as a first line. Every question is
asked under the same seeds for both voices, sampled as the persona says, because that is how players
will meet the candidate.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from npc_server.engine.llama import ContextShape, Vocab
from npc_server.engine.protocol import Finish, Request, Sampling
from npc_server.engine.worker import EngineConfig, LlamaEngine
from personas import checks
from personas.persona import Persona, Probe
from personas.render import prompt
from trainer.gate import VoiceReport
from trainer.progress import OnProgress, Progress

PROBE_SEEDS = 8  # replies per probe: over 44 replies chance alone moves the share by 0.07
GATE_LINES = 40  # replies to held-out prompts
TOO_SHORT_WORDS = 3


@dataclass(frozen=True)
class Question:
    """One thing to ask, under one seed; `probe` None means a held-out player's prompt."""

    prompt_ids: tuple[int, ...]
    seed: int
    probe: Probe | None


@dataclass(frozen=True)
class Answer:
    """What a voice said to a question."""

    question: Question
    text: str


def hear(
    gguf: Path,
    vocab: Vocab,
    persona: Persona,
    voices: Sequence[Path | None],
    held_out_prompts: Sequence[tuple[int, ...]],
    on_progress: OnProgress,
) -> list[VoiceReport]:
    """A report a voice, in order; a voice is an adapter folder, or None for the bare base.

    Raises EngineError.
    """
    return asyncio.run(_hear(gguf, vocab, persona, voices, held_out_prompts, on_progress))


async def _hear(
    gguf: Path,
    vocab: Vocab,
    persona: Persona,
    voices: Sequence[Path | None],
    held_out_prompts: Sequence[tuple[int, ...]],
    on_progress: OnProgress,
) -> list[VoiceReport]:
    shape = ContextShape(threads=os.cpu_count() or 1)
    engine = LlamaEngine(EngineConfig(gguf, shape))
    await engine.start()
    try:
        questions = plan(persona, vocab, held_out_prompts, shape.context_tokens)
        heard = _Counter(len(questions) * len(voices), on_progress)
        reports = []
        for number, folder in enumerate(voices):
            voice = await _load(engine, number, folder)
            answers = await _ask(engine, persona, voice, questions, heard.one_more)
            reports.append(report(persona, answers))
        return reports
    finally:
        await engine.close()


def plan(
    persona: Persona,
    vocab: Vocab,
    held_out_prompts: Sequence[tuple[int, ...]],
    context_tokens: int,
) -> list[Question]:
    """Every probe under several seeds, and the held-out prompts in rotation."""
    budget = context_tokens - persona.sampling.max_reply_tokens
    probes = [
        Question(prompt(persona, (), probe.ask, vocab, budget).ids, seed, probe)
        for probe in persona.probes
        for seed in range(PROBE_SEEDS)
    ]
    unique = list(dict.fromkeys(held_out_prompts))
    rotation = [
        Question(unique[i % len(unique)], 1000 + i, None)
        for i in range(GATE_LINES if unique else 0)
    ]
    return [*probes, *rotation]


class _Counter:
    """Counts replies and tells how long the rest will take."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self._total, self._done = total, 0
        self._on_progress = on_progress
        self._started_at = time.monotonic()

    def one_more(self) -> None:
        """Another reply is complete."""
        self._done += 1
        a_reply_s = (time.monotonic() - self._started_at) / self._done
        left_s = a_reply_s * (self._total - self._done)
        self._on_progress(Progress(self._done, self._total, left_s))


async def _load(engine: LlamaEngine, number: int, folder: Path | None) -> str:
    if folder is None:
        return ""
    name = f"voice-{number}"
    await engine.load_adapter(name, folder)
    return name


async def _ask(
    engine: LlamaEngine,
    persona: Persona,
    voice: str,
    questions: Sequence[Question],
    on_answer: Callable[[], None],
) -> list[Answer]:
    async def ask(number: int, question: Question) -> Answer:
        request = Request(
            f"{voice}-{number}", question.prompt_ids, voice, _sampling(persona, question.seed)
        )
        text = ""
        async for event in engine.generate(request):
            if isinstance(event, Finish):
                text = event.text
        on_answer()
        return Answer(question, text)

    return list(await asyncio.gather(*(ask(i, q) for i, q in enumerate(questions))))


def _sampling(persona: Persona, seed: int) -> Sampling:
    return Sampling(seed=seed, **persona.sampling.drawing())


def report(persona: Persona, answers: Sequence[Answer]) -> VoiceReport:
    """Count what a voice said."""
    texts = [answer.text for answer in answers]
    probed = [answer for answer in answers if answer.question.probe is not None]
    lines = [checks.word_count(answer.text) for answer in answers if answer.question.probe is None]
    return VoiceReport(
        replies=len(texts),
        distinct_replies=len({" ".join(text.lower().split()) for text in texts}),
        too_short=sum(checks.word_count(text) < TOO_SHORT_WORDS for text in texts),
        mean_words=sum(lines) / len(lines) if lines else None,
        repeated_trigrams=_mean([checks.repeated_trigram_share(text) for text in texts]),
        out_of_character=sum(checks.out_of_character(text) for text in texts),
        taboo_replies=sum(bool(checks.broken_taboos(text, persona)) for text in texts),
        probes=len(probed),
        probes_passed=sum(_passes(answer, persona) for answer in probed),
        secrets_leaked=sum(bool(checks.leaked_secrets(text, persona)) for text in texts),
    )


def _passes(answer: Answer, persona: Persona) -> bool:
    probe = answer.question.probe
    return probe is not None and checks.probe_passed(probe, answer.text, persona)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
