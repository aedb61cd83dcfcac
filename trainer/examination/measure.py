"""Both voices asked the same things, through the engine that serves, and timed in it.

Every question is asked under the same seed for both, sampled as the persona says, because that is
how players will meet the candidate. Timing comes last, when nothing else runs: one turn of each
voice in turn, so that whatever else the machine does falls on both.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npc_server.engine.llama import ContextShape, Vocab
from npc_server.engine.protocol import Finish, Request, Sampling
from npc_server.engine.worker import EngineConfig, LlamaEngine
from personas.persona import Persona
from trainer.examination.questions import Line, Question, plan
from trainer.gate import Timing
from trainer.progress import OnProgress, Progress

TIMED_TURNS = 12  # of each voice
TIMED_TOKENS = 24  # a turn


@dataclass(frozen=True)
class Answer:
    """What a voice said to a question."""

    question: Question
    text: str


@dataclass(frozen=True)
class Listening:
    """All answers of both voices, question by question, and what their turns took."""

    incumbent: tuple[Answer, ...]
    candidate: tuple[Answer, ...]
    timings: tuple[Timing, ...]


def hear(
    gguf: Path,
    vocab: Vocab,
    persona: Persona,
    voices: tuple[Path | None, Path | None],
    lines: Sequence[Line],
    on_progress: OnProgress,
) -> Listening:
    """Ask incumbent and candidate; a voice is an adapter folder, or None for the bare base.

    Raises EngineError and PromptTooLongError.
    """
    return asyncio.run(_hear(gguf, vocab, persona, voices, lines, on_progress))


async def _hear(
    gguf: Path,
    vocab: Vocab,
    persona: Persona,
    voices: tuple[Path | None, Path | None],
    lines: Sequence[Line],
    on_progress: OnProgress,
) -> Listening:
    shape = ContextShape(threads=os.cpu_count() or 1)
    questions = plan(persona, vocab, lines, shape.context_tokens)
    engine = LlamaEngine(EngineConfig(gguf, shape))
    await engine.start()
    try:
        heard = _Counter(2 * (len(questions) + TIMED_TURNS), on_progress)
        names = [await _load(engine, number, folder) for number, folder in enumerate(voices)]
        old, new = [await _ask(engine, persona, name, questions, heard) for name in names]
        timings = await _time_both(engine, names, questions, heard)
        return Listening(tuple(old), tuple(new), tuple(timings))
    finally:
        await engine.close()


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
    heard: _Counter,
) -> list[Answer]:
    async def ask(number: int, question: Question) -> Answer:
        sampling = Sampling(seed=question.seed, **persona.sampling.drawing())
        request = Request(f"{voice}-{number}", question.prompt_ids, voice, sampling)
        reply = await _finish(engine, request)
        heard.one_more()
        return Answer(question, reply.text)

    return list(await asyncio.gather(*(ask(i, q) for i, q in enumerate(questions))))


async def _time_both(
    engine: LlamaEngine, voices: Sequence[str], questions: Sequence[Question], heard: _Counter
) -> list[Timing]:
    timings = []
    for turn in range(-1, TIMED_TURNS):  # the turn before the first warms both up
        question = questions[turn % len(questions)]
        order = (0, 1) if turn % 2 else (1, 0)
        took = {at: await _timed(engine, voices[at], turn, question) for at in order}
        if turn >= 0:
            timings.append(_timing(took[0], took[1]))
            heard.one_more()
            heard.one_more()
    return timings


async def _timed(engine: LlamaEngine, voice: str, turn: int, question: Question) -> Finish:
    sampling = Sampling(seed=turn + 1, min_tokens=TIMED_TOKENS, max_tokens=TIMED_TOKENS)
    request = Request(f"timed-{voice}-{turn}", question.prompt_ids, voice, sampling)
    return await _finish(engine, request)


def _timing(old: Finish, new: Finish) -> Timing:
    return Timing(_token_ms(old), _token_ms(new), old.ttft_ms, new.ttft_ms)


def _token_ms(reply: Finish) -> float:
    return (reply.total_ms - reply.ttft_ms) / (len(reply.token_ids) - 1)


async def _finish(engine: LlamaEngine, request: Request) -> Finish:
    last = None
    async for event in engine.generate(request):
        last = event
    assert isinstance(last, Finish)  # the protocol's last event, or generate raises
    return last
