"""How often characters act unasked, and how often they do not act where they were asked.

The sample characters are given two actions each (`acting_lines.yaml`), and are told lines half of
which ask for one of them, each in a session of its own, on a real server. An action on a line that
asks for none is false. One is missed where a line asks for it, the words do not refuse, and nothing
or something else is done.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.desk.workspace import Workspace, server
from benchmarks.measures import Estimate
from benchmarks.parts import PartResult
from npc_client.client import Client, Reply
from personas.actions import NO_ACTION
from personas.persona_files import SAMPLE_CHARACTERS
from personas.refusals import refuses

LINES = Path(__file__).with_name("acting_lines.yaml")
AT_ONCE = 8
SEEDS = 2  # replies to each line


@dataclass(frozen=True)
class Said:
    """A line to a character, and the action it asks for."""

    character: str
    text: str
    expected: str  # NO_ACTION = none
    seed: int


@dataclass(frozen=True)
class Deed:
    """What was done about a line."""

    said: Said
    action: str  # NO_ACTION = none
    refused: bool  # by the words

    @property
    def false(self) -> bool:
        """Whether something was done that nothing asked for."""
        return self.said.expected == NO_ACTION != self.action

    @property
    def missed(self) -> bool:
        """Whether what was asked for was not done, though the words do not refuse it."""
        return not self.refused and self.action != self.said.expected


async def run(workspace: Workspace) -> PartResult:
    """Say every line under two seeds, or in a quick run under one."""
    seeds = min(SEEDS, workspace.extent.visits // 2)
    cast = write_cast(workspace.scratch / "acting-cast")
    lines = list(lines_to_say(seeds))
    async with (
        server(workspace, cast, "false_actions") as running,
        Client(running.address) as client,
    ):
        workspace.tell("say a line", 0, len(lines))
        deeds = await _say_all(client, lines)
    return PartResult(figures(deeds), notes=[_in_words(one) for one in deeds if one.false])


def lines_to_say(seeds: int) -> Iterator[Said]:
    """All lines, under so many seeds."""
    for character, given in _read().items():
        for action, texts in given["lines"].items():
            for number, text in enumerate(texts):
                for seed in range(seeds):
                    yield Said(character, text, action, SEEDS * number + seed)


def write_cast(root: Path) -> Path:
    """Write the sample characters with their actions; returns the folder."""
    for character, given in _read().items():
        shutil.copytree(SAMPLE_CHARACTERS / character, root / character)
        card = root / character / "persona.yaml"
        persona = yaml.safe_load(card.read_text("utf-8")) | {"actions": given["actions"]}
        card.write_text(yaml.safe_dump(persona, allow_unicode=True), "utf-8")
        _drop_probes_of_actions(root / character / "probes.yaml")
    return root


def _drop_probes_of_actions(sheet: Path) -> None:
    probes = yaml.safe_load(sheet.read_text("utf-8"))["probes"]
    kept = [probe for probe in probes if probe["kind"] != "action"]
    sheet.write_text(yaml.safe_dump({"probes": kept}, allow_unicode=True), "utf-8")


def _read() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(LINES.read_text("utf-8"))
    return read


async def _say_all(client: Client, lines: Sequence[Said]) -> list[Deed]:
    places = asyncio.Semaphore(AT_ONCE)

    async def say(said: Said) -> Deed:
        async with places:
            session = (await client.start_session(said.character, "player")).session_id
            reply = await client.say(session, said.text, seed=said.seed)
            await client.end_session(session)
        return _deed(said, reply)

    return list(await asyncio.gather(*map(say, lines)))


def _deed(said: Said, reply: Reply) -> Deed:
    action = reply.action.name if reply.action else NO_ACTION
    return Deed(said, action, refuses(reply.text, "en"))


def figures(deeds: Sequence[Deed]) -> dict[str, Estimate]:
    """The shares, each with those of the character that did best and worst."""
    unasked = [one for one in deeds if one.said.expected == NO_ACTION]
    asked = [one for one in deeds if one.said.expected != NO_ACTION and not one.refused]
    return {
        "false_actions": _share(unasked, [one.false for one in unasked]),
        "missed_actions": _share(asked, [one.missed for one in asked]),
    }


def _share(deeds: Sequence[Deed], found: Sequence[bool]) -> Estimate:
    by_character: dict[str, list[bool]] = {}
    for deed, one in zip(deeds, found, strict=True):
        by_character.setdefault(deed.said.character, []).append(one)
    shares = [sum(some) / len(some) for some in by_character.values()]
    return Estimate(sum(found) / len(found), min(shares), max(shares))


def _in_words(deed: Deed) -> str:
    return f"{deed.said.character}: {deed.action} after {deed.said.text!r}"
