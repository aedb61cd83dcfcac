"""Both voices asked the same things, through the engine that serves, and timed in it.

Every question is asked under the same seed for both, sampled as the persona says, because that is
how players will meet the candidate. Timing comes last, when nothing else runs: the voices take
turns, so that any other load on the machine slows both.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from npc_server.engine.protocol import Finish, Request, Sampling, SentenceRule
from npc_server.engine.settings import EngineSettings
from npc_server.engine.vocab import Vocab
from npc_server.engine.worker import EngineConfig, LlamaEngine
from personas.cast_names import speaking_names
from personas.lore_notes import LoreSettings
from personas.persona import Persona
from personas.sentences import LAST, UNMARKED, WITHIN
from trainer.examination.questions import Line, Question, plan
from trainer.examination.shown import Showing, Shown, Voice
from trainer.gate import Timing
from trainer.gate.measurements import SHOWN
from trainer.progress import Counter, OnProgress

ASKED_AT_ONCE = 64  # the engine's queue is finite, a designer's probes may be many
TIMED_TURNS = 12  # of each voice
TIMED_TOKENS = 24  # per turn
_SENTENCES = SentenceRule(WITHIN, LAST, UNMARKED)


@dataclass(frozen=True)
class Reply:
    """What a voice replied to a question."""

    question: Question
    text: str
    shown: Shown | None = None  # besides it, where the question asks for that


@dataclass(frozen=True)
class SampledReplies:
    """The replies of both voices, question by question, and how long turns took."""

    incumbent: tuple[Reply, ...]
    candidate: tuple[Reply, ...]
    timings: tuple[Timing, ...]


def within_cores(settings: EngineSettings) -> EngineSettings:
    """The settings with no more threads than this process may use cores."""
    cores = len(os.sched_getaffinity(0))
    return replace(settings, threads=min(settings.threads or cores, cores))


def sample_replies(
    config: EngineConfig,
    vocab: Vocab,
    persona: Persona,
    voices: tuple[Path | None, Path | None],
    lines: Sequence[Line],
    lore: LoreSettings,
    on_progress: OnProgress,
) -> SampledReplies:
    """Ask incumbent and candidate; a voice is an adapter folder, or None for the bare base.

    Raises EngineError, PromptTooLongError and EmbeddingModelError.
    """
    questions = plan(persona, vocab, lines, config.shape.context_tokens, lore)
    return asyncio.run(_sample_replies(config, vocab, persona, voices, questions, on_progress))


async def _sample_replies(
    config: EngineConfig,
    vocab: Vocab,
    persona: Persona,
    voices: tuple[Path | None, Path | None],
    questions: Sequence[Question],
    on_progress: OnProgress,
) -> SampledReplies:
    at_once = min(ASKED_AT_ONCE, config.options.max_waiting)
    engine = LlamaEngine(config)
    await engine.start()
    try:
        count = Counter(2 * (len(questions) + TIMED_TURNS), on_progress)
        names = [await _load(engine, number, folder) for number, folder in enumerate(voices)]
        context_tokens = config.shape.context_tokens
        told = [Voice(persona, vocab, name, context_tokens) for name in names]
        old, new = [await _ask(engine, voice, questions, at_once, count) for voice in told]
        timings = await _time_both(engine, names, questions, count)
        return SampledReplies(tuple(old), tuple(new), tuple(timings))
    finally:
        await engine.close()


async def _load(engine: LlamaEngine, number: int, folder: Path | None) -> str:
    if folder is None:
        return ""
    name = f"voice-{number}"
    await engine.load_adapter(name, folder)
    return name


async def _ask(
    engine: LlamaEngine, voice: Voice, questions: Sequence[Question], at_once: int, count: Counter
) -> list[Reply]:
    places = asyncio.Semaphore(at_once)
    showing = Showing(voice, partial(_finish, engine))
    if any(question.kind in SHOWN for question in questions):
        await showing.begin()

    async def ask(number: int, question: Question) -> Reply:
        async with places:
            reply = await _finish(engine, _request(voice, number, question))
            shown = await showing.of(question, reply) if question.kind in SHOWN else None
        count()
        return Reply(question, reply.text, shown)

    return list(await asyncio.gather(*(ask(i, q) for i, q in enumerate(questions))))


def _request(voice: Voice, number: int, question: Question) -> Request:
    return Request(
        f"{voice.adapter}-{number}",
        question.prompt_ids,
        voice.adapter,
        Sampling(seed=question.seed, **voice.persona.drawing()),
        sentences=_SENTENCES,
        said=tuple(tuple(voice.tokenizer.encode(text)) for text in question.said),
        speakers=speaking_names(voice.persona),
    )


async def _time_both(
    engine: LlamaEngine, voices: Sequence[str], questions: Sequence[Question], count: Counter
) -> list[Timing]:
    timings = []
    for turn in range(-1, TIMED_TURNS):  # the turn before the first warms both up
        question = questions[turn % len(questions)]
        order = (0, 1) if turn % 2 else (1, 0)
        took = {at: await _time_turn(engine, voices[at], turn, question) for at in order}
        if turn >= 0:
            old, new = took[0], took[1]
            timings.append(Timing(_token_ms(old), _token_ms(new), old.ttft_ms, new.ttft_ms))
            count(2)
    return timings


async def _time_turn(engine: LlamaEngine, voice: str, turn: int, question: Question) -> Finish:
    sampling = Sampling(seed=turn + 1, min_tokens=TIMED_TOKENS, max_tokens=TIMED_TOKENS)
    request = Request(f"timed-{voice}-{turn}", question.prompt_ids, voice, sampling)
    return await _finish(engine, request)


def _token_ms(turn: Finish) -> float:
    # A prompt may leave room for a single token.
    return (turn.total_ms - turn.ttft_ms) / max(1, len(turn.token_ids) - 1)


async def _finish(engine: LlamaEngine, request: Request) -> Finish:
    last = None
    async for event in engine.generate(request):
        last = event
    assert isinstance(last, Finish)  # the protocol's last event, or generate raises
    return last
