"""Nobody reaches what is another's: over every field of every call of the contract."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from npc.v1 import dialogue_pb2, feedback_pb2, keys_pb2, memory_pb2, scenes_pb2
from npc_client.client import Access, Client
from npc_server.config import GameSection
from npc_server.keys.callers import Role
from npc_server.keys.keys_file import add_key
from npc_server.keys.named_ids import NAMED_BY
from npc_server.keys.permissions import PERMISSIONS
from tests.support.contract import METHODS, Ended, call, message_class, text_fields
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service

TELLING = "My name is Ada and I am a smith."


@dataclass(frozen=True)
class Things:
    """What a game's player has on the server, by the fields that name it."""

    player_id: str
    session_id: str
    turn_id: str
    scene_id: str
    token: str
    scene_token: str
    event_id: str
    memory_id: str


async def things_of(client: Client, player_id: str) -> Things:
    """A player's session with a turn, a save, an event and a memory, and their scene."""
    session = (await client.start_session("mira", player_id)).session_id
    turn_id = (await client.say(session, TELLING)).turn_id
    event_id = await client.thumb(turn_id, up=True)
    token = await client.checkpoint(session)
    scene = await client.start_scene(["mira"], {player_id: "Ada"})
    await client.say_in_scene(scene.scene_id, "Hello.")
    saved = await client.checkpoint_scene(scene.scene_id)
    (fact, *_) = (await client.memory(session)).facts
    return Things(player_id, session, turn_id, scene.scene_id, token, saved, event_id, fact.id)


def _submit_about(own: Things, field: str) -> feedback_pb2.SubmitRequest:
    """An event that only this field keeps from being stored."""
    thumb = feedback_pb2.Thumb(up=True)
    made = feedback_pb2.SubmitRequest(event_id="e1", turn_id=own.turn_id, thumb=thumb)
    if field == "session_id":
        made.ClearField("turn_id")
        made.outcome.name = "mill"
    if field == "over_turn_ids":
        made.choice.kept_position = 1
    return made


#: Calls that are right but for one field, which the test sets.
RIGHT: Mapping[str, Callable[[Things, str], Any]] = {
    "Dialogue/Regenerate": lambda own, _: dialogue_pb2.RegenerateRequest(
        session_id=own.session_id, turn_id=own.turn_id
    ),
    "Dialogue/StartSession": lambda own, _: dialogue_pb2.StartSessionRequest(
        character="mira", player_id="p1"
    ),
    "Dialogue/Say": lambda own, _: dialogue_pb2.SayRequest(
        session_id=own.session_id, text="Hello."
    ),
    "Dialogue/Trigger": lambda own, _: dialogue_pb2.TriggerRequest(
        session_id=own.session_id, text="A bell rings."
    ),
    "Dialogue/UpdateContext": lambda own, _: dialogue_pb2.UpdateContextRequest(
        session_id=own.session_id
    ),
    "Dialogue/ReportAction": lambda own, _: dialogue_pb2.ReportActionRequest(
        turn_id=own.turn_id, name="wave"
    ),
    "Dialogue/Checkpoint": lambda own, _: dialogue_pb2.CheckpointRequest(session_id=own.session_id),
    "Dialogue/Restore": lambda own, _: dialogue_pb2.RestoreRequest(token=own.token),
    "Feedback/Undo": lambda own, _: feedback_pb2.UndoRequest(event_id=own.event_id),
    "Scenes/StartScene": lambda own, _: scenes_pb2.StartSceneRequest(
        characters=["mira"], players=[scenes_pb2.ScenePlayer(player_id="p1")]
    ),
    "Scenes/Say": lambda own, _: scenes_pb2.SayInSceneRequest(scene_id=own.scene_id, text="Hello."),
    "Scenes/Continue": lambda own, _: scenes_pb2.ContinueRequest(scene_id=own.scene_id),
    "Scenes/Trigger": lambda own, _: scenes_pb2.TriggerInSceneRequest(
        scene_id=own.scene_id, text="A bell rings."
    ),
    "Scenes/Join": lambda own, _: scenes_pb2.JoinRequest(scene_id=own.scene_id, character="fenn"),
    "Scenes/Leave": lambda own, _: scenes_pb2.LeaveRequest(scene_id=own.scene_id, character="mira"),
    "Scenes/Checkpoint": lambda own, _: scenes_pb2.CheckpointSceneRequest(scene_id=own.scene_id),
    "Scenes/Restore": lambda own, _: scenes_pb2.RestoreSceneRequest(token=own.scene_token),
    "Scenes/EndScene": lambda own, _: scenes_pb2.EndSceneRequest(scene_id=own.scene_id),
    "Keys/MintToken": lambda own, _: keys_pb2.MintTokenRequest(player_id="p1"),
    "Scenes/Barks": lambda own, _: scenes_pb2.BarksRequest(characters=["mira"]),
    "Memory/List": lambda own, _: memory_pb2.ListMemoryRequest(session_id=own.session_id),
    "Memory/Forget": lambda own, _: memory_pb2.ForgetMemoryRequest(session_id=own.session_id),
    "Feedback/Submit": _submit_about,
    "Feedback/SubmitBatch": lambda own, field: feedback_pb2.SubmitBatchRequest(
        events=[_submit_about(own, field)]
    ),
    "Dialogue/EndSession": lambda own, _: dialogue_pb2.EndSessionRequest(session_id=own.session_id),
}

#: Fields that name what the store or a session looks up itself.
LOOKED_UP = {"event_id": "event_id", "over_turn_ids": "turn_id", "ids": "memory_id"}
#: Text that names nothing that could be another's.
NO_IDS = {
    *("text", "name", "place", "event", "situation", "verbatim"),  # told
    *("line_id", "take_id", "trigger_id", "continue_id"),  # the caller's own, of this session
    *("grammar", "json_schema", "stop", "written", "key", "value", "version"),
}


def cases() -> list[tuple[str, str, str]]:
    """Method, path of a field, and which thing it names; of new events, the id names nothing."""
    found = []
    for method, described in METHODS.items():
        for path, field in text_fields(described.input_type):
            of_scene = method.startswith("/npc.v1.Scenes/") and field.name == "token"
            thing = "scene_token" if of_scene else LOOKED_UP.get(field.name, field.name)
            is_new = field.name == "event_id" and not method.endswith("Undo")
            if thing in Things.__annotations__ and not is_new:
                found.append((method, path, thing))
    return found


def put(message: Any, path: str, value: str) -> None:
    """Set a field of a message, in the first of what is repeated."""
    name, _, rest = path.partition(".")
    field = message.DESCRIPTOR.fields_by_name[name]
    inner = getattr(message, name)
    if rest:
        put(inner[0] if field.is_repeated else inner, rest, value)
    elif field.is_repeated:
        inner[:] = [value]
    else:
        setattr(message, name, value)


def request_with(method: str, own: Things, path: str, value: str) -> Any:
    """A right request but for one field."""
    right = RIGHT[method.removeprefix("/npc.v1.")](own, path.rpartition(".")[2])
    put(right, path, value)
    return right


@dataclass(frozen=True)
class Neighbours:
    """Two who share a server."""

    channel: grpc.aio.Channel
    own: Things
    theirs: Things
    key: str
    role: Role

    def may(self, method: str) -> bool:
        """Whether it is a call for me at all."""
        return self.role in PERMISSIONS[method]

    async def end_of(self, method: str, path: str, value: str) -> Ended:
        """How a call of mine ends in which a field holds the value."""
        request = request_with(method, self.own, path, value)
        return await call(self.channel, method, self.key, request)


@pytest.fixture
async def games(stage: StageMaker, tmp_path: Path) -> AsyncIterator[Neighbours]:
    """Two games with a player of the same id; I am the first."""
    mine, theirs = (
        str(add_key(tmp_path / "keys.json", name, [Role.GAME], name).text)
        for name in ("mine", "theirs")
    )
    address = (await stage()).client.address
    async with Client(address, Access(theirs)) as client:
        other = await things_of(client, "p1")
    async with Client(address, Access(mine)) as client:
        own = await things_of(client, "p1")
    async with grpc.aio.insecure_channel(address) as channel:
        yield Neighbours(channel, own, other, mine, Role.GAME)


@pytest.fixture
async def players(stage: StageMaker, tmp_path: Path) -> AsyncIterator[Neighbours]:
    """Two players of a game; I am the first, with a token."""
    key = str(add_key(tmp_path / "keys.json", "mine", [Role.GAME], "mine").text)
    address = (await stage()).client.address
    async with Client(address, Access(key)) as client:
        own, other = [await things_of(client, name) for name in ("p1", "p2")]
        token = (await client.mint_token("p1")).token
    async with grpc.aio.insecure_channel(address) as channel:
        yield Neighbours(channel, own, other, token, Role.PLAYER)


@pytest.fixture(params=["games", "players"])
def neighbours(request: pytest.FixtureRequest) -> Neighbours:
    """Two games, or two players of one."""
    found: Neighbours = request.getfixturevalue(request.param)
    return found


def test_every_call_of_games_and_players_is_covered() -> None:
    played = {method for method, roles in PERMISSIONS.items() if Role.GAME in roles}
    covered = {f"/npc.v1.{name}" for name in RIGHT} | {"/npc.v1.Personas/List"}
    assert covered == played & METHODS.keys()  # OpenAI's API is covered in test_openai_keys
    assert all(Role.GAME in roles for roles in PERMISSIONS.values() if Role.PLAYER in roles)
    assert not [*text_fields(message_class("/npc.v1.Personas/List").DESCRIPTOR)]


def test_every_field_of_text_is_known_to_name_something_or_nothing() -> None:
    played = [METHODS[f"/npc.v1.{name}"].input_type for name in RIGHT]
    fields = {field.name for described in played for _, field in text_fields(described)}
    assert fields - set(NAMED_BY) - set(LOOKED_UP) == NO_IDS & fields


async def test_what_is_another_s_is_as_unknown_as_what_there_is_not(
    neighbours: Neighbours,
) -> None:
    for method, path, thing in cases():
        theirs, nobody_s = getattr(neighbours.theirs, thing), uuid.uuid4().hex
        if not neighbours.may(method) or theirs == neighbours.own.player_id:
            continue
        refused = await neighbours.end_of(method, path, theirs)
        unknown = await neighbours.end_of(method, path, nobody_s)
        told = refused.code, refused.message.replace(theirs, "ID")
        as_unknown = grpc.StatusCode.NOT_FOUND, unknown.message.replace(nobody_s, "ID")
        assert told == as_unknown, (method, path)


async def test_what_is_one_s_own_is_found(neighbours: Neighbours) -> None:
    me = neighbours
    for name, right in RIGHT.items():
        if not me.may(f"/npc.v1.{name}"):
            continue
        ended = await call(me.channel, f"/npc.v1.{name}", me.key, right(me.own, ""))
        assert ended.code in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT), (name, ended)


async def test_players_of_two_games_share_no_memory(stage: StageMaker, tmp_path: Path) -> None:
    keys = [str(add_key(tmp_path / "keys.json", n, [Role.GAME], n).text) for n in ("a", "b")]
    made = await stage()
    for key in keys:
        async with Client(made.client.address, Access(key)) as client:
            session = (await client.start_session("mira", "p1", remember=True)).session_id
            assert not (await client.memory(session)).facts
            await client.say(session, TELLING)
            assert (await client.memory(session)).facts


async def test_turns_and_events_carry_their_game(games: Neighbours, tmp_path: Path) -> None:
    from feedback_store.store import Store

    with Store.open(tmp_path / "feedback.db") as store:
        assert {turn.game for turn in store.turns("mira")} == {"mine", "theirs"}
        assert {event.game for event in store.events("mira")} == {"mine", "theirs"}


@pytest.fixture
async def fenceless(stage: StageMaker, tmp_path: Path) -> AsyncIterator[tuple[Stage, Client]]:
    """A game that may know Mira alone, and the key of its developer."""
    roles = [Role.GAME, Role.DESIGNER, Role.OPERATOR]
    key = str(add_key(tmp_path / "keys.json", "salt", roles, "salt").text)
    made = await stage(games={"salt": GameSection(characters=("mira",))})
    async with Client(made.client.address, Access(key)) as client:
        yield made, client


async def test_a_game_knows_its_own_characters_alone(
    fenceless: tuple[Stage, Client],
) -> None:
    _, client = fenceless
    await client.start_session("mira", "p1")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.start_session("fenn", "p1")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert "orsolo" not in str(caught.value.details())
    assert [one.character for one in (await client.persona_status()).personas] == ["mira"]
