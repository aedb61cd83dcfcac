"""Servers that want a key."""

from __future__ import annotations

from pathlib import Path

import grpc
import grpc.aio
import pytest

from feedback_store import audit
from feedback_store.audit import entries
from npc_client.client import Access, Client
from npc_server.keys import followed_file
from npc_server.keys.callers import Role
from npc_server.keys.keys_file import add_key, revoke_key
from tests.support.calls import refusal
from tests.support.scripted_server import Stage, StageMaker
from tests.support.web_calls import JSON, ask

pytestmark = pytest.mark.service


@pytest.fixture
def game_key(tmp_path: Path) -> str:
    return str(add_key(tmp_path / "keys.json", "the game", [Role.GAME]).text)


def keyed(stage: Stage, key: str) -> Client:
    return Client(stage.client.address, Access(key))


async def test_where_no_key_was_made_everybody_on_the_machine_is_the_developer(
    stage: StageMaker,
) -> None:
    made = await stage()
    await made.client.start_session("mira", "p1")
    assert (await made.client.stats()).running == 0


async def test_a_call_without_a_key_is_refused(stage: StageMaker, game_key: str) -> None:
    made = await stage()
    code, message = await refusal(made.client.start_session("mira", "p1"))
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert "npc keys new" in message


async def test_a_key_opens_what_its_role_may(stage: StageMaker, game_key: str) -> None:
    made = await stage()
    async with keyed(made, game_key) as client:
        session = await client.start_session("mira", "p1")
        assert (await client.say(session.session_id, "Hello.")).text
        code, message = await refusal(client.stats())
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert "is for operator" in message


async def test_health_is_told_without_a_key(stage: StageMaker, game_key: str) -> None:
    made = await stage()
    await made.client.wait_until_serving(5)


async def test_a_stream_is_refused_before_its_first_message(
    stage: StageMaker, game_key: str
) -> None:
    made = await stage()
    async with keyed(made, game_key) as client:
        session = await client.start_session("mira", "p1")
    code, _ = await refusal(made.client.say(session.session_id, "Hello."))
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert made.engine.finished == []


async def test_a_revoked_key_is_refused(
    stage: StageMaker, tmp_path: Path, game_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_file, "LOOK_EVERY_S", 0.0)
    made = await stage()
    async with keyed(made, game_key) as client:
        revoke_key(tmp_path / "keys.json", game_key.split("_")[1])
        code, _ = await refusal(client.start_session("mira", "p1"))
    assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_player_plays_with_a_token(stage: StageMaker, game_key: str) -> None:
    made = await stage()
    async with keyed(made, game_key) as game:
        minted = await game.mint_token("p1", ["mira"], 60)
    async with keyed(made, minted.token) as player:
        session = await player.start_session("mira", "")
        assert (await player.say(session.session_id, "Hello.")).text
        code, _ = await refusal(player.start_session("fenn", ""))
        assert code is grpc.StatusCode.NOT_FOUND
        code, _ = await refusal(player.mint_token("p2"))
    assert code is grpc.StatusCode.PERMISSION_DENIED


async def test_a_token_ends_with_the_key_that_it_was_minted_with(
    stage: StageMaker, tmp_path: Path, game_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_file, "LOOK_EVERY_S", 0.0)
    made = await stage()
    async with keyed(made, game_key) as game:
        token = (await game.mint_token("p1")).token
    revoke_key(tmp_path / "keys.json", game_key.split("_")[1])
    async with keyed(made, token) as player:
        code, _ = await refusal(player.start_session("mira", "p1"))
    assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_one_of_several_players_does_not_end_their_scene(
    stage: StageMaker, game_key: str
) -> None:
    made = await stage()
    async with keyed(made, game_key) as game:
        scene = (await game.start_scene(["mira"], {"p1": "Ada", "p2": "Bo"})).scene_id
        token = (await game.mint_token("p1")).token
    async with keyed(made, token) as player:
        code, _ = await refusal(player.end_scene(scene))
        assert code is grpc.StatusCode.PERMISSION_DENIED
        assert (await player.say_in_scene(scene, "Hello.", player_id="p1")).lines


async def test_who_promoted_is_written_down(stage: StageMaker, tmp_path: Path) -> None:
    made_key = add_key(tmp_path / "keys.json", "ops", [Role.OPERATOR])
    made = await stage()
    version = made.publish("mira", 1)
    async with keyed(made, str(made_key.text)) as operator:
        await operator.promote("mira", version)
        await operator.rollback("mira")
    told = [(one.who, one.action, one.about["version"]) for one in entries(tmp_path / audit.FILE)]
    who = f"key {made_key.key.key_id}"
    assert told == [(who, "promoted", version), (who, "rolled back", "base")]


async def test_the_http_port_wants_the_same_keys(
    stage: StageMaker, game_key: str, web_port: int
) -> None:
    await stage(http_port=web_port)
    body = b'{"character": "mira", "playerId": "p1"}'
    shown = {**JSON, "authorization": f"Bearer {game_key}"}
    assert (await ask(web_port, "Dialogue/StartSession", body)).status == 401
    assert (await ask(web_port, "Dialogue/StartSession", body, shown)).status == 200
    assert (await ask(web_port, "Adapters/Stats", b"{}", shown)).status == 403
    nobody = b'{"sessionId": "s1"}'
    assert (await ask(web_port, "Dialogue/EndSession", nobody, shown)).status == 404
