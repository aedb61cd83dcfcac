"""Scenes for tests: Anna in a tavern, with characters whose replies tell who speaks."""

from __future__ import annotations

import re

from feedback_store.records import Turn
from npc_client.client import Scene, SceneTalk
from npc_server.engine.protocol import Request
from personas.fake import FakeTokenizer
from tests.support.scripted_server import Stage

ANNA = {"p1": "Anna"}
PLACE = "in the tavern"


def voice(request: Request) -> str:
    """A reply that tells its speaker, and how many it has made."""
    prompt = FakeTokenizer().decode(request.prompt_ids)
    (name,) = re.findall(r"Your name is (\w+)", prompt)
    own = prompt.count("<|im_start|>assistant")
    return f"Well, {name} speaks, the {own}th time."


async def tavern(made: Stage, *characters: str, consent: bool = False) -> Scene:
    """A scene with Anna in it, and Mira and Fenn unless others are named."""
    cast = characters or ("mira", "fenn")
    return await made.client.start_scene(cast, ANNA, PLACE, training_consent=consent)


async def turns(made: Stage, talk: SceneTalk) -> list[Turn]:
    """The stored turns of what was said."""
    await made.wait_until_stored()
    found = [made.store.turn(line.turn_id) for line in talk.lines]
    return [turn for turn in found if turn is not None]


async def read(made: Stage, talk: SceneTalk) -> list[str]:
    """What the model read last before its first line there."""
    (turn, *_) = await turns(made, talk)
    return turn.messages[-1]["content"].split("\n")


def speakers(talk: SceneTalk) -> list[str]:
    """Who spoke, in the order in which they ended."""
    return [line.speaker for line in talk.lines]
