"""Who is served, and why what was saved since is not."""

import pytest

from npc_server.live_cast import Cast
from personas.persona import Persona
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

SAMPLES = load_characters(SAMPLE_CHARACTERS)


@pytest.fixture
def cast() -> Cast:
    return Cast({"mira": SAMPLES["mira"]})


def renamed(persona: Persona) -> Persona:
    return Persona.model_validate(persona.model_dump() | {"name": "Zelda"})


def test_who_is_served_is_found_as_they_are_now(cast: Cast) -> None:
    zelda = renamed(SAMPLES["mira"])
    assert cast.serve([zelda, SAMPLES["fenn"]]) == [zelda, SAMPLES["fenn"]]
    assert (cast["mira"].name, sorted(cast)) == ("Zelda", ["fenn", "mira"])


def test_who_says_the_same_as_before_is_nothing_new(cast: Cast) -> None:
    since = cast.standing("mira").since
    again = load_characters(SAMPLE_CHARACTERS)["mira"]
    assert cast.serve([again]) == []
    assert cast.standing("mira").since == since


def test_what_is_refused_leaves_the_old_version_and_its_reason(cast: Cast) -> None:
    cast.refuse("mira", ["persona.yaml:1:1: no"])
    standing = cast.standing("mira")
    assert not standing.current
    assert standing.version == cast["mira"].version == SAMPLES["mira"].version
    assert standing.problems == ("persona.yaml:1:1: no",)


def test_a_good_version_forgets_why_the_one_before_it_was_refused(cast: Cast) -> None:
    cast.refuse("mira", ["no"])
    cast.serve([SAMPLES["mira"]])
    assert cast.standing("mira").current


def test_who_never_was_in_order_stands_without_a_version(cast: Cast) -> None:
    cast.refuse("bo", ["no"])
    assert {one.character: one.version for one in cast.standings()}["bo"] == ""
    assert "bo" not in cast


def test_who_left_stands_nowhere(cast: Cast) -> None:
    cast.withdraw(["mira"])
    assert len(cast) == 0
    with pytest.raises(KeyError):
        cast.standing("mira")
