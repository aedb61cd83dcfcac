"""Asides: what is asked behind a reply, and how the answers are weighed. Pure."""

from pathlib import Path

import pytest

from personas.asides import (
    Aside,
    Option,
    aside,
    calibrated_scores,
    due_actions,
    likeliest,
    share,
    short_name,
)
from personas.fake import FakeTokenizer
from personas.persona import Persona
from personas.persona_files import load_characters
from tests.support.actors import write_ada

TOKENIZER = FakeTokenizer()
BREAD, BAR, NOTHING = Option("bread", (1, 9)), Option("bar", (2, 9)), Option("", (3, 9))


@pytest.fixture
def ada(tmp_path: Path) -> Persona:
    return load_characters(write_ada(tmp_path))["ada"]


def texts(options: tuple[Option, ...]) -> list[str]:
    return [TOKENIZER.decode(option.ids) for option in options]


def test_a_narrator_s_brackets_go_on_with_cues_names_and_nothing(ada: Persona) -> None:
    asked = aside(ada, TOKENIZER)
    assert TOKENIZER.decode(asked.frame) == " (Ada Rye: "  # the blank is all they share
    assert texts(asked.emotions) == ["glad)", "furious)", "frightened)"]
    assert texts(asked.actions) == ["hand over)", "lock door)"]
    assert texts(asked.nothing) == ["nothing)", "says)"]


def test_without_actions_nothing_is_no_answer(ada: Persona) -> None:
    asked = aside(ada, TOKENIZER).only(emotions=True, actions=())
    assert TOKENIZER.decode(asked.tokens) == "gf"
    assert aside(ada, TOKENIZER).only(emotions=False, actions=()).tokens == ()


@pytest.mark.parametrize(
    ("name", "short"),
    [("Mira Holt", "Mira"), ("The Ferryman", "Ferryman"), ("Fen Li", "Fen Li"), ("美羅", "美羅")],
)
def test_a_name_is_cut_to_its_first_word_of_some_length(name: str, short: str) -> None:
    assert short_name(name) == short


def test_what_is_likely_behind_anything_is_taken_off() -> None:
    scores = calibrated_scores({1: -1.0, 2: -3.0}, [{1: -1.0, 2: -6.0}, {1: -2.0, 2: -4.0}])
    assert scores == {1: 0.5, 2: 2.0}
    assert likeliest((BREAD, BAR), scores) == (BAR,)


def test_options_that_begin_alike_stay_together() -> None:
    brick = Option("brick", (1, 8))
    assert likeliest((BREAD, brick, BAR), {1: 0.0, 2: -1.0}) == (BREAD, brick)


def test_the_share_of_an_option_is_its_softmax() -> None:
    assert share((BREAD, BAR), BREAD, {1: 0.0, 2: 0.0}) == pytest.approx(0.5)
    assert share((BREAD, BAR), BREAD, {1: 800.0, 2: 0.0}) == pytest.approx(1)


NO_LEADS = {"bread": 0.0, "bar": 0.0}
TWO = Aside((), (), (BREAD, BAR), (NOTHING,))


@pytest.mark.parametrize(("lead", "due"), [(1.0, ()), (2.1, ()), (2.3, (BREAD,))])
def test_one_of_two_actions_needs_a_lead_of_two_nats(lead: float, due: tuple[Option, ...]) -> None:
    assert due_actions(TWO, {1: lead, 2: 0.0, 3: 0.0}, NO_LEADS) == due


def test_the_more_actions_the_greater_the_lead() -> None:
    many = tuple(Option(str(token), (token,)) for token in range(10, 22))
    scores = {3: 0.0, **dict.fromkeys(range(10, 22), 3.0)}
    leads = {option.name: 0.0 for option in many}
    assert due_actions(Aside((), (), many, (NOTHING,)), scores, leads) == ()


def test_what_else_speaks_for_an_action_counts_with_it() -> None:
    scores = {1: 1.5, 2: 1.3, 3: 0.0}
    assert due_actions(TWO, scores, NO_LEADS) == ()
    assert due_actions(TWO, scores, {"bread": 0.0, "bar": 1.0}) == (BAR,)


def test_of_actions_that_begin_alike_that_which_is_spoken_of_is_due() -> None:
    brick = Option("brick", (1, 8))
    asked = Aside((), (), (BREAD, brick), (NOTHING,))
    assert due_actions(asked, {1: 3.0, 3: 0.0}, {"bread": 0.0, "brick": 0.0}) == (BREAD, brick)
    assert due_actions(asked, {1: 3.0, 3: 0.0}, {"bread": 0.0, "brick": 0.5}) == (brick,)
