"""Clients of OpenAI's API on a server that wants a key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI

from npc_server.keys.callers import Role
from npc_server.keys.keys_file import add_key
from tests.support.casts import mira_with
from tests.support.openai_calls import client_of, complete, reply, said, system, user
from tests.support.scripted_server import Stage, StageMaker
from tests.support.web_calls import WORDS

pytestmark = pytest.mark.service

HELLO = user("Hello.")
CALLERS = [*((role, "default") for role in Role), (Role.GAME, "one"), (Role.GAME, "two")]
Keyed = Callable[..., AsyncOpenAI]


@pytest.fixture
def keys(tmp_path: Path) -> dict[tuple[Role, str], str]:
    """A key of each caller, by role and game."""
    return {
        (role, game): str(add_key(tmp_path / "keys.json", role, [role], game=game).text)
        for role, game in CALLERS
    }


@pytest.fixture
async def keyed(web_port: int, keys: dict[tuple[Role, str], str]) -> AsyncIterator[Keyed]:
    """Makes clients with a key of a role, in a game."""
    async with AsyncExitStack() as stack:

        def make(role: Role, game: str = "default") -> AsyncOpenAI:
            client = client_of(web_port).with_options(api_key=keys[role, game])
            stack.push_async_callback(client.close)
            return client

        yield make


@pytest.fixture
async def made(
    stage: StageMaker, keys: dict[tuple[Role, str], str], web_port: int, tmp_path: Path
) -> Stage:
    """A server that wants one of these keys."""
    assert keys
    cast = mira_with(tmp_path, best_of=1)
    return await stage(lambda _: WORDS, http_port=web_port, characters=cast)


@pytest.mark.usefixtures("made")
async def test_a_call_without_a_key_is_refused(web_port: int) -> None:
    async with client_of(web_port) as client:
        with pytest.raises(openai.AuthenticationError):
            await complete(client, HELLO)


@pytest.mark.usefixtures("made")
async def test_a_key_of_a_game_talks(keyed: Keyed) -> None:
    assert await said(keyed(Role.GAME), HELLO) == WORDS


@pytest.mark.usefixtures("made")
async def test_a_key_does_what_its_role_may(keyed: Keyed) -> None:
    with pytest.raises(openai.PermissionDeniedError, match="game"):
        await complete(keyed(Role.DESIGNER), HELLO)
    with pytest.raises(openai.PermissionDeniedError, match="operator"):
        await complete(keyed(Role.GAME), HELLO, model="mira@base")
    with pytest.raises(openai.PermissionDeniedError, match="front-ends"):
        await complete(keyed(Role.PLAYER), system("Summarize: it rains."))


async def test_players_of_two_games_are_two(keyed: Keyed, made: Stage) -> None:
    first = await complete(keyed(Role.GAME, "one"), HELLO)
    other = keyed(Role.GAME, "two")
    second = await complete(other, HELLO)
    turns = [made.store.turn(got.id) for got in (first, second)]
    assert [turn.take for turn in turns if turn] == [0, 0]
    assert len({turn.player_id for turn in turns if turn}) == 2
    with pytest.raises(openai.NotFoundError):
        await other.post("/feedback", body={"id": first.id, "thumb": "up"}, cast_to=object)


async def test_a_talk_under_a_key_goes_on(keyed: Keyed, made: Stage) -> None:
    client = keyed(Role.GAME)
    first = await complete(client, HELLO)
    second = await complete(client, HELLO, reply(WORDS), user("Who are you?"))
    turns = [made.store.turn(got.id) for got in (first, second)]
    assert len({turn.session_id for turn in turns if turn}) == 1
