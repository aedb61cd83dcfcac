"""Answers to asides, from a model that is a table of likings."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from personas.aside_answers import (
    Felt,
    Priors,
    Topic,
    about,
    due_action,
    emotion_behind,
    empty_exchanges,
    read_priors,
)
from personas.asides import EMPTY_LINES, Aside, Ids, aside
from personas.fake import FakeTokenizer
from personas.persona import Persona
from personas.persona_files import load_characters
from tests.support.actors import write_ada

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


def priors_of(topic: Topic, asked: Aside) -> Priors:
    return [dict.fromkeys(about(topic, asked).tokens, -5.0)]


async def feeling(persona: Persona, *liked: str) -> tuple[Felt, Taste]:
    asked, read = aside(persona, TOKENIZER), Taste(*liked)
    return await emotion_behind(asked, (), priors_of(Topic.EMOTION, asked), read), read


async def doing(persona: Persona, *liked: str) -> str:
    asked, read = aside(persona, TOKENIZER), Taste(*liked)
    given = {action.name: 0.0 for action in persona.actions}
    return await due_action(asked, (), given, priors_of(Topic.ACTION, asked), read)


@pytest.fixture
def ada(tmp_path: Path) -> Persona:
    return load_characters(write_ada(tmp_path))["ada"]


async def test_an_emotion_comes_with_its_share(ada: Persona) -> None:
    told, read = await feeling(ada, "glad")
    assert (told.emotion, read.asked) == ("glad", [""])
    assert told.probability > 0.99


async def test_options_that_begin_alike_are_told_apart_by_what_follows(ada: Persona) -> None:
    told, read = await feeling(ada, "frightened")
    assert (told.emotion, read.asked) == ("afraid", ["", "f"])
    assert (await feeling(ada, "furious"))[0].emotion == "angry"


async def test_without_a_liking_nothing_is_done(ada: Persona) -> None:
    assert await doing(ada, "lock door") == "lock_door"
    assert await doing(ada, "glad") == ""
    assert await doing(ada, "hand over", "nothing", "says") == ""


@pytest.mark.parametrize(
    ("topic", "empty"),
    [
        (Topic.EMOTION, ["...", "I see."]),
        (Topic.FIRST_EMOTION, ["", ""]),
        (Topic.ACTION, [""] * len(EMPTY_LINES)),
    ],
)
async def test_priors_are_read_behind_exchanges_that_say_nothing(
    ada: Persona, topic: Topic, empty: list[str]
) -> None:
    asked, prompts = aside(ada, TOKENIZER), empty_exchanges(topic, ada, TOKENIZER, 4000)
    assert [TOKENIZER.decode(ids).rpartition("assistant\n")[2] for ids in prompts] == empty
    priors = await read_priors(topic, asked, prompts, Taste("glad"))
    read = dict.fromkeys(about(topic, asked).tokens).keys()
    assert [prior.keys() for prior in priors] == [read] * len(empty)
