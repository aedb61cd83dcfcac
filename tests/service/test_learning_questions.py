"""Judges of the learning benchmark ask a real server, over a scripted engine."""

from pathlib import Path

import pytest

from benchmarks.errors import NightBrokeError
from benchmarks.learning.installation import CHARACTER, Installation
from benchmarks.learning.questions import ask
from npc_server.engine.protocol import Request
from tests.support.scripted_server import StageMaker

pytestmark = pytest.mark.service


async def test_replies_come_by_question_and_by_seed(stage: StageMaker) -> None:
    def say(request: Request) -> str:
        return f"seed {request.sampling.seed}"

    made = await stage(say)
    replies = await ask(made.client, "", ["Who are you?", "Where?"], takes=3)
    assert replies == (("seed 0", "seed 1", "seed 2"),) * 2


async def test_judges_leave_nothing_to_train_on(stage: StageMaker) -> None:
    made = await stage()
    await ask(made.client, "", ["Who are you?"], takes=2)
    await made.wait_until_stored()
    assert [turn.consent for turn in made.store.turns(CHARACTER)] == [False, False]


async def test_an_answer_of_another_version_breaks_the_experiment(stage: StageMaker) -> None:
    made = await stage()
    version = made.publish(CHARACTER, seed=1)
    await made.client.promote(CHARACTER, version)
    assert len(await ask(made.client, version, ["Who are you?"], takes=1)) == 1
    with pytest.raises(NightBrokeError, match=f"{version} answered in place of the base"):
        await ask(made.client, "", ["Who are you?"], takes=1)


async def test_a_command_that_answers_nothing_breaks_the_experiment_with_its_words(
    tiny_model: Path, tmp_path: Path
) -> None:
    environment = {"NPC_PATHS_DATA": str(tmp_path), "NPC_MODEL_BASE": str(tiny_model)}
    with pytest.raises(NightBrokeError, match="feedback store"):
        await Installation(tmp_path, environment).npc("train", CHARACTER, "--readiness")
