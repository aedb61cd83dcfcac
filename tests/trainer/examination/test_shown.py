"""What a voice shows is asked as the server asks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from npc_server.engine.fake import finish_of
from npc_server.engine.protocol import Finish, Request
from personas.fake import FakeTokenizer
from personas.persona import Persona
from personas.persona_files import load_characters
from tests.support.actors import HANDED, taste, write_ada
from trainer.examination.questions import Question
from trainer.examination.shown import Showing, Shown, Voice
from trainer.gate import QuestionKind

PROMPT = tuple(FakeTokenizer().encode("A loaf, please.\n"))


@pytest.fixture
def ada(tmp_path: Path) -> Persona:
    return load_characters(write_ada(tmp_path))["ada"]


def finish(request: Request, text: str) -> Finish:
    return replace(finish_of(request, text), token_ids=())


class Engine:
    """Likes some ways to go on, and writes down what it was asked."""

    def __init__(self, *liked: str, arguments: str = HANDED) -> None:
        self._taste: Callable[[Request], tuple[float, ...]] = taste(*liked)
        self._arguments = arguments
        self.asked: list[Request] = []

    async def ask(self, request: Request) -> Finish:
        self.asked.append(request)
        if request.sampling.json_schema:
            return finish(request, self._arguments)
        return replace(finish(request, ""), choices=self._taste(request))

    async def shown(self, ada: Persona, kind: QuestionKind, reply: str = "Here.") -> Shown:
        showing = Showing(Voice(ada, FakeTokenizer(), "voice-1", 100_000), self.ask)
        await showing.begin()
        question = Question(PROMPT, 0, kind, "p", "A loaf, please.")
        return await showing.of(question, finish(Request("r", PROMPT), reply))


async def test_an_emotion_is_the_likeliest_label(ada: Persona) -> None:
    shown = await Engine("furious").shown(ada, QuestionKind.EMOTION)
    assert (shown.emotion, shown.action) == ("angry", "")


async def test_an_action_needs_its_arguments(ada: Persona) -> None:
    engine = Engine("hand over")
    assert await engine.shown(ada, QuestionKind.ACTION) == Shown(action="hand_over")
    assert engine.asked[-1].sampling.json_schema == ada.actions[0].json_schema
    wrong = Engine("hand over", arguments='{"loaf": "oat", "coins": 2}')
    assert await wrong.shown(ada, QuestionKind.ACTION) == Shown()


async def test_words_that_refuse_go_with_no_action(ada: Persona) -> None:
    engine = Engine("lock door")
    assert await engine.shown(ada, QuestionKind.ACTION, "No. I won't.") == Shown()
    assert await engine.shown(ada, QuestionKind.ACTION) == Shown(action="lock_door")


async def test_all_is_asked_of_the_voice(ada: Persona) -> None:
    engine = Engine("hand over")
    await engine.shown(ada, QuestionKind.ACTION)
    assert {request.adapter for request in engine.asked} == {"voice-1"}
    assert len({request.request_id for request in engine.asked}) == len(engine.asked)


async def test_an_emotion_that_comes_first_is_asked_before_the_words(ada: Persona) -> None:
    first, engine = ada.model_copy(update={"emotion_first": True}), Engine("glad")
    assert (await engine.shown(first, QuestionKind.EMOTION)).emotion == "glad"
    assert engine.asked[-1].prompt_ids[: len(PROMPT)] == PROMPT
    assert "Here." not in FakeTokenizer().decode(engine.asked[-1].prompt_ids)
