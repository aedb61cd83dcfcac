"""The newest word on every topic."""

from __future__ import annotations

from npc_server.memory.facts import facts, player_name
from tests.support.statements import told


def test_a_newer_name_replaces_an_older_one() -> None:
    known = facts(told("My name is Ada.", "My name is Bo."))
    assert player_name(known) == "Bo"
    assert [old.value for old in known[0].replaced] == ["Ada"]


def test_the_older_name_is_back_when_the_newer_was_never_said() -> None:
    before, _ = told("My name is Ada.", "My name is Bo.")
    assert player_name(facts([before])) == "Ada"


def test_a_name_said_in_other_words_is_the_same_fact() -> None:
    (known,) = facts(told("My name is Ada.", "I'm Ada!"))
    assert known.turn_ids == ("turn-0", "turn-1")
    assert known.replaced == ()


def test_what_was_liked_is_no_longer_so_once_it_is_hated() -> None:
    (known,) = facts(told("I love the sea.", "I hate the sea."))
    assert known.statement.text == "I hate the sea."
    assert known.turn_ids == ("turn-1",)


def test_statements_about_several_things_stand_beside_each_other() -> None:
    known = facts(told("I am a smith.", "I am a mother.", "My brother is a smith."))
    assert len(known) == 3


def test_a_sentence_of_no_topic_is_one_fact_however_often_it_is_said() -> None:
    (known,) = facts(told("You owe me nine coppers.", "You owe me nine coppers!"))
    assert known.turn_ids == ("turn-0", "turn-1")


def test_facts_come_in_the_order_of_their_newest_word_whatever_the_order_of_reading() -> None:
    said = told("I have a horse.", "I live in Kell.", "I sold my horse.")
    assert facts(said) == facts(reversed(said))
    assert [fact.statement.text for fact in facts(said)] == ["I live in Kell.", "I sold my horse."]


def test_nobody_is_called_anything_who_has_not_said_so() -> None:
    assert player_name(facts(told("I live in Kell."))) == ""
