"""What a base's chat template asks for is read from what it writes."""

import pytest

from npc_server.engine.chat_template import EMPTY_THOUGHT, ChatFormat, read_template
from tests.support.chat_templates import ALWAYS_THINKING, CHATML, LLAMA_3, NO_THINKING, TURNS


def test_plain_chatml_asks_for_nothing() -> None:
    assert read_template(CHATML) == ChatFormat()


def test_a_file_without_a_template_is_taken_for_chatml() -> None:
    assert read_template(" \n") == ChatFormat()


@pytest.mark.parametrize(
    "template",
    [
        "{{ bos_token }}" + CHATML,
        "{{- bos_token -}}\n" + CHATML,
        "{% if messages %}{{ bos_token }}{% endif %}" + CHATML,
        "<s>" + CHATML,
    ],
    ids=["first", "trimmed", "inside", "spelled"],
)
def test_bos_is_first_where_the_template_writes_it(template: str) -> None:
    assert read_template(template, bos="<s>") == ChatFormat(begins_with_bos=True)


def test_a_turn_mark_that_is_called_bos_is_no_bos_of_its_own() -> None:
    assert read_template(CHATML, bos="<|im_start|>") == ChatFormat()


def test_an_empty_thought_is_the_templates_own() -> None:
    assert read_template(TURNS + NO_THINKING) == ChatFormat(after_assistant=EMPTY_THOUGHT)


def test_a_thought_that_the_template_opens_is_closed() -> None:
    assert read_template(TURNS + ALWAYS_THINKING) == ChatFormat(after_assistant=EMPTY_THOUGHT)


def test_another_format_is_a_misfit() -> None:
    assert "<|start_header_id|>" in read_template(LLAMA_3).misfit


def test_chatml_with_a_difference_is_taken_with_a_doubt() -> None:
    found = read_template("{{ 'Today is Monday.\n' }}" + CHATML)
    assert (found.misfit, "Today is Monday" in found.doubt) == ("", True)


@pytest.mark.parametrize("thinks", [True, False])
def test_a_template_that_cannot_be_rendered_is_judged_by_its_text(thinks: bool) -> None:
    found = read_template("{{- bos_token }}{% enable_thinking <|im_start|> %}", thinks=thinks)
    assert found == ChatFormat(True, EMPTY_THOUGHT if thinks else "")


@pytest.mark.parametrize(
    "template",
    ["{{ 1 / 0 }}", "{% for", "{{ raise_exception('no') }}", "{{ messages[9].content.x.y }}", "hi"],
)
def test_a_broken_template_is_a_doubt_and_no_error(template: str) -> None:
    assert read_template(template).doubt
