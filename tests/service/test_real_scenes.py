"""Scenes of eight characters over a real model: one batch, each under its own adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from npc_client import server_process
from npc_client.client import Client
from tests.support.casts import copy_cast
from tests.support.real_adapter import publish_random

pytestmark = [pytest.mark.service, pytest.mark.real_model]

NAMES = ("Ada", "Bela", "Cyd", "Dora", "Egon", "Fenja", "Gero", "Hanna")
IDS = tuple(name.lower() for name in NAMES)


def write_eight(folder: Path) -> Path:
    """A cast of eight who differ by name; returns its folder."""
    cast = copy_cast(folder, "mira")
    files = {file.name: file.read_text(encoding="utf-8") for file in (cast / "mira").iterdir()}
    for file in (cast / "mira").iterdir():
        file.unlink()
    (cast / "mira").rmdir()
    for name, id_ in zip(NAMES, IDS, strict=True):
        (cast / id_).mkdir()
        for file_name, text in files.items():
            own = text.replace("id: mira", f"id: {id_}", 1).replace("Mira Holt", f"{name} Holt")
            (cast / id_ / file_name).write_text(own, encoding="utf-8")
    return cast


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory, real_model: Path) -> Path:
    """A folder with a cast of eight, each with a live adapter of its own."""
    folder = tmp_path_factory.mktemp("eight")
    write_eight(folder)
    for seed, id_ in enumerate(IDS):
        source = folder / f"source-{id_}"
        publish_random(folder / "data" / "adapters", source, real_model, id_, seed)
    return folder


@pytest.fixture
async def stage_of_eight(eight: Path, tmp_path: Path, real_model: Path) -> AsyncIterator[Client]:
    """A client of `npc serve` with the eight."""
    settings = {
        "NPC_MODEL_BASE": str(real_model),
        "NPC_PATHS_CHARACTERS": str(eight / "cast"),
        "NPC_PATHS_DATA": str(eight / "data"),
    }
    async with (
        server_process.server(tmp_path / "server.log", settings) as running,
        Client(running.address) as client,
    ):
        yield client


async def steps_of_eight(client: Client) -> int:
    """Steps so far in which eight adapters took part."""
    told = (await client.stats()).adapters_per_step
    bounds = [*told.bounds, float("inf")]
    return sum(n for n, bound in zip(told.counts, bounds, strict=True) if bound >= 8)


async def test_eight_speak_in_one_batch_in_a_scene_and_to_nobody(stage_of_eight: Client) -> None:
    client = stage_of_eight
    scene = await client.start_scene(IDS, {"p1": "Anna"}, "in the tavern")
    talk = await client.say_in_scene(scene.scene_id, "Good evening, all of you!", to=IDS, seed=7)
    assert {line.speaker for line in talk.lines} == set(IDS)
    assert len({line.adapter_version for line in talk.lines}) == 8
    answering = await steps_of_eight(client)
    barks = await client.barks(IDS, "It rains, and the market is empty.", seed=7)
    assert {bark.adapter_version for bark in barks} <= {one.adapter_version for one in talk.lines}
    assert 0 < answering < await steps_of_eight(client)


async def test_barging_in_stops_the_speaker_within_a_token_and_keeps_what_was_heard(
    stage_of_eight: Client,
) -> None:
    client = stage_of_eight
    scene = await client.start_scene(IDS[:2], {"p1": "Anna"}, "in the tavern")
    heard = asyncio.Event()
    call = client.say_in_scene(
        scene.scene_id, "Tell me all.", to=["ada"], on_text=lambda _, __: heard.set(), seed=7
    )
    speaking = asyncio.create_task(call)
    await heard.wait()
    await client.leave_scene(scene.scene_id, character="ada")
    at_once = (await client.stats()).generated_tokens
    await asyncio.sleep(0.5)
    assert (await client.stats()).generated_tokens <= at_once + 1
    (broken,) = (await speaking).lines
    restored = await client.restore_scene(await client.checkpoint_scene(scene.scene_id))
    lived = [line for line in restored.lines if line.turn_id == broken.turn_id]
    assert [(line.text, line.interrupted) for line in lived] == [(broken.text, True)]
