"""Requests that could never run as asked, refused before they wait."""

from __future__ import annotations

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.protocol import Request, Sampling
from npc_server.engine.sentence_end import pattern_of

_MOST_SCALE = 4.0


def check_request(request: Request, context_tokens: int, vocab_size: int) -> None:
    """Raise RequestRejectedError for a request that could never run."""
    length = most_prompt_tokens(request)
    if not request.prompt_ids:
        raise RequestRejectedError("the prompt is empty")
    if length >= context_tokens:
        raise RequestRejectedError(
            f"the prompt has {length} tokens; at most {context_tokens - 1} fit with a reply"
        )
    thought = request.thought.prompt_ids if request.thought else ()
    prompts = (("prompt", request.prompt_ids), ("prompt", thought))
    for what, ids in (*prompts, *(("said", ids) for ids in request.said)):
        if not all(0 <= token < vocab_size for token in ids):
            raise RequestRejectedError(f"the {what} holds token ids outside 0..{vocab_size - 1}")
    if not 0 <= request.adapter_scale <= _MOST_SCALE:
        raise RequestRejectedError(
            f"adapter_scale is {request.adapter_scale}; use 0 to {_MOST_SCALE:g}"
        )
    _check_sentences(request)
    if request.choices:
        _check_choices(request, vocab_size)


def most_prompt_tokens(request: Request) -> int:
    """Tokens of the context that are taken when the reply begins, at most."""
    thought = request.thought
    if thought is None:
        return len(request.prompt_ids)
    return len(thought.prompt_ids) + max(thought.max_tokens, len(thought.closing) + 1)


def _check_sentences(request: Request) -> None:
    rule, most = request.sentences, request.sampling.max_sentences
    for pattern in (rule.within, rule.last) if rule else ():
        pattern_of(pattern)
    if rule:
        pattern_of(rule.unmarked, marks_end=False)
    if rule and request.sampling.in_form:
        why = "a reply in a form ends with the form"
        raise RequestRejectedError(f"max_sentences is {most}, but {why}; leave it out")
    if most and not rule:
        raise RequestRejectedError(f"max_sentences is {most}, but no rule says where sentences end")


def _check_choices(request: Request, vocab_size: int) -> None:
    if not all(0 <= token < vocab_size for token in request.choices):
        raise RequestRejectedError(f"the choices hold token ids outside 0..{vocab_size - 1}")
    if request.sampling != Sampling():
        raise RequestRejectedError("comparing choices draws nothing; leave sampling as it is")
