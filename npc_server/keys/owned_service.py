"""A service whose every call is checked before its handler: what it names must be the caller's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, TypeVar

from npc_server.keys.callers import caller
from npc_server.keys.ownership import Ownership

ServiceT = TypeVar("ServiceT")


def require_ownership(service: ServiceT, descriptor: Any, ownership: Ownership) -> ServiceT:
    """Check all calls that a service's descriptor lists; returns the service."""
    for method in descriptor.methods:
        wrap = _stream if method.server_streaming else _unary
        setattr(service, method.name, wrap(getattr(service, method.name), ownership))
    return service


def _unary(behaviour: Callable[..., Any], ownership: Ownership) -> Callable[..., Any]:
    async def answer(request: Any, context: Any) -> Any:
        await ownership.require(caller.get(), request)
        return await behaviour(request, context)

    return answer


def _stream(behaviour: Callable[..., Any], ownership: Ownership) -> Callable[..., Any]:
    async def answer(request: Any, context: Any) -> AsyncIterator[Any]:
        await ownership.require(caller.get(), request)
        async with aclosing(behaviour(request, context)) as replies:
            async for reply in replies:
                yield reply

    return answer
