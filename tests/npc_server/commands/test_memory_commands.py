"""`npc memory`: what it prints and changes, on a real store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from feedback_store.memory_records import Span, Summary
from feedback_store.privacy.pseudonyms import Pseudonyms, ensure_key
from feedback_store.records import Session
from feedback_store.store import Store
from npc_server.commands.main import app
from tests.support.statements import told
from tests.support.turns import NOON, TURN

ANN = "ann@game"
SAID = ("My name is Ada.", "My name is Bo.", "I live in Kell.")


@pytest.fixture
def ann(tmp_path: Path) -> str:
    """The pseudonym of a player."""
    return Pseudonyms(ensure_key(tmp_path / "data" / "player.key")).of(ANN)


@pytest.fixture
def store(tmp_path: Path, ann: str) -> Iterator[Store]:
    """Ann told mira some things, and mira summed up their talk."""
    with Store.open(tmp_path / "data" / "feedback.db") as opened:
        opened.record_session(Session("s", ann, "mira", "aa11", False, NOON)).result()
        for at, said in enumerate(told(*SAID)):
            name = f"turn-{at}"
            turn = replace(
                TURN,
                turn_id=name,
                first_turn_id=name,
                session_id="s",
                player_id=ann,
                consent=False,
            )
            opened.record_turn(turn).result()
            opened.record_statement(replace(said, session_id="s", player_id=ann)).result()
        summed_up = Summary("sum", "s", ann, "mira", ("turn-0",), "They met.", Span.PLAYER, NOON)
        opened.record_summary(summed_up).result()
        yield opened


def npc(*arguments: str) -> Result:
    """How `npc memory` ends."""
    return CliRunner().invoke(app, ["memory", *arguments], env={"COLUMNS": "160"})


def said(*arguments: str) -> str:
    """What it prints when it ends well."""
    result = npc(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def remembered(store: Store, ann: str) -> list[str]:
    """What mira remembers of ann."""
    known = store.memories("mira", ann)
    return [*(one.text for one in known.statements), *(one.text for one in known.summaries)]


@pytest.mark.usefixtures("store")
def test_what_is_remembered_is_shown_with_what_it_replaced() -> None:
    printed = said("show", "mira", ANN)
    assert "My name is Bo." in printed
    assert "My name is Ada." in printed
    assert "They met." in printed


@pytest.mark.usefixtures("store")
def test_a_script_gets_the_turns_that_it_comes_from() -> None:
    answer = json.loads(said("show", "mira", ANN, "--json"))
    name, home = answer["facts"]
    assert (name["text"], name["turn_ids"]) == ("My name is Bo.", ["turn-1"])
    assert name["replaced"] == ["My name is Ada."]
    assert home["topic"] == "home"
    assert answer["summaries"][0]["turn_ids"] == ["turn-0"]


@pytest.mark.usefixtures("store")
def test_of_a_stranger_nothing_is_shown() -> None:
    assert said("show", "mira", "nobody") == "mira remembers nothing of nobody\n"
    assert json.loads(said("show", "mira", "nobody", "--json")) == {"facts": [], "summaries": []}


def test_a_fact_is_put_into_other_words(store: Store, ann: str) -> None:
    home = json.loads(said("show", "mira", ANN, "--json"))["facts"][1]["id"]
    assert said("edit", "mira", ANN, home, " The player is\nhomeless. ").endswith("homeless.\n")
    assert "The player is homeless." in remembered(store, ann)


def test_one_fact_is_forgotten_with_what_it_replaced(store: Store, ann: str) -> None:
    name = json.loads(said("show", "mira", ANN, "--json"))["facts"][0]["id"]
    assert said("forget", "mira", ANN, name, "--yes") == f"mira has forgotten 1 thing of {ANN}\n"
    assert remembered(store, ann) == ["I live in Kell.", "They met."]


def test_everything_is_forgotten(store: Store, ann: str) -> None:
    assert said("forget", "mira", ANN, "--yes") == f"mira has forgotten 3 things of {ANN}\n"
    assert remembered(store, ann) == []
    assert said("forget", "mira", ANN, "--yes") == f"mira has forgotten 0 things of {ANN}\n"


def test_without_a_yes_nothing_is_forgotten(store: Store, ann: str) -> None:
    assert npc("forget", "mira", ANN).exit_code == 1
    assert len(remembered(store, ann)) == 4


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("edit", "mira", ANN, "nothing", "Text."), "no fact 'nothing'"),
        (("edit", "mira", ANN, "nothing", " "), "the text has 0 characters; write 1 to 200"),
        (("forget", "mira", ANN, "nothing", "--yes"), "no memory 'nothing'"),
        (("show", "mria", ANN), "Did you mean 'mira'?"),
    ],
)
def test_what_is_not_there_is_refused(arguments: tuple[str, ...], complaint: str) -> None:
    result = npc(*arguments)
    assert complaint in str(result.exception)
