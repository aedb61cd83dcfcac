"""One scene: who is in it, what was said, and what each character reads of it.

A character's history is the same whoever it answers, so its sessions, one for each player, share
their exchanges. Each exchange begins with what the character has heard since the one before it.
Lives on the event loop.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from feedback_store.records import JSON
from npc_server.errors import InvalidRequestError, UnknownMemberError
from npc_server.scenes.performance import EventT, Performance, Work
from npc_server.scenes.quotations import check_character_name, check_player_name
from npc_server.scenes.speaking_order import Bid, Listener, names_in_cast
from npc_server.scenes.transcript import (
    Entry,
    Size,
    as_read,
    heard_since,
    lines_since,
    listing,
    newest_that_fit,
)
from npc_server.sessions import Exchange, Overheard, Session
from npc_server.situations import Reported, accepted_report
from personas.audience import hearers
from personas.known_names import no_such
from personas.notes import direction
from personas.persona import Persona
from personas.variables import Value, Values, Written

MAX_CHARACTERS = 8
MAX_PLAYERS = 8
MOST_HEARD = 32  # entries that a character reads at once; there is seldom room for as many
#: What players without a name are called, one after another.
_ECHOES = 8  # lines of others that a character does not say over again
_NAMELESS = (
    "Traveller",
    "Stranger",
    "Wanderer",
    "Visitor",
    "Newcomer",
    "Guest",
    "Pilgrim",
    "Rover",
)
_SILENCE = "Nobody says anything."


@dataclass(frozen=True)
class Player:
    """A player in a scene."""

    player_id: str  # as the game calls them; kept in memory only
    pseudonym: str  # as they are stored
    name: str  # as characters call them
    consent: bool


@dataclass
class Member:
    """A character in a scene, and what it has said and heard there."""

    persona: Persona
    exchanges: list[Exchange] = field(default_factory=list)
    heard_to: int = 0  # of the scene's entries; those before are in its exchanges
    sessions: dict[str, Session] = field(default_factory=dict)  # by player id

    @property
    def character(self) -> str:
        """The character's id."""
        return self.persona.id


@dataclass
class Scene:
    """A scene that is open."""

    scene_id: str
    place: str  # "" = not told
    members: dict[str, Member] = field(default_factory=dict)  # by character, as they came
    players: dict[str, Player] = field(default_factory=dict)  # by id, as they came
    former: dict[str, Member] = field(default_factory=dict)  # characters that left
    entries: list[Entry] = field(default_factory=list)
    pseudonyms: tuple[str, ...] = ()  # of all players who were ever in it
    world: dict[str, Value | Written] = field(default_factory=dict)  # as its game reported it
    consent: bool = True  # all who were ever in it have agreed
    credited: str = ""  # id of the player who spoke last
    turns: int = 0
    speaking: set[str] = field(default_factory=set)  # characters whose replies are being made
    _performance: Performance[Any] | None = None  # the latest

    @property
    def character_names(self) -> list[str]:
        """What its characters are called."""
        return [member.persona.name for member in self.members.values()]

    @property
    def player_names(self) -> list[str]:
        """What its players are called."""
        return [player.name for player in self.players.values()]

    @property
    def names(self) -> list[str]:
        """What all who are in it are called."""
        return [*self.character_names, *self.player_names]

    @property
    def credited_player(self) -> Player:
        """The player whose turn a line is that characters say among themselves."""
        return self.players.get(self.credited) or next(iter(self.players.values()))

    @property
    def busy(self) -> bool:
        """Whether something is being said."""
        return self._performance is not None and not self._performance.over

    @property
    def sessions(self) -> list[Session]:
        """The sessions that its turns are recorded in."""
        members = (*self.members.values(), *self.former.values())
        return [session for member in members for session in member.sessions.values()]

    def perform(self, work: Work[EventT]) -> AsyncGenerator[EventT]:
        """Begin a work that another may interrupt, and stream its events."""
        performance = Performance(work)
        self._performance = performance
        return performance.events()

    async def interrupt(self) -> None:
        """End what is being said; returns when nothing is."""
        while self._performance is not None and not self._performance.over:
            await self._performance.interrupt()

    def member(self, character: str) -> Member:
        """A character of the scene. Raises UnknownMemberError."""
        if character not in self.members:
            raise UnknownMemberError(
                f"in this scene is {no_such('character', character, self.members)}"
            )
        return self.members[character]

    def player(self, player_id: str) -> Player:
        """A player of the scene; "" = the only one. Raises UnknownMemberError."""
        if not player_id and len(self.players) == 1:
            return next(iter(self.players.values()))
        if not player_id:
            raise InvalidRequestError(
                "player_id is empty, and the scene has several players: say who"
            )
        if player_id not in self.players:
            raise UnknownMemberError("no player of this scene has this player_id; use Join")
        return self.players[player_id]

    def add_character(self, persona: Persona) -> Member:
        """Let a character in; one that was there before knows what it heard then.

        Raises InvalidRequestError.
        """
        if persona.id in self.members:
            raise InvalidRequestError(f"{persona.id} is in the scene; name each character once")
        if len(self.members) == MAX_CHARACTERS:
            raise InvalidRequestError(f"a scene has at most {MAX_CHARACTERS} characters")
        check_character_name(persona.name, self.character_names, self.player_names)
        if persona.setting:
            accepted_report(persona, self.world)
        member = self.former.pop(persona.id, None) or Member(persona, heard_to=len(self.entries))
        self.members[persona.id] = member
        return member

    def remove_character(self, character: str) -> Member:
        """Let a character go. Raises UnknownMemberError, and InvalidRequestError for the last."""
        member = self.member(character)
        if len(self.members) == 1:
            raise InvalidRequestError(f"{character} is the last character here; use EndScene")
        self.former[character] = self.members.pop(character)
        return member

    def add_player(self, player_id: str, pseudonym: str, name: str, consent: bool) -> Player:
        """Let a player in. Raises InvalidRequestError."""
        if player_id in self.players:
            raise InvalidRequestError("a player_id is in the scene; name each player once")
        if len(self.players) == MAX_PLAYERS:
            raise InvalidRequestError(f"a scene has at most {MAX_PLAYERS} players")
        player = Player(player_id, pseudonym, self._name_for_player(name), consent)
        self.players[player_id] = player
        self.pseudonyms = tuple(dict.fromkeys((*self.pseudonyms, pseudonym)))
        if self.consent and not consent:
            self._withdraw_consent()
        return player

    def remove_player(self, player_id: str) -> Player:
        """Let a player go. Raises UnknownMemberError, and InvalidRequestError for the last."""
        player = self.player(player_id)
        if len(self.players) == 1:
            raise InvalidRequestError("this is the last player here; use EndScene")
        return self.players.pop(player.player_id)

    def report(self, world: Reported) -> None:
        """Take in how things stand. Raises InvalidRequestError, and takes nothing in then."""
        known = {**self.world, **world}
        for member in self._of_worlds():
            accepted_report(member.persona, known)
        self.world = known

    def state_for(self, member: Member) -> Values:
        """How things stand for a character, as far as it was reported."""
        return accepted_report(member.persona, self.world) if member.persona.setting else {}

    def _of_worlds(self) -> list[Member]:
        """Those that have a world; all, if nobody has one."""
        members = list(self.members.values())
        return [one for one in members if one.persona.setting] or members

    def happen(self, text: str, seen_by: Iterable[str]) -> None:
        """Let those characters see something that nobody says."""
        self.entries.append(Entry("", "", text, tuple(seen_by)))

    def say(self, player: Player, text: str, heard_by: Sequence[str]) -> Entry:
        """Let a player say something to those characters."""
        entry = Entry(key_of(player.player_id), player.name, text, tuple(heard_by))
        self.entries.append(entry)
        self.credited = player.player_id
        return entry

    def hush(self, entry: Entry) -> None:
        """Let nobody read a line from now on."""
        self.entries[self.entries.index(entry)] = replace(entry, hearers=())

    def hearers(self, to: Iterable[str], audience: Iterable[str]) -> tuple[str, ...]:
        """Ids of the characters that hear a line, in the order in which they came.

        Raises UnknownMemberError.
        """
        named = [self.member(character).character for character in (*to, *audience)]
        heard = hearers(to, self.members, audience) if named else tuple(self.members)
        return tuple(character for character in self.members if character in heard)

    def listeners(self, who: Collection[str]) -> list[Listener]:
        """Those characters, as far as it matters for who speaks next."""
        names = names_in_cast({who: member.persona for who, member in self.members.items()})
        return [
            Listener(member.persona, names[character], lines_since(self.entries, character))
            for character, member in self.members.items()
            if character in who
        ]

    def begin(
        self, member: Member, heard_by: tuple[str, ...], bid: Bid, room: int, size: Size
    ) -> Exchange:
        """Open the exchange in which a character answers what it has heard."""
        heard = heard_since(self.entries, member.character, member.heard_to)[-MOST_HEARD:]
        only = next(iter(self.players)) if len(self.players) == 1 else ""
        lines = as_read(heard, key_of(only)) if heard else [direction(_SILENCE)]
        return Exchange(
            "\n".join(newest_that_fit(lines, room, size)),
            hearers=heard_by,
            overheard=self._overheard(heard),
            annotations=self._annotations(member, bid),
        )

    def _overheard(self, heard: Sequence[Entry]) -> Overheard:
        player = self.credited_player
        own = key_of(player.player_id)
        told = "\n".join(entry.text for entry in heard if entry.speaker == own)
        echoes = [entry.text for entry in heard if entry.speaker in self.members]
        return Overheard(player.pseudonym, told, tuple(echoes[-_ECHOES:]))

    @property
    def stops(self) -> list[str]:
        """Texts that end a reply before it speaks for anybody."""
        return [f"\n{name}:" for name in self.names]

    def surroundings(self, member: Member) -> str:
        """Where a character finds itself, and with whom."""
        others = [name for name in self.names if name != member.persona.name]
        return f"You are {f'{self.place}, ' if self.place else ''}with {listing(others)}."

    def _annotations(self, member: Member, bid: Bid) -> dict[str, JSON]:
        why: list[JSON] = [reason.because.value for reason in bid.reasons]
        return {
            "speaker": {
                "character": member.character,
                "scene": self.scene_id,
                "players": list(self.pseudonyms),
                "why": why,
            }
        }

    def _name_for_player(self, name: str) -> str:
        free = (nameless for nameless in _NAMELESS if nameless not in self.names)
        return check_player_name("name", name or next(free), self.names)

    def _withdraw_consent(self) -> None:
        """From now on nothing is trained on: what is said next belongs to other sessions."""
        self.consent = False
        for member in self.members.values():
            member.sessions.clear()


def key_of(player_id: str) -> str:
    """What names a player among speakers: no id of a character holds a blank."""
    return f"player {player_id}"
