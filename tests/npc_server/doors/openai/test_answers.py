"""What completions say."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import pytest

from npc_server.calls import RefusedError
from npc_server.doors.openai import answers
from npc_server.engine.protocol import Finish, FinishReason
from npc_server.errors import UnknownCharacterError
from npc_server.reply_events import Finished


def finish(reason: FinishReason = FinishReason.STOP, cached: int = 0) -> Finish:
    """The end of a reply of three tokens."""
    return Finish("Hé!", (1, 2, 3), reason, -3.0, (-0.5, -1.0, -1.5), 20, cached, 0, 0, 0)


def ended(reply: Finish) -> Finished:
    """The end of its turn."""
    return Finished("t1", "", "", reply, reply_tokens=3, candidates=1)


def decode(ids: Sequence[int]) -> str:
    """The text of tokens, of which the second is half a letter."""
    return ("", "H", "H\N{REPLACEMENT CHARACTER}", "Hé!")[len(ids)]


def test_takes_share_their_prompt() -> None:
    got = answers.usage([ended(finish(cached=8)), ended(finish(cached=20))])
    assert (got["prompt_tokens"], got["completion_tokens"], got["total_tokens"]) == (20, 6, 26)
    assert got["prompt_tokens_details"] == {"cached_tokens": 8}


@pytest.mark.parametrize("reason", FinishReason)
def test_only_a_reply_that_was_cut_ended_by_its_length(reason: FinishReason) -> None:
    cut = reason in (FinishReason.LENGTH, FinishReason.TRIMMED)
    got = answers.choice(0, ended(finish(reason)), None)["finish_reason"]
    assert got == ("length" if cut else "stop")


def test_every_token_has_its_log_probability() -> None:
    content = answers.logprobs_of(finish(), decode, top=2)["content"]
    assert [token["logprob"] for token in content] == [-0.5, -1.0, -1.5]
    assert content[0]["token"] == "H"
    assert [len(token["top_logprobs"]) for token in content] == [1, 1, 1]


def test_a_refusal_tells_when_to_try_again() -> None:
    trailing = (("retry-after-ms", "1250"),)
    got = answers.refusal_of(RefusedError(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy", trailing))
    assert (got.status, dict(got.headers)[b"retry-after"]) == (429, b"2")


def test_a_character_that_is_not_there_is_a_model_that_is_not_there() -> None:
    refused = RefusedError(grpc.StatusCode.NOT_FOUND, "no such character", ())
    refused.__cause__ = UnknownCharacterError()
    got = answers.refusal_of(refused)
    assert (got.status, got.body["error"]["code"]) == (404, "model_not_found")
