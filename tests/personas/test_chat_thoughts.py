"""A model thinks between the marks of its own template, and replies as it was trained to."""

import pytest

from personas.chat_ids import chat_of
from personas.chat_thoughts import Thinking, thinking_of
from personas.errors import ChatFormatError
from personas.fake import FakeTokenizer
from personas.persona import Persona
from personas.render import (
    Line,
    Speaker,
    beginning,
    expected_beginning,
    message_ids,
    opening_ids,
    prompt,
)
from tests.support.chat_templates import look_alike

#: As Gemma 4 writes it: marks of no known spelling, which its vocabulary calls user-defined.
CHANNEL = (
    "{% for m in messages %}<|turn>{{ m.role }}\n{{ m.content }}<turn|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn>model\n"
    "{% if not enable_thinking %}<|channel>thought\n<channel|>{% endif %}{% endif %}"
)
CHANNEL_MARKS = ("<|turn>", "<turn|>")
#: The same with the order to think in front of what the system says.
ORDERED = "{% if enable_thinking %}<|turn>think<turn|>\n{% endif %}" + CHANNEL


def thinking(tokenizer: FakeTokenizer, ada: Persona) -> tuple[str, str, str]:
    """Ends of a prompt that thinks and of a silent one, with the closing of the thought between."""
    found: Thinking = thinking_of(tokenizer)
    made = prompt(ada, (), "Hi", tokenizer, 100_000)
    ends = (made.thinking_ids, found.closing, made.ids)
    begins = len(tokenizer.decode(made.thinking_ids).rpartition("Hi")[0])
    first, closing, silent = (tokenizer.decode(ids) for ids in ends)
    return first[begins:], closing, silent[begins:]


def test_the_model_opens_its_thought_where_the_template_leaves_that_to_it(ada: Persona) -> None:
    assert thinking(look_alike("empty-thought", thinks=True), ada) == (
        "Hi<|im_end|>\n<|im_start|>assistant\n<think>",
        "</think>\n\n",
        "Hi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    )


def test_a_thought_that_the_template_opens_is_not_opened_twice(ada: Persona) -> None:
    first, closing, _ = thinking(look_alike("always-thinking", thinks=True), ada)
    assert first == "Hi<|im_end|>\n<|im_start|>assistant\n<think>\n"
    assert closing == "</think>\n\n"


def test_marks_of_no_known_spelling_are_those_of_the_empty_thought(ada: Persona) -> None:
    first, closing, silent = thinking(channel(CHANNEL), ada)
    assert first == "Hi<turn|>\n<|turn>model\n<|channel>thought\n"
    assert (closing, silent) == ("<channel|>", first + "<channel|>")


def channel(template: str) -> FakeTokenizer:
    return FakeTokenizer(
        template, CHANNEL_MARKS, thinks=True, own_marks=("<|channel>", "<channel|>")
    )


@pytest.mark.parametrize("template", [CHANNEL, ORDERED], ids=["alike", "order-in-system"])
def test_what_is_read_ahead_is_what_a_thinking_prompt_begins_with(
    template: str, ada: Persona
) -> None:
    tokenizer, opening = channel(template), opening_ids(ada, channel(template))
    said = [Line(Speaker.PLAYER, "Hi"), Line(Speaker.CHARACTER, "Yes?")]
    ahead = beginning(ada, said, tokenizer, 100_000).ids
    beside = expected_beginning(ada, said, "Well?", tokenizer, 100_000).ids
    made = prompt(ada, said, "Well?", tokenizer, 100_000)
    assert len(opening) < len(ahead)
    assert made.opening_tokens == len(opening)
    for read in (opening, ahead, beside):
        assert made.thinking_ids[: len(read)] == read


def test_what_is_trained_knows_of_no_thought(ada: Persona) -> None:
    tokenizer, silent = (look_alike("empty-thought", thinks=on) for on in (True, False))
    made = prompt(ada, (), "Hi", tokenizer, 100_000)
    assert made.ids == prompt(ada, (), "Hi", silent, 100_000).ids
    assert made.ids == message_ids(made.messages, tokenizer)
    assert chat_of(tokenizer).sha256 == chat_of(silent).sha256


def test_a_base_that_cannot_think_says_so() -> None:
    with pytest.raises(ChatFormatError, match="knows of no thought"):
        thinking_of(look_alike("chatml", thinks=True))
