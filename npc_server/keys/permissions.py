"""Which roles may make which calls: one closed table. What is not in it is refused to everybody."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from npc_server.errors import ForbiddenError
from npc_server.keys.callers import Caller, Role

_PLAYED = frozenset({Role.PLAYER, Role.GAME})
_GAME = frozenset({Role.GAME})
_LISTED = frozenset(Role)
_WRITTEN = frozenset({Role.DESIGNER, Role.OPERATOR})
_RUN = frozenset({Role.OPERATOR})

#: By the path of the call.
PERMISSIONS: Mapping[str, frozenset[Role]] = MappingProxyType(
    {
        "/npc.v1.Dialogue/StartSession": _PLAYED,
        "/npc.v1.Dialogue/Say": _PLAYED,
        "/npc.v1.Dialogue/Regenerate": _PLAYED,
        "/npc.v1.Dialogue/Trigger": _PLAYED,
        "/npc.v1.Dialogue/UpdateContext": _PLAYED,
        "/npc.v1.Dialogue/ReportAction": _PLAYED,
        "/npc.v1.Dialogue/Checkpoint": _PLAYED,
        "/npc.v1.Dialogue/Restore": _PLAYED,
        "/npc.v1.Dialogue/EndSession": _PLAYED,
        "/npc.v1.Scenes/StartScene": _PLAYED,
        "/npc.v1.Scenes/Say": _PLAYED,
        "/npc.v1.Scenes/Continue": _PLAYED,
        "/npc.v1.Scenes/Trigger": _PLAYED,
        "/npc.v1.Scenes/Join": _PLAYED,
        "/npc.v1.Scenes/Leave": _PLAYED,
        "/npc.v1.Scenes/Checkpoint": _PLAYED,
        "/npc.v1.Scenes/Restore": _PLAYED,
        "/npc.v1.Scenes/EndScene": _PLAYED,
        "/npc.v1.Scenes/Barks": _GAME,
        "/npc.v1.Memory/List": _PLAYED,
        "/npc.v1.Memory/Forget": _PLAYED,
        "/npc.v1.Feedback/Submit": _PLAYED,
        "/npc.v1.Feedback/SubmitBatch": _PLAYED,
        "/npc.v1.Feedback/Undo": _PLAYED,
        "/v1/chat/completions": _PLAYED,
        "/v1/feedback": _PLAYED,
        "/v1/models": _LISTED,
        "/npc.v1.Keys/MintToken": _GAME,
        "/npc.v1.Personas/List": _LISTED,
        "/npc.v1.Personas/Get": _WRITTEN,
        "/npc.v1.Personas/Validate": _WRITTEN,
        "/npc.v1.Personas/Status": _WRITTEN,
        "/npc.v1.Adapters/List": _WRITTEN,
        "/npc.v1.Adapters/Promote": _RUN,
        "/npc.v1.Adapters/Rollback": _RUN,
        "/npc.v1.Adapters/Stats": _RUN,
    }
)


def require_permission(caller: Caller, method: str) -> None:
    """Raises ForbiddenError for a call that none of the caller's roles may make."""
    allowed = PERMISSIONS.get(method, frozenset())
    if not caller.roles & allowed:
        may = " or ".join(sorted(allowed)) or "nobody"
        has = " and ".join(sorted(caller.roles))
        raise ForbiddenError(
            f"{method} is for {may}, and key {caller.key_id} is of {has}: use a key of that role"
        )
