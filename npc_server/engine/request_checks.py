"""Requests that could never run as asked, refused before they wait."""

from __future__ import annotations

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.protocol import Request, Sampling

_MOST_SCALE = 4.0


def check_request(request: Request, context_tokens: int, vocab_size: int) -> None:
    """Raise RequestRejectedError for a request that could never run."""
    length = len(request.prompt_ids)
    if length == 0:
        raise RequestRejectedError("the prompt is empty")
    if length >= context_tokens:
        raise RequestRejectedError(
            f"the prompt has {length} tokens; at most {context_tokens - 1} fit with a reply"
        )
    if not all(0 <= token < vocab_size for token in request.prompt_ids):
        raise RequestRejectedError(f"the prompt holds token ids outside 0..{vocab_size - 1}")
    if not 0 <= request.adapter_scale <= _MOST_SCALE:
        raise RequestRejectedError(
            f"adapter_scale is {request.adapter_scale}; use 0 to {_MOST_SCALE:g}"
        )
    if request.contrast is not None:
        _check_contrast(request, request.contrast, vocab_size)


def _check_contrast(request: Request, contrast: tuple[int, int], vocab_size: int) -> None:
    if not all(0 <= token < vocab_size for token in contrast):
        raise RequestRejectedError(f"the contrast holds token ids outside 0..{vocab_size - 1}")
    if request.sampling != Sampling():
        raise RequestRejectedError("a contrast draws nothing; leave its sampling as it is")
