"""Answers to asides, from a model that is a table of likings."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from personas.aside_answers import Answer, answer, empty_exchanges, read_priors
from personas.asides import Ids, aside
from personas.fake import FakeTokenizer
from personas.persona import Persona
from personas.persona_files import load_characters
from tests.support.actors import CARD, write_ada

TOKENIZER = FakeTokenizer()


class Taste:
    """A reader to whom some texts behind the frame are likely."""

    def __init__(self, *liked: str) -> None:
        self.liked = [f"{text})" for text in liked]
        self.asked: list[str] = []

    async def __call__(self, prompt_ids: Ids, tokens: Ids) -> Sequence[float]:
        said = TOKENIZER.decode(prompt_ids).rpartition(": ")[2]
        self.asked.append(said)
        nexts = [said + TOKENIZER.decode([token]) for token in tokens]
        return [-1.0 if any(way.startswith(text) for way in self.liked) else -9.0 for text in nexts]


async def answered(persona: Persona, *liked: str) -> tuple[Answer, Taste]:
    asked, read = aside(persona, TOKENIZER), Taste(*liked)
    flat = [dict.fromkeys(asked.tokens, -5.0)]
    return await answer(asked, (), flat, read), read


@pytest.fixture
def ada(tmp_path: Path) -> Persona:
    return load_characters(write_ada(tmp_path))["ada"]


async def test_emotion_and_action_come_from_one_question(ada: Persona) -> None:
    told, read = await answered(ada, "glad", "lock door")
    assert (told.emotion, told.action, read.asked) == ("glad", "lock_door", [""])
    assert told.probability > 0.99


async def test_options_that_begin_alike_are_told_apart_by_what_follows(ada: Persona) -> None:
    told, read = await answered(ada, "frightened")
    assert (told.emotion, read.asked) == ("afraid", ["", "f"])
    assert (await answered(ada, "furious"))[0].emotion == "angry"


async def test_without_a_liking_nothing_is_done(ada: Persona) -> None:
    assert (await answered(ada, "glad"))[0].action == ""
    assert (await answered(ada, "hand over", "nothing", "says"))[0].action == ""


async def test_a_character_without_emotions_tells_none(tmp_path: Path) -> None:
    bare = CARD[: CARD.index("emotions:")] + CARD[CARD.index("actions:") :]
    told, _ = await answered(load_characters(write_ada(tmp_path, bare))["ada"], "hand over")
    assert told == Answer(action="hand_over")


async def test_priors_are_read_behind_exchanges_that_say_nothing(ada: Persona) -> None:
    asked = aside(ada, TOKENIZER)
    empty = empty_exchanges(ada, TOKENIZER, 4000, replied=True)
    replies = [TOKENIZER.decode(ids).rpartition("assistant\n")[2] for ids in empty]
    assert replies == ["...", "I see."]
    priors = await read_priors(asked, empty, Taste("glad"))
    assert [prior.keys() for prior in priors] == [dict.fromkeys(asked.tokens).keys()] * 2
