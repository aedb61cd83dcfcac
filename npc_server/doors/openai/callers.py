"""Who calls, and for which player: asked here, and nowhere else in this door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from npc_server.doors.asgi import Scope, header
from npc_server.errors import ForbiddenError, UnknownPlayerError
from npc_server.keys.callers import Caller, Role, caller, visible_to
from personas.persona import Persona

ANONYMOUS = "anonymous"  # the player of a client that names none
_USER_HEADER, _CHAT_HEADER = b"x-openwebui-user-id", b"x-openwebui-chat-id"


@dataclass(frozen=True)
class Client:
    """A program that calls for a player."""

    caller: Caller
    player_id: str
    talks: tuple[str, ...]  # whose talks it may go on with; equal = the same

    def require_role(self, role: Role, what: str) -> None:
        """Raises ForbiddenError where the caller is not in the role that this is for."""
        if role not in self.caller.roles:
            raise ForbiddenError(f"{what} is for keys of role {role}")


def client_of(scope: Scope, user: str) -> Client:
    """The client behind a call whose body names this user; "" = it names none.

    Clients of one machine that name nobody are one player; those of several are not, as somebody
    else's talk might begin alike. A player's token names its player.

    Raises UnknownPlayerError for a token that names another one.
    """
    who = caller.get()
    named = user or header(scope, _USER_HEADER)
    if who.player_id and named not in ("", who.player_id):
        raise UnknownPlayerError("user: names no player of this token; leave it out")
    player = who.player_id or named
    host, _ = scope.get("client") or ("", 0)
    where = "" if player else host
    talks = (who.game, player, where, header(scope, _CHAT_HEADER))
    return Client(who, player or ANONYMOUS, talks)


def visible_cast(cast: Mapping[str, Persona]) -> Mapping[str, Persona]:
    """Those whom the caller may know of."""
    return {name: cast[name] for name in visible_to(caller.get(), cast)}
