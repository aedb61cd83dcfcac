"""`npc serve` as a user starts it, with the real model."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import grpc
import grpc.aio
import pytest

from feedback_store.records import Edit
from feedback_store.store import Store
from npc_client import server_process
from npc_client.client import Client, SamplingOverrides, ServerNotReadyError
from npc_server.supervision import MAX_DEATHS
from tests.support.real_adapter import publish_random

pytestmark = [pytest.mark.service, pytest.mark.real_model]


@pytest.fixture(autouse=True)
def base(real_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every server serves the base as fetched, whatever was chosen on this machine."""
    monkeypatch.setenv("NPC_MODEL_BASE", str(real_model))


@pytest.mark.usefixtures("real_model")
async def test_three_characters_speak_at_once(tmp_path: Path) -> None:
    async with (
        server_process.server(tmp_path / "server.log") as running,
        Client(running.address) as client,
    ):

        async def meet(character: str) -> tuple[str, int]:
            pieces: list[str] = []
            session = await client.start_session(character, "p1")
            reply = await client.say(
                session.session_id, "Good evening.", seed=7, on_text=pieces.append
            )
            return reply.text, len(pieces)

        met = await asyncio.gather(*(meet(name) for name in ("mira", "fenn", "orsolo")))
    replies = [text for text, _ in met]
    assert len(set(replies)) == 3
    assert all(len(text.split()) > 1 for text in replies)
    assert all(pieces > 1 for _, pieces in met)


async def test_characters_of_a_scene_speak_at_once_each_under_its_own_adapter(
    tmp_path: Path, real_model: Path
) -> None:
    version = publish_random(tmp_path / "data" / "adapters", tmp_path / "source", real_model)
    async with (
        server_process.server(tmp_path / "server.log") as running,
        Client(running.address) as client,
    ):
        scene = await client.start_scene(["mira", "fenn"], {"p1": "Anna"}, "in the tavern")
        talk = await client.say_in_scene(scene.scene_id, "Mira! Fenn! Good evening.", seed=7)
        stats = await client.stats()
    assert {line.speaker: line.adapter_version for line in talk.lines} == {
        "mira": version,
        "fenn": "",
    }
    _, *of_several = stats.adapters_per_step.counts
    assert sum(of_several) > 0


@pytest.mark.usefixtures("real_model")
async def test_an_acknowledged_event_survives_kill_9(tmp_path: Path) -> None:
    running = server_process.start(tmp_path / "server.log", {})
    async with Client(running.address) as client:
        await client.wait_until_serving(60)
        session = await client.start_session("mira", "p1")
        reply = await client.say(session.session_id, "Hello.")
        await client.edit(reply.turn_id, "Morning, stranger.")
        running.process.send_signal(signal.SIGKILL)
    assert running.process.wait() == -signal.SIGKILL
    with Store.open(tmp_path / "data" / "feedback.db") as store:
        assert [event.payload for event in store.events("mira")] == [Edit("Morning, stranger.")]
    async with (
        server_process.server(tmp_path / "server.log") as again,
        Client(again.address) as client,
    ):
        await client.thumb(reply.turn_id, up=True)


@pytest.mark.usefixtures("real_model")
def test_broken_persona_files_are_all_reported_and_nothing_starts(tmp_path: Path) -> None:
    for name, text in (("anna", "id: anna\nvioce: {}\n"), ("bert", "id: bert\nname: [1\n")):
        folder = tmp_path / "cast" / name
        folder.mkdir(parents=True)
        (folder / "persona.yaml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "npc_server.commands.main", "serve", "--port", "0"],
        env={"NPC_PATHS_CHARACTERS": str(tmp_path / "cast"), "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "did you mean 'voice'?" in done.stderr
    assert "anna/persona.yaml:2" in done.stderr
    assert "bert/persona.yaml" in done.stderr


async def test_talk_goes_on_after_the_engine_was_killed_in_mid_sentence(
    tmp_path: Path, real_model: Path
) -> None:
    version = publish_random(tmp_path / "data" / "adapters", tmp_path / "source", real_model)
    async with (
        server_process.server(tmp_path / "server.log") as running,
        Client(running.address) as client,
    ):
        session = (await client.start_session("mira", "p1")).session_id
        before = await client.say(session, "Good evening.", seed=1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.say(session, "Tell me of the forge.", 1, Killer(running.process.pid))
        with pytest.raises(ServerNotReadyError):
            await client.wait_until_serving(timeout_s=0.01)
        await client.wait_until_serving(timeout_s=30)
        after = await client.say(session, "Are you well?", seed=1)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert before.adapter_version == after.adapter_version == version
    with Store.open(tmp_path / "data" / "feedback.db") as store:
        reasons = {turn.player_text: turn.finish_reason for turn in store.turns("mira")}
    assert reasons["Tell me of the forge."] == "failed"
    assert {reasons["Good evening."], reasons["Are you well?"]} <= {"stop", "length", "sentences"}


@pytest.mark.slow
@pytest.mark.usefixtures("real_model")
async def test_a_server_whose_engine_keeps_dying_ends_with_4(tmp_path: Path) -> None:
    running = server_process.start(tmp_path / "server.log", {})
    async with Client(running.address) as client:
        for _ in range(MAX_DEATHS):
            await client.wait_until_serving(60)
            os.kill(engine_of(running.process.pid), signal.SIGKILL)
            with contextlib.suppress(ServerNotReadyError):
                while True:
                    await client.wait_until_serving(timeout_s=0.05)
    assert await asyncio.to_thread(running.process.wait, 20) == 4


class Killer:
    """Kills a server's engine at the first text of a reply."""

    def __init__(self, server_pid: int) -> None:
        self._engines = [engine_of(server_pid)]

    def __call__(self, _: str) -> None:
        while self._engines:
            os.kill(self._engines.pop(), signal.SIGKILL)


def engine_of(server_pid: int) -> int:
    """The engine process of a server: its one child that was spawned with a pipe."""
    children = Path(f"/proc/{server_pid}/task/{server_pid}/children").read_text().split()
    (engine,) = [
        child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    return int(engine)


@pytest.mark.usefixtures("real_model")
def test_of_two_servers_on_one_fresh_folder_one_serves_and_one_names_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "npc_server.commands.main", "serve", "--port", "0"]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    while not (ended := [one for one in both if one.poll() is not None]):
        time.sleep(0.05)
    (second,), (first,) = ended, [one for one in both if one not in ended]
    _, complaint = second.communicate()
    assert (second.returncode, f"process {first.pid} on " in complaint) == (2, True)
    assert first.stdout is not None
    assert first.stdout.readline().startswith("serving on ")
    first.send_signal(signal.SIGTERM)
    first.communicate()
    with Store.open(tmp_path / "data" / "feedback.db") as store:
        assert store.characters() == []


@pytest.mark.usefixtures("real_model")
async def test_a_real_reply_is_talked_over_at_any_moment_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    async with (
        server_process.server(tmp_path / "server.log") as running,
        Client(running.address) as client,
    ):
        session = (await client.start_session("mira", "p1")).session_id
        long, short = SamplingOverrides(min_tokens=40), SamplingOverrides(max_tokens=4)
        for moment in range(10):  # deltas heard
            stream = client.stream_reply(session, f"Tell me {moment} things.", sampling=long)
            for _ in range(moment):
                await anext(stream, None)
            stream.cancel()
            await client.say(session, "Stop.", sampling=short)
        token = await client.checkpoint(session)
        lived = (await client.restore(token)).exchanges
    said = [one.player_text for one in lived if one.player_text != "Stop."]
    assert len(lived) - len(said) == 10
    # A call that is cancelled before it reached the server has said nothing.
    assert said[-9:] == [f"Tell me {moment} things." for moment in range(1, 10)]
    assert all(one.reply_text for one in lived if one.player_text in said[-9:])
