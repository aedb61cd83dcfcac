"""How a reply is drawn: the persona's way, with the changes of a call. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from npc_server.engine.protocol import Sampling
from personas.persona import Persona

#: A call's changes to its persona's sampling, by field of `Sampling`.
Changes = Mapping[str, Any]
NO_CHANGES: Changes = MappingProxyType({})


def sampling_of(persona: Persona, seed: int, changes: Changes = NO_CHANGES) -> Sampling:
    """The sampling of a reply: the persona's, with the changes of the call."""
    own = Sampling(seed=seed, **persona.drawing())
    sampling = replace(own, **changes)
    if sampling.in_form and "max_sentences" not in changes:
        sampling = replace(sampling, max_sentences=0)  # a form ends where it says
    if "min_tokens" not in changes:  # a short max_tokens is no contradiction
        sampling = replace(sampling, min_tokens=min(own.min_tokens, sampling.max_tokens))
    return sampling
