"""Work that a newer call interrupts."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from npc_server.scenes.performance import Emit, Performance, perform_at_once


async def test_events_come_until_the_work_is_done() -> None:
    async def work(emit: Emit[int]) -> None:
        emit(1)
        await asyncio.sleep(0)
        emit(2)

    performance = Performance(work)
    assert [event async for event in performance.events()] == [1, 2]
    assert performance.over


async def test_an_interrupted_work_ends_although_nobody_reads_its_events() -> None:
    ended: list[str] = []

    async def work(emit: Emit[int]) -> None:
        emit(1)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # as long as it takes to put away what was said
            ended.append("put away")
            emit(2)

    performance = Performance(work)
    await asyncio.sleep(0)
    await performance.interrupt()
    assert ended == ["put away"]
    assert [event async for event in performance.events()] == [1, 2]


async def test_leaving_the_events_ends_the_work() -> None:
    async def work(emit: Emit[int]) -> None:
        emit(1)
        await asyncio.Event().wait()

    performance = Performance(work)
    async with aclosing(performance.events()) as events:
        await anext(events)
    assert performance.over


async def test_an_error_comes_behind_the_events_before_it() -> None:
    async def work(emit: Emit[int]) -> None:
        emit(1)
        raise ValueError("broken")

    events = Performance(work).events()
    assert await anext(events) == 1
    with pytest.raises(ValueError, match="broken"):
        await anext(events)


async def test_one_part_that_fails_leaves_the_others_their_words() -> None:
    said: list[str] = []

    async def speak(word: str) -> None:
        await asyncio.sleep(0)
        if word == "broken":
            raise ValueError(word)
        said.append(word)

    with pytest.raises(ValueError, match="broken"):
        await perform_at_once([speak("one"), speak("broken"), speak("two")])
    assert said == ["one", "two"]
