"""Ids of turns, and what a model thinks before them."""

import time

from npc_server.engine.fake import FakeEngine
from npc_server.turns import Model, new_turn_id
from personas.persona_files import SAMPLE_CHARACTERS, load_character
from personas.render import prompt
from tests.support.chat_templates import look_alike


def test_later_turns_have_greater_ids() -> None:
    ids = []
    for _ in range(5):
        ids.append(new_turn_id())
        time.sleep(0.002)
    assert ids == sorted(ids)


def test_ids_are_32_hex_digits_and_differ_within_a_moment() -> None:
    ids = [new_turn_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert {len(name) for name in ids} == {32}
    assert set("".join(ids)) <= set("0123456789abcdef")


def test_a_model_that_thinks_reads_another_prompt_than_the_one_it_is_trained_on() -> None:
    tokenizer = look_alike("empty-thought", thinks=True)
    model = Model(FakeEngine(), tokenizer, "base", thought_tokens=40)
    made = prompt(load_character(SAMPLE_CHARACTERS / "mira"), (), "Hi", tokenizer, 100_000)
    thought = model.thought_before(made)
    assert thought is not None
    assert thought.end == thought.closing[0] == tokenizer.control("</think>")
    assert thought.prompt_ids == made.thinking_ids != made.ids
    assert model.reply_context == FakeEngine().info.context_tokens - 40


def test_one_that_does_not_think_replies_at_once() -> None:
    tokenizer = look_alike("empty-thought")
    made = prompt(load_character(SAMPLE_CHARACTERS / "mira"), (), "Hi", tokenizer, 100_000)
    assert Model(FakeEngine(), tokenizer, "base").thought_before(made) is None
