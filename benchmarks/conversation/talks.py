"""Talks of a scripted player with a real server, one cast per setting."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.conversation.script import PLAYER_LINES, Setting
from npc_client import server_process
from npc_client.client import Client, Reply, SamplingOverrides
from personas.persona_files import SAMPLE_CHARACTERS, character_folders
from personas.world_files import worlds_beside

SIDE_BY_SIDE = 6


@dataclass(frozen=True)
class Talk:
    """One session: what the player said and was told, in order."""

    character: str
    seed: int
    lines: tuple[str, ...]
    replies: tuple[Reply, ...]


@dataclass(frozen=True)
class Played:
    """All talks under one setting."""

    talks: tuple[Talk, ...]
    generated_tokens: int  # by the engine, for all that was and was not said


async def play(
    setting: Setting, environment: Mapping[str, str], folder: Path, times: int
) -> Played:
    """Let every character be talked to `times` times, some side by side."""
    cast = write_cast(folder / "cast", setting)
    where = {
        **environment,
        "NPC_PATHS_DATA": str(folder / "data"),
        "NPC_PATHS_CHARACTERS": str(cast),
    }
    async with (
        server_process.server(folder / "server.log", where) as running,
        Client(running.address) as client,
    ):
        before = (await client.stats()).generated_tokens
        talks = await _talk_side_by_side(client, setting, times)
        return Played(tuple(talks), (await client.stats()).generated_tokens - before)


async def _talk_side_by_side(client: Client, setting: Setting, times: int) -> list[Talk]:
    places = asyncio.Semaphore(SIDE_BY_SIDE)

    async def talk(character: str, seed: int) -> Talk:
        async with places:
            return await _talk(client, setting, character, seed)

    wanted = [(name, seed) for seed in range(times) for name in PLAYER_LINES]
    return await asyncio.gather(*(talk(name, seed) for name, seed in wanted))


async def _talk(client: Client, setting: Setting, character: str, seed: int) -> Talk:
    lines, replies = PLAYER_LINES[character], list[Reply]()
    overrides = None if setting.whole_sentences else SamplingOverrides(max_sentences=0)
    session = (await client.start_session(character, f"player-{seed}")).session_id
    for number, line in enumerate(lines):
        own_seed = 1000 * seed + number
        replies.append(await client.say(session, line, seed=own_seed, sampling=overrides))
    return Talk(character, seed, lines, tuple(replies))


def write_cast(folder: Path, setting: Setting) -> Path:
    """Write the sample cast as the setting has it, and its world beside; returns its folder."""
    shutil.copytree(worlds_beside(SAMPLE_CHARACTERS), worlds_beside(folder))
    for source in character_folders(SAMPLE_CHARACTERS):
        home = folder / source.name
        home.mkdir(parents=True)
        for file in source.iterdir():
            (home / file.name).write_bytes(file.read_bytes())
        text = _card(yaml.safe_load((source / "persona.yaml").read_text("utf-8")), setting)
        (home / "persona.yaml").write_text(text, encoding="utf-8")
    return folder


def _card(card: dict[str, Any], setting: Setting) -> str:
    own = {"best_of": 1, **card.get("sampling", {}), **setting.sampling}
    changed = {**card, "examples_in_prompt": setting.examples_in_prompt, "sampling": own}
    return yaml.safe_dump(changed, allow_unicode=True)


def earlier(replies: Sequence[Reply], number: int) -> tuple[str, ...]:
    """The texts of the replies before this one."""
    return tuple(reply.text for reply in replies[:number])
