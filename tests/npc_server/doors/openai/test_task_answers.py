"""What front-ends ask is answered by the bare base, as far as it fits."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from npc_server.doors.openai.fields import Completion, Message
from npc_server.doors.openai.task_answers import TaskAnswers
from npc_server.engine.fake import FakeEngine
from npc_server.errors import InvalidRequestError
from npc_server.reply_events import Finished
from npc_server.turns import Model
from personas.fake import FakeTokenizer

ASKED = Message("system", "Summarize.")


def task(messages: Sequence[Message], **changes: object) -> Completion:
    """A task that these messages ask for."""
    return Completion(
        model="mira",
        messages=tuple(messages),
        changes=changes,
        most_tokens=100,
        seed=7,
        takes=1,
        stream=False,
        usage_in_stream=False,
        top_logprobs=0,
        player="",
    )


async def answer(asked: Completion) -> FakeEngine:
    """The engine that answered it: a token is a byte there, and 1,024 are all."""
    engine = FakeEngine()
    events = [one async for one in TaskAnswers(Model(engine, FakeTokenizer(), "b")).answer(asked)]
    assert isinstance(events[-1], Finished)
    return engine


async def test_the_bare_base_answers_as_the_client_says() -> None:
    (request,) = (await answer(task([ASKED], temperature=0.2))).passing
    assert (request.adapter, request.sampling.seed, request.sampling.temperature) == ("", 7, 0.2)
    assert request.sampling.max_tokens == 100


async def test_the_oldest_lines_of_a_long_talk_are_left_out() -> None:
    talk = [Message("user", f"Line {number}. {'x' * 90}") for number in range(40)]
    (request,) = (await answer(task([Message("system", "It rains."), *talk, ASKED]))).passing
    read = FakeTokenizer().decode(request.prompt_ids)
    assert ("It rains." in read, "Line 39" in read, "Line 0" in read) == (True, True, False)
    assert "Summarize." in read


@pytest.mark.parametrize("characters", [2_000, 1_000_000])
async def test_a_task_that_cannot_fit_is_refused(characters: int) -> None:
    with pytest.raises(InvalidRequestError, match="context_tokens"):
        await answer(task([Message("system", "x" * characters)]))
