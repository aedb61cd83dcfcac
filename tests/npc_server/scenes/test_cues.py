"""Who speaks of what happens in a scene."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from npc_server.errors import InvalidRequestError
from npc_server.scenes.cues import Cued, Witness, speaker_of
from npc_server.scenes.speaking_order import Listener
from npc_server.triggering import Happening
from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from personas.triggers import Quiet, Trigger

CAST = load_characters(SAMPLE_CHARACTERS)
BELL = Trigger(event="bell", happens="The bell rings.", cooldown_s=60)
LOUD = Trigger(event="bell", happens="The bell rings.", priority=1)
NIGHT = Trigger(event="bell", happens="The bell rings.", when="night")
RARE = Trigger(event="bell", happens="The bell rings.", probability=0.5)


def witness(
    who: str, *triggers: Trigger, silence: int = 1, fired: Mapping[Trigger, float] | None = None
) -> Witness:
    persona = CAST[who].model_copy(update={"triggers": triggers})
    return Witness(Listener(persona, (persona.name,), silence), {}, fired or {})


def speaker(*witnesses: Witness, named: str = "", seed: int = 0) -> str | Quiet:
    found = speaker_of(witnesses, named, Happening("bell"), 100.0, seed)
    return found if isinstance(found, Quiet) else found.bid.character


def test_the_highest_priority_goes_before_all_reasons() -> None:
    assert speaker(witness("mira", BELL, silence=4), witness("fenn", LOUD, silence=0)) == "fenn"


def test_of_equal_triggers_the_character_with_most_reason_speaks() -> None:
    assert speaker(witness("mira", BELL, silence=0), witness("fenn", BELL, silence=1)) == "fenn"
    assert speaker(witness("mira", BELL), witness("fenn", BELL)) == "mira"


def test_who_has_no_trigger_leaves_it_to_those_who_have() -> None:
    assert speaker(witness("mira", silence=4), witness("fenn", BELL, silence=0)) == "fenn"


def test_the_silence_is_that_of_the_one_that_came_nearest() -> None:
    resting = witness("fenn", BELL, fired={BELL: 99.0})
    assert speaker(witness("mira", NIGHT), resting) is Quiet.COOLDOWN
    assert speaker(witness("mira", NIGHT), resting, named="mira") is Quiet.CONDITION


def test_draws_of_several_are_their_own() -> None:
    both = [speaker(witness("mira", RARE), witness("fenn", RARE), seed=seed) for seed in range(60)]
    assert {"mira", "fenn", Quiet.CHANCE} == set(both)


def test_of_what_is_told_and_nobody_waits_for_whoever_has_most_reason_speaks() -> None:
    there = [witness("mira", BELL), witness("fenn")]
    found = speaker_of(there, "", Happening(text="Fenn Tarrow falls."), 100.0, 0)
    assert isinstance(found, Cued)
    assert (found.bid.character, found.fired.told) == ("fenn", "Fenn Tarrow falls.")


def test_only_one_who_is_alone_needs_no_name_for_words_of_the_game() -> None:
    said = Happening(verbatim="We are closed.")
    assert isinstance(speaker_of([witness("mira")], "", said, math.inf, 0), Cued)
    with pytest.raises(InvalidRequestError, match="name it in character"):
        speaker_of([witness("mira"), witness("fenn")], "", said, math.inf, 0)
