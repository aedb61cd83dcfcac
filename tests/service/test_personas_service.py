"""The cast while it is edited: over the wire, on files that are saved under a running server."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import grpc.aio
import pytest

from npc.v1 import personas_pb2
from npc_server.config import ReloadSection
from npc_server.engine.protocol import Request
from personas.fake import FakeTokenizer
from tests.support.casts import mira_with
from tests.support.saved_casts import cast_in, copy_as, save
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service

SWIFT = ReloadSection(settle_ms=10)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return cast_in(tmp_path, "mira", "fenn")


@pytest.fixture
async def made(stage: StageMaker, root: Path) -> Stage:
    return await stage(lambda _: "One two three.", characters=root, reload=SWIFT)


async def standing(made: Stage, name: str = "mira") -> personas_pb2.PersonaStanding:
    return (await made.client.persona_status(name)).personas[0]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():
            await asyncio.sleep(0.01)


async def until_new(made: Stage, old: str, name: str = "mira") -> None:
    async def is_new() -> bool:
        return (await standing(made, name)).version != old

    await until(is_new)


async def until_names(made: Stage, *names: str) -> None:
    async def are_these() -> bool:
        return [one.character for one in await made.client.personas()] == list(names)

    await until(are_these)


async def test_a_conversation_goes_on_under_what_was_saved(made: Stage, root: Path) -> None:
    session = (await made.client.start_session("mira", "p1")).session_id
    before = await made.client.say(session, "Hello.")
    old = (await standing(made)).version
    save(root, "mira", "Mira Holt\n", "Zelda Quick\n")
    await until_new(made, old)
    after = await made.client.say(session, "And now?")
    await made.wait_until_stored()
    turns = [made.store.turn(reply.turn_id) for reply in (before, after)]
    assert [turn.persona_version for turn in turns if turn] == [old, (await standing(made)).version]
    assert turns[1] is not None
    said = [message["content"] for message in turns[1].messages]
    assert "Zelda Quick" in said[0]
    assert said[-3:] == ["Hello.", "One two three.", "And now?"]


async def test_a_running_turn_ends_as_it_began(made: Stage, root: Path) -> None:
    session = (await made.client.start_session("mira", "p1")).session_id
    old = (await standing(made)).version
    made.engine.gate.clear()
    running = asyncio.create_task(made.client.say(session, "Hello."))
    while made.engine.running == 0:
        await asyncio.sleep(0.01)
    save(root, "mira", "Mira Holt\n", "Zelda Quick\n")
    await until_new(made, old)
    made.engine.gate.set()
    reply = await running
    await made.wait_until_stored()
    turn = made.store.turn(reply.turn_id)
    assert turn is not None
    assert turn.persona_version == old


async def test_the_new_opening_is_read_for_who_is_spoken_with(made: Stage, root: Path) -> None:
    await made.client.start_session("mira", "p1")
    old = (await standing(made)).version
    save(root, "mira", "Mira Holt\n", "Zelda Quick\n")
    await until_new(made, old)

    async def is_read() -> bool:
        return any(_reads(request, "Zelda Quick") for request in made.engine.requests)

    await until(is_read)


def _reads(request: Request, text: str) -> bool:
    return request.background and text in FakeTokenizer().decode(request.prompt_ids)


async def test_who_is_added_can_be_spoken_with_and_who_left_speaks_on(
    made: Stage, root: Path
) -> None:
    with_mira = (await made.client.start_session("mira", "p1")).session_id
    copy_as(root, "fenn", "gunn")
    shutil.rmtree(root / "mira")
    await until_names(made, "fenn", "gunn")
    with_gunn = (await made.client.start_session("gunn", "p1")).session_id
    assert (await made.client.say(with_gunn, "Hello.")).text
    assert (await made.client.say(with_mira, "Still here?")).text
    with pytest.raises(grpc.aio.AioRpcError, match="no character 'mira'"):
        await made.client.start_session("mira", "p1")


async def test_who_is_added_speaks_under_what_is_live_for_them(made: Stage, root: Path) -> None:
    version = made.publish("gunn", seed=1)
    made.repo.promote("gunn", version)
    copy_as(root, "fenn", "gunn")
    await until_names(made, "fenn", "gunn", "mira")
    session = await made.client.start_session("gunn", "p1")
    assert (await made.client.say(session.session_id, "Hello.")).adapter_version == version


async def test_a_name_that_was_saved_is_not_taken_for_personal(made: Stage, root: Path) -> None:
    session = (await made.client.start_session("fenn", "p1")).session_id
    old = (await standing(made)).version
    save(root, "mira", "Mira Holt\n", "Zelda Quick\n")
    await until_new(made, old)
    reply = await made.client.say(session, "Where is @zelda?")
    await made.wait_until_stored()
    turn = made.store.turn(reply.turn_id)
    assert turn is not None
    assert turn.player_text == "Where is @zelda?"


async def test_a_broken_save_is_told_and_changes_nothing(made: Stage, root: Path) -> None:
    old = (await standing(made)).version
    save(root, "mira", "name:", "nmae:")

    async def is_told() -> bool:
        return bool((await standing(made)).problems)

    await until(is_told)
    found = await standing(made)
    assert found.version == old
    assert "persona.yaml:4:1: nmae: unknown key; did you mean 'name'?" in found.problems[0]


async def test_who_comes_to_draw_the_best_of_several_is_judged(
    stage: StageMaker, tmp_path: Path
) -> None:
    root = mira_with(tmp_path, best_of=1)
    made = await stage(characters=root, reload=SWIFT)
    session = (await made.client.start_session("mira", "p1")).session_id
    old = (await standing(made)).version
    save(root, "mira", "best_of: 1", "best_of: 2")
    await until_new(made, old)
    assert (await made.client.say(session, "Hello.", seed=1)).candidates == 2


async def test_a_greeting_is_the_first_line_of_the_conversation(made: Stage, root: Path) -> None:
    old = (await standing(made)).version
    save(root, "mira", "taboos:", "greetings: [Mind the sparks., Shut the door.]\ntaboos:")
    await until_new(made, old)
    greetings = [
        (await made.client.start_session("mira", "p1", seed=seed)).greeting for seed in (0, 0, 1)
    ]
    session = await made.client.start_session("mira", "p1", seed=0)
    reply = await made.client.say(session.session_id, "Hello.")
    await made.wait_until_stored()
    turn = made.store.turn(reply.turn_id)
    assert turn is not None
    assert greetings[0] == greetings[1] != greetings[2]
    assert [message["content"] for message in turn.messages[-2:]] == [greetings[0], "Hello."]
    assert turn.annotations["opening"] == len(turn.messages) - 2


async def test_a_save_game_brings_the_greeting_back(made: Stage, root: Path) -> None:
    old = (await standing(made)).version
    save(root, "mira", "taboos:", "greetings: [Mind the sparks.]\ntaboos:")
    await until_new(made, old)
    session = await made.client.start_session("mira", "p1")
    token = await made.client.checkpoint(session.session_id)
    await made.client.end_session(session.session_id)
    restored = await made.client.restore(token)
    assert restored.conversation.greeting == "Mind the sparks."


async def test_a_character_is_told_with_its_cost_and_its_files(made: Stage, root: Path) -> None:
    found = await made.client.persona("mira")
    assert found.summary.name == "Mira Holt"
    assert sum(part.tokens for part in found.cost.parts) == found.cost.opening_tokens
    assert found.files["lore.yaml"] == (root / "mira" / "lore.yaml").read_text()
    assert found.system_text.startswith("You are Mira Holt, the blacksmith of Saltmere.")


async def test_files_are_validated_without_being_saved(made: Stage, root: Path) -> None:
    files = {file.name: file.read_text() for file in (root / "mira").iterdir()}
    good = await made.client.validate_persona("mira", files)
    assert (good.version, list(good.problems)) == ((await standing(made)).version, [])
    files["persona.yaml"] = files["persona.yaml"].replace("\nname:", "\nnmae:")
    (problem,) = (await made.client.validate_persona("mira", files)).problems
    assert (problem.file, problem.line, problem.column) == ("persona.yaml", 4, 1)
    assert problem.what == "unknown key; did you mean 'name'?"


@pytest.mark.parametrize(
    ("files", "why"),
    [({"notes.txt": ""}, "holds 'notes.txt'"), ({"lore.yaml": "#" * 300_000}, "256 KiB")],
    ids=["another file", "too large"],
)
async def test_files_that_are_none_of_a_character_are_refused(
    made: Stage, files: dict[str, str], why: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await made.client.validate_persona("mira", files)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert why in str(caught.value.details())


async def test_an_unknown_character_is_not_found_with_the_nearest(made: Stage) -> None:
    for asked in (made.client.persona("mria"), made.client.persona_status("mria")):
        with pytest.raises(grpc.aio.AioRpcError, match="Did you mean 'mira'") as caught:
            await asked
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
