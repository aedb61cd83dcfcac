"""Promotion while people talk: running turns keep their version, faults keep the old one."""

import asyncio

import grpc
import grpc.aio
import pytest

from npc_client.client import Reply
from personas.chat_ids import chat_of
from personas.fake import FakeTokenizer
from tests.support.disk_faults import flip_last_byte
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service


async def live(stage: Stage, character: str = "mira") -> str:
    """The version that new turns are generated under."""
    return (await stage.client.adapters(character))[0].live_version


async def reply(stage: Stage) -> Reply:
    """A fresh player's first reply from Mira."""
    session = await stage.client.start_session("mira", "p1")
    return await stage.client.say(session.session_id, "Hello.")


async def promotion_refused(stage: Stage, version: str) -> tuple[grpc.StatusCode, str]:
    """How the server refuses to promote."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stage.client.promote("mira", version)
    return caught.value.code(), str(caught.value.details())


async def test_new_turns_speak_under_the_promoted_version(stage: StageMaker) -> None:
    made = await stage()
    version = made.publish("mira", seed=1)
    await made.client.promote("mira", version)
    assert (await reply(made)).adapter_version == version
    assert made.engine.requests[-1].adapter == made.repo.manifest("mira", version).content_hash


async def test_a_running_turn_finishes_under_its_old_version_and_says_so(
    stage: StageMaker,
) -> None:
    made = await stage(lambda _: "a long reply")
    old, new = made.publish("mira", seed=1), made.publish("mira", seed=2)
    await made.client.promote("mira", old)
    made.engine.gate.clear()
    running = asyncio.create_task(reply(made))
    while made.engine.running == 0:
        await asyncio.sleep(0.01)
    await made.client.promote("mira", new)
    assert made.repo.manifest("mira", old).content_hash in made.engine.adapters
    made.engine.gate.set()
    finished = await running
    assert (finished.adapter_version, finished.live_adapter_version) == (old, new)


async def test_an_old_version_is_unloaded_after_its_last_turn(stage: StageMaker) -> None:
    made = await stage()
    old, new = made.publish("mira", seed=1), made.publish("mira", seed=2)
    await made.client.promote("mira", old)
    await made.client.promote("mira", new)
    async with asyncio.timeout(2):
        while len(made.engine.adapters) > 1:
            await asyncio.sleep(0.01)
    assert list(made.engine.adapters) == [made.repo.manifest("mira", new).content_hash]


async def test_a_promotion_by_another_process_is_noticed(stage: StageMaker) -> None:
    made = await stage()
    version = made.publish("mira", seed=1)
    made.repo.promote("mira", version)
    async with asyncio.timeout(2):
        while await live(made) != version:
            await asyncio.sleep(0.02)
    assert (await reply(made)).adapter_version == version


async def test_rollback_returns_to_the_version_before(stage: StageMaker) -> None:
    made = await stage()
    first, second = made.publish("mira", seed=1), made.publish("mira", seed=2)
    for version in (first, second):
        await made.client.promote("mira", version)
    assert (await made.client.rollback("mira")).live_version == first
    assert (await made.client.rollback("mira")).live_version == ""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await made.client.rollback("mira")
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_damaged_version_is_refused_and_the_old_one_stays(stage: StageMaker) -> None:
    made = await stage()
    good, bad = made.publish("mira", seed=1), made.publish("mira", seed=2)
    await made.client.promote("mira", good)
    flip_last_byte(made.repo.path("mira", bad) / "adapter_model.safetensors")
    code, _ = await promotion_refused(made, bad)
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert (await live(made), made.repo.aliases("mira").live) == (good, good)


async def test_damage_on_disk_keeps_the_old_version_and_is_reported(stage: StageMaker) -> None:
    made = await stage()
    good = made.publish("mira", seed=1)
    await made.client.promote("mira", good)
    (made.folder / "adapters" / "mira" / "aliases.json").write_text("{")
    async with asyncio.timeout(2):
        while not (listing := (await made.client.adapters("mira"))[0]).problem:
            await asyncio.sleep(0.02)
    assert listing.live_version == good
    assert "aliases.json" in listing.problem


async def test_an_adapter_of_another_base_is_refused(stage: StageMaker) -> None:
    made = await stage()
    code, details = await promotion_refused(made, made.publish("mira", 1, base_sha256="c" * 64))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "retrain it" in details


async def test_an_adapter_of_another_chat_format_is_refused(stage: StageMaker) -> None:
    made = await stage()
    code, details = await promotion_refused(made, made.publish("mira", 1, chat_format="c" * 64))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "another chat format (cccccccccccc, served is" in details
    same = made.publish("mira", 2, chat_format=chat_of(FakeTokenizer()).sha256)
    assert (await made.client.promote("mira", same)).live_version == same


async def test_an_unknown_version_is_not_found(stage: StageMaker) -> None:
    made = await stage()
    assert (await promotion_refused(made, "v0009-00000000"))[0] is grpc.StatusCode.NOT_FOUND
