"""What a body asks for, and what is said about one that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from npc_server.doors.openai.fields import Completion, completion_of
from npc_server.errors import InvalidRequestError

LINE = {"role": "user", "content": "Hello."}


def asked(**fields: Any) -> Completion:
    """What these fields ask for, besides a line to Mira."""
    return completion_of(json.dumps({"model": "mira", "messages": [LINE], **fields}).encode())


def test_what_is_not_said_is_as_the_character_has_it() -> None:
    got = asked(temperature=None, stop=None, n=None, user=None, stream_options=None)
    assert (dict(got.changes), got.most_tokens, got.seed, got.takes) == ({}, None, None, 1)


def test_the_newer_name_of_the_limit_counts() -> None:
    assert asked(max_tokens=9, max_completion_tokens=5).most_tokens == 5


@pytest.mark.parametrize(("sent", "seed"), [(7, 7), (-1, None), (2**32 + 1, 1)])
def test_any_whole_number_is_a_seed(sent: int, seed: int | None) -> None:
    assert asked(seed=sent).seed == seed


def test_one_stop_string_may_stand_alone() -> None:
    assert asked(stop="#").changes["stop"] == ("#",)


def test_parts_of_text_are_one_text() -> None:
    parts = [{"type": "text", "text": "Hello."}, {"type": "text", "text": "You!"}]
    got = asked(messages=[{"role": "user", "content": parts}])
    assert got.messages[0].text == "Hello.\nYou!"


def test_any_json_is_an_object() -> None:
    form = asked(response_format={"type": "json_object"}).changes["json_schema"]
    assert json.loads(form) == {"type": "object"}


@pytest.mark.parametrize(
    "field",
    [
        {"tools": [{}]},
        {"tool_choice": "required"},
        {"logit_bias": {"5": 1}},
        {"frequency_penalty": -0.5},
        {"modalities": ["text", "audio"]},
        {"seed": "7"},
        {"stop": [""]},
        {"top_logprobs": 21},
        {"response_format": {"type": "xml"}},
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{}]}, LINE]},
    ],
    ids=str,
)
def test_what_cannot_be_done_is_refused_by_name(field: dict[str, Any]) -> None:
    (name,) = field
    with pytest.raises(InvalidRequestError, match=f"^{name}"):
        asked(**field)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"model": "mira"}'])
def test_a_body_that_is_no_completion_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError, match=r"body|messages"):
        completion_of(body)
