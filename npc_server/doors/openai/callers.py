"""Who calls, and for whom."""

from __future__ import annotations

from dataclasses import dataclass

from npc_server.doors.asgi import Scope, header

ANONYMOUS = "anonymous"  # the player of a client that names none
_USER_HEADER, _CHAT_HEADER = b"x-openwebui-user-id", b"x-openwebui-chat-id"


@dataclass(frozen=True)
class Caller:
    """A player behind a client."""

    player: str
    talks: tuple[str, ...]  # whose talks the client may go on with; equal = the same


def caller_of(scope: Scope, user: str) -> Caller:
    """The caller of a request whose body names this user; "" = it names none.

    Clients of one machine that name nobody are one player; those of several are not, as somebody
    else's talk might begin alike.
    """
    player = user or header(scope, _USER_HEADER)
    host, _ = scope.get("client") or ("", 0)
    where = "" if player else host
    return Caller(player or ANONYMOUS, (player, where, header(scope, _CHAT_HEADER)))
