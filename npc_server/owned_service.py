"""A service whose every call is checked before its handler: what it names must be the caller's, and
a turn must be within what the caller's game and player may do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from npc_server.allowances import Allowances
from npc_server.keys.callers import caller
from npc_server.keys.quotas import Spent
from npc_server.ownership import Ownership

ServiceT = TypeVar("ServiceT")

_CHARACTERS_PER_TOKEN = 4  # of a reply that was cut short


def require_ownership(
    service: ServiceT, descriptor: Any, ownership: Ownership, allowances: Allowances
) -> ServiceT:
    """Check all calls that a service's descriptor lists; returns the service.

    Its streams are turns.
    """
    for method in descriptor.methods:
        behaviour = getattr(service, method.name)
        if method.server_streaming:
            checked = _turn(behaviour, ownership, allowances)
        else:
            checked = _unary(behaviour, ownership)
        setattr(service, method.name, checked)
    return service


def _unary(behaviour: Callable[..., Any], ownership: Ownership) -> Callable[..., Any]:
    async def answer(request: Any, context: Any) -> Any:
        await ownership.require(caller.get(), request)
        return await behaviour(request, context)

    return answer


def _turn(
    behaviour: Callable[..., Any], ownership: Ownership, allowances: Allowances
) -> Callable[..., Any]:
    async def answer(request: Any, context: Any) -> AsyncIterator[Any]:
        who = caller.get()
        await ownership.require(who, request)
        with allowances.turn(who, request) as spent:
            meter = _Meter(spent)
            async with aclosing(behaviour(request, context)) as replies:
                async for reply in replies:
                    meter.note(reply)
                    yield reply

    return answer


@dataclass
class _Meter:
    """Counts the tokens of a stream of one reply, or of a scene's."""

    spent: Spent
    _streamed: dict[str, int] = field(default_factory=dict)  # guessed, by speaker

    def note(self, message: Any) -> None:
        """Count a message; a reply's end tells what it really took."""
        in_scene = "speaker" in message.DESCRIPTOR.fields_by_name
        speaker, event = (message.speaker, message.reply) if in_scene else ("", message)
        match event.WhichOneof("event"):
            case "delta":
                guessed = -(-len(event.delta.text) // _CHARACTERS_PER_TOKEN)
                self._streamed[speaker] = self._streamed.get(speaker, 0) + guessed
                self.spent.tokens += guessed
            case "finished":
                told = event.finished.usage.reply_tokens + event.finished.usage.thought_tokens
                self.spent.tokens += told - self._streamed.pop(speaker, 0)
