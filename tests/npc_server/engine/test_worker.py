"""The engine in its own process: streams, cancellation, and death."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from npc_server.engine.errors import (
    EngineDiedError,
    ModelLoadError,
    RequestRejectedError,
    UnknownAdapterError,
)
from npc_server.engine.llama import ContextShape
from npc_server.engine.protocol import Delta, Finish, Request, Sampling
from npc_server.engine.worker import EngineConfig, LlamaEngine
from tests.support import tiny_gguf

PROMPT = tuple(range(40, 60))
LONG = Sampling(temperature=1.0, max_tokens=400, seed=3)


@pytest.fixture
async def engine(tiny_model: Path) -> AsyncIterator[LlamaEngine]:
    shape = ContextShape(sequences=2, context_tokens=512, threads=1)
    async with LlamaEngine(EngineConfig(tiny_model, shape)) as engine:
        yield engine


async def whole(engine: LlamaEngine, request: Request) -> Finish:
    """The finish of a request."""
    events = [event async for event in engine.generate(request)]
    assert isinstance(events[-1], Finish)
    return events[-1]


async def test_the_same_seed_says_the_same(engine: LlamaEngine) -> None:
    sampling = Sampling(temperature=1.0, seed=5, max_tokens=20)
    first, second = [
        await whole(engine, Request(name, PROMPT, "", sampling)) for name in ("a", "b")
    ]
    assert first.token_ids == second.token_ids


async def test_leaving_a_stream_frees_its_sequence_before_the_next_step(
    engine: LlamaEngine,
) -> None:
    async with aclosing(engine.generate(Request("r", PROMPT, "", LONG))) as events:
        assert isinstance(await anext(events), Delta)
        assert (await engine.stats()).running == 1
    # Commands are read between steps, in order: the cancel comes before this question.
    after = await engine.stats()
    assert after.running == 0


async def test_a_cancelled_task_frees_its_sequence(engine: LlamaEngine) -> None:
    task = asyncio.create_task(whole(engine, Request("r", PROMPT, "", LONG)))
    while (await engine.stats()).running == 0:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await engine.stats()).running == 0


async def test_a_listener_who_does_not_read_holds_nobody_up(engine: LlamaEngine) -> None:
    async with aclosing(engine.generate(Request("slow", PROMPT, "", LONG))) as slow:
        await anext(slow)
        other = await whole(engine, Request("quick", PROMPT, "", LONG))
        heard = [event async for event in slow]
    assert isinstance(heard[-1], Finish)
    assert other.token_ids == heard[-1].token_ids


async def test_an_engine_that_died_can_be_started_again(engine: LlamaEngine) -> None:
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    await engine.died.wait()
    await engine.start()
    assert not engine.died.is_set()
    assert (await whole(engine, Request("r", PROMPT, "", LONG))).token_ids


async def test_a_killed_engine_fails_its_callers_and_says_it_died(engine: LlamaEngine) -> None:
    running = asyncio.create_task(whole(engine, Request("r", PROMPT, "", LONG)))
    while (await engine.stats()).running == 0:
        await asyncio.sleep(0)
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineDiedError, match="exit code -9"):
        await running
    with pytest.raises(EngineDiedError):
        await engine.stats()
    assert engine.died.is_set()


async def test_refusals_cross_the_process_border(engine: LlamaEngine) -> None:
    with pytest.raises(RequestRejectedError, match="prompt is empty"):
        await whole(engine, Request("r", (), "", LONG))
    with pytest.raises(UnknownAdapterError, match="not loaded"):
        await whole(engine, Request("r", PROMPT, "feedbeef", LONG))


async def test_a_form_is_kept_or_refused_across_the_process_border(engine: LlamaEngine) -> None:
    form = Sampling(temperature=1.0, grammar='root ::= "ab" [0-9]{3}')
    assert (await whole(engine, Request("r", PROMPT, "", form))).text[:2] == "ab"
    with pytest.raises(RequestRejectedError, match="grammar line 1, column 10: no rule is named"):
        await whole(engine, Request("r", PROMPT, "", Sampling(grammar="root ::= ab")))


async def test_reading_a_form_holds_no_reply_up(engine: LlamaEngine) -> None:
    """What comes to nothing in many ways is looked at for long before it is refused."""
    doubled = "".join(f"r{i} ::= r{i + 1} r{i + 1}\n" for i in range(40))
    hostile = Sampling(grammar=f'root ::= r0\n{doubled}r40 ::= .? | "(" root ")"')
    reading = asyncio.create_task(whole(engine, Request("hostile", PROMPT, "", hostile)))
    await asyncio.sleep(0)
    await whole(engine, Request("r", PROMPT, "", Sampling(max_tokens=5)))
    assert not reading.done()
    with pytest.raises(RequestRejectedError):
        await reading


async def test_an_adapter_changes_what_is_said(engine: LlamaEngine, tmp_path: Path) -> None:
    await engine.load_adapter("a", tiny_gguf.write_adapter(tmp_path / "a", seed=1))
    greedy = Sampling(temperature=0, max_tokens=20)
    plain = await whole(engine, Request("plain", PROMPT, "", greedy))
    voiced = await whole(engine, Request("voiced", PROMPT, "a", greedy))
    assert plain.token_ids != voiced.token_ids


async def test_a_missing_model_is_named(tmp_path: Path) -> None:
    engine = LlamaEngine(EngineConfig(tmp_path / "absent.gguf"))
    with pytest.raises(ModelLoadError, match=r"absent\.gguf"):
        await engine.start()


async def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "junk.gguf").write_bytes(b"not a model at all")
    engine = LlamaEngine(EngineConfig(tmp_path / "junk.gguf"))
    with pytest.raises(ModelLoadError, match=r"junk\.gguf is no readable GGUF file"):
        await engine.start()
