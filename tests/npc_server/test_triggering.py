"""What a character reads and says when something happens."""

from __future__ import annotations

import math

import pytest

from npc_server.errors import InvalidRequestError
from npc_server.triggering import Fired, Happening, Surroundings, fire
from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from personas.triggers import Quiet, Trigger

BELL = Trigger(event="bell", happens="The bell rings.", instruction="You warn them.")
DAWN = Trigger(event="dawn", instruction="You yawn.", cooldown_s=60)
GREETING = Trigger(event="greet", say_verbatim=("Morning.", "Shut the door."))
MIRA = load_characters(SAMPLE_CHARACTERS)["mira"].model_copy(
    update={"triggers": (BELL, DAWN, GREETING)}
)


def at(seed: int = 0, dawned_s: float = -math.inf) -> Surroundings:
    return Surroundings({}, {DAWN: dawned_s}, now_s=100.0, seed=seed)


def fired(happening: Happening, seed: int = 0) -> Fired:
    found = fire(MIRA, happening, at(seed))
    assert isinstance(found, Fired)
    return found


def test_the_instruction_is_read_once_and_what_happened_stays() -> None:
    exchange = fired(Happening("bell")).exchange
    assert exchange.asked == "[The bell rings. You warn them.]"
    assert exchange.player_text == "[The bell rings.]"
    assert fired(Happening("bell")).trigger is BELL


def test_the_game_may_tell_it_in_other_words() -> None:
    assert fired(Happening("bell", "A horn blows.")).exchange.asked == (
        "[A horn blows. You warn them.]"
    )


def test_without_anything_to_tell_something_stands_in_the_place_of_a_line() -> None:
    exchange = fired(Happening("dawn")).exchange
    assert (exchange.asked, exchange.player_text) == ("[You yawn.]", "[You speak up.]")


def test_scripted_words_are_drawn_by_the_seed() -> None:
    said = {fired(Happening("greet"), seed).exchange.verbatim for seed in range(20)}
    assert said == set(GREETING.say_verbatim)
    again = [fired(Happening("greet"), 7).exchange.verbatim for _ in range(3)]
    assert len(set(again)) == 1


def test_the_games_own_words_ask_no_trigger() -> None:
    said = fired(Happening("dawn", verbatim="We are closed."))
    assert (said.exchange.verbatim, said.trigger) == ("We are closed.", None)


def test_a_trigger_that_fired_lately_rests() -> None:
    assert fire(MIRA, Happening("dawn"), at(dawned_s=41.0)) is Quiet.COOLDOWN
    assert isinstance(fire(MIRA, Happening("dawn"), at(dawned_s=40.0)), Fired)


@pytest.mark.parametrize(
    ("happening", "part"),
    [
        (Happening("dusk"), "no trigger 'dusk'; known: bell, dawn, greet"),
        (Happening(), "say what happens"),
    ],
)
def test_what_nobody_can_make_anything_of_is_refused(happening: Happening, part: str) -> None:
    with pytest.raises(InvalidRequestError, match=part):
        fire(MIRA, happening, at())
