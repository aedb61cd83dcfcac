"""One scene: who is in it, what was said, and what each character reads of it.

A character's story is the same whoever it answers, so its sessions, one for each player, share it.
Each exchange begins with what the character has heard since the one before it. Players are known by
their pseudonyms. Lives on the event loop.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from feedback_store.records import DEFAULT_GAME, JSON
from npc_server.errors import InvalidRequestError, UnknownMemberError
from npc_server.scenes.limits import SCENE_LIMITS, SceneLimits
from npc_server.scenes.performance import EventT, Performance, Work
from npc_server.scenes.quotations import check_character_name, check_player_name
from npc_server.scenes.speaking_order import Bid, Listener, names_in_cast
from npc_server.scenes.transcript import (
    Entry,
    Size,
    Spoken,
    as_read,
    heard_since,
    lines_since,
    listing,
    newest_that_fit,
)
from npc_server.sessions import SETTLE_S, Exchange, Overheard, Session, Story
from npc_server.situations import Reported, accepted_report
from personas.audience import hearers
from personas.known_names import no_such
from personas.notes import direction
from personas.persona import Persona
from personas.variables import Value, Values, Written

MAX_PLAYERS = 8
MOST_HEARD = 32  # entries that a character reads at once; there is seldom room for as many
_ECHOES = 8  # lines of others that a character does not say over again
#: What players without a name are called, one after another.
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

    pseudonym: str  # as they are stored
    name: str  # as characters call them
    consent: bool


@dataclass
class Member:
    """A character in a scene, and what it has said and heard there."""

    persona: Persona
    story: Story = field(default_factory=Story)
    heard_to: int = 0  # of the scene's entries; those before are in its exchanges
    sessions: dict[str, Session] = field(default_factory=dict)  # by player
    closed: list[Session] = field(default_factory=list)  # that no turn is recorded in any more

    @property
    def character(self) -> str:
        """The character's id."""
        return self.persona.id

    def close_sessions(self) -> None:
        """Have what is said next recorded in other sessions."""
        self.closed += self.sessions.values()
        self.sessions.clear()

    @property
    def heard_players(self) -> set[str]:
        """Players who spoke, or were answered, where it heard it."""
        overheard = (exchange.overheard for exchange in self.story.exchanges)
        return {player for one in overheard if one for player in one.words_of}


@dataclass
class Scene:
    """A scene that is open."""

    scene_id: str
    place: str  # "" = not told
    members: dict[str, Member] = field(default_factory=dict)  # by character, as they came
    players: dict[str, Player] = field(default_factory=dict)  # by pseudonym, as they came
    former: dict[str, Member] = field(default_factory=dict)  # characters that left
    entries: list[Entry] = field(default_factory=list)
    pseudonyms: tuple[str, ...] = ()  # of all players who were ever in it
    world: dict[str, Value | Written] = field(default_factory=dict)  # as its game reported it
    consent: bool = True  # all who were ever in it have agreed
    credited: str = ""  # the player who spoke last
    calls: dict[str, str] = field(default_factory=dict)  # ids of those that ended, and why
    limits: SceneLimits = SCENE_LIMITS
    game: str = DEFAULT_GAME
    speaking: set[str] = field(default_factory=set)  # characters whose replies are being made
    _performance: Performance[Any] | None = None  # the latest
    _performed: str = ""  # the id of its call

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
    def turns(self) -> int:
        """All that its characters said, takes included."""
        members = (*self.members.values(), *self.former.values())
        return sum(len(member.story.turn_ids()) for member in members)

    @property
    def sessions(self) -> list[Session]:
        """The sessions that its turns are recorded in."""
        members = (*self.members.values(), *self.former.values())
        return [
            session for member in members for session in (*member.closed, *member.sessions.values())
        ]

    def perform(self, work: Work[EventT], call_id: str) -> AsyncGenerator[EventT]:
        """Begin a work that another may interrupt, and stream its events."""
        performance = Performance(work)
        self._performance, self._performed = performance, call_id
        return performance.events()

    async def settle(self) -> None:
        """Wait until nothing is being said: SETTLE_S at most, enough for a cancelled call."""
        if self._performance is not None:
            await self._performance.wait(SETTLE_S)

    async def settle_call(self, call_id: str) -> None:
        """Wait for the end of what is being said, if it is said for the call of this id."""
        while call_id and self._performed == call_id and self._performance and self.busy:
            await self._performance.wait()

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

    def player(self, pseudonym: str) -> Player:
        """A player of the scene; "" = the only one. Raises UnknownMemberError."""
        if not pseudonym and len(self.players) == 1:
            return next(iter(self.players.values()))
        if not pseudonym:
            raise InvalidRequestError(
                "player_id is empty, and the scene has several players: say who"
            )
        if pseudonym not in self.players:
            raise UnknownMemberError("no player of this scene has this player_id; use Join")
        return self.players[pseudonym]

    def add_character(self, persona: Persona) -> Member:
        """Let a character in; one that was there before knows what it heard then.

        Raises InvalidRequestError.
        """
        if persona.id in self.members:
            raise InvalidRequestError(f"{persona.id} is in the scene; name each character once")
        if len(self.members) >= self.limits.characters:
            raise InvalidRequestError(f"a scene has at most {self.limits.characters} characters")
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

    def add_player(self, pseudonym: str, name: str, consent: bool) -> Player:
        """Let a player in. Raises InvalidRequestError."""
        if pseudonym in self.players:
            raise InvalidRequestError("a player_id is in the scene; name each player once")
        if len(self.players) == MAX_PLAYERS:
            raise InvalidRequestError(f"a scene has at most {MAX_PLAYERS} players")
        player = Player(pseudonym, self._name_for_player(name), consent)
        self.players[pseudonym] = player
        self.pseudonyms = tuple(dict.fromkeys((*self.pseudonyms, pseudonym)))
        if self.consent and not consent:
            self._withdraw_consent()
        return player

    def remove_player(self, pseudonym: str) -> Player:
        """Let a player go. Raises UnknownMemberError, and InvalidRequestError for the last."""
        player = self.player(pseudonym)
        if len(self.players) == 1:
            raise InvalidRequestError("this is the last player here; use EndScene")
        return self.players.pop(player.pseudonym)

    def forget(self, pseudonym: str) -> None:
        """Take out what a player said and was told, and all that was said behind it.

        Entries keep their places, since characters have heard up to one of them.
        """
        for member in (*self.members.values(), *self.former.values()):
            story = member.story
            story.exchanges = [one for one in story.exchanges if not _holds(one, pseudonym)]
            if session := member.sessions.pop(pseudonym, None):
                member.closed.append(session)
        self.entries = [
            entry.hushed
            if entry.player == pseudonym or (entry.exchange and _holds(entry.exchange, pseudonym))
            else entry
            for entry in self.entries
        ]
        self.players.pop(pseudonym, None)
        self.pseudonyms = tuple(one for one in self.pseudonyms if one != pseudonym)

    def report(self, world: Reported) -> None:
        """Take in how things stand. Raises InvalidRequestError, and takes nothing in then."""
        known = {**self.world, **world}
        for member in self._of_worlds():
            accepted_report(member.persona, known)
        self.world = known

    def state_for(self, member: Member) -> Values:
        """How things stand for a character, as far as it was reported."""
        return accepted_report(member.persona, self.world) if member.persona.setting else {}

    def standing_for(self, member: Member) -> Values:
        """How things stand for a character, as reported or else as its world declares."""
        told = member.story.situation.with_values(self.state_for(member))
        return told.state(member.persona.setting)

    def _of_worlds(self) -> list[Member]:
        """Those that have a world; all, if nobody has one."""
        members = list(self.members.values())
        return [one for one in members if one.persona.setting] or members

    def happen(self, text: str, seen_by: Iterable[str], call_id: str = "") -> Entry:
        """Let those characters see something that nobody says."""
        entry = Entry("", "", text, tuple(seen_by), call_id=call_id)
        self.entries.append(entry)
        return entry

    def set_before(self, member: Member) -> None:
        """Let a character see where it is, and with whom."""
        text, seen_by = self.surroundings(member), (member.character,)
        self.entries.append(Entry("", "", text, seen_by, to_one=True))

    def say(self, player: Player, text: str, heard_by: Sequence[str], call_id: str = "") -> Entry:
        """Let a player say something to those characters."""
        speaker = key_of(player.pseudonym)
        entry = Entry(
            speaker, player.name, text, tuple(heard_by), player.pseudonym, call_id=call_id
        )
        self.entries.append(entry)
        self.credited = player.pseudonym
        return entry

    def entries_of(self, call_id: str) -> list[Entry]:
        """What was said and happened because of the call with this id."""
        return [entry for entry in self.entries if call_id and entry.call_id == call_id]

    def add_line(
        self,
        member: Member,
        exchange: Exchange,
        heard_by: tuple[str, ...],
        spoken: Spoken,
        call_id: str,
    ) -> None:
        """Let a character have said something."""
        who, name = member.character, member.persona.name
        player = spoken.session.record.player_id
        self.entries.append(Entry(who, name, exchange, heard_by, player, call_id, spoken))

    def hush(self, line: Entry) -> None:
        """Let nobody read a line from now on."""
        self.entries = [
            replace(entry, hearers=()) if entry is line else entry for entry in self.entries
        ]

    def unsay(self, line: Entry) -> None:
        """Take back what nobody has heard; what came behind it keeps its place."""
        if self.entries[-1] is line:
            self.entries.pop()
            return
        self.entries = [entry.hushed if entry is line else entry for entry in self.entries]

    def note_end(self, call_id: str, why: str) -> None:
        """Remember that all was said for a call, so that it can be streamed again."""
        if call_id:
            self.calls[call_id] = why

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
        self,
        member: Member,
        player: Player,
        heard_by: tuple[str, ...],
        bid: Bid,
        room: int,
        size: Size,
        cued: Exchange | None = None,
    ) -> Exchange:
        """Open the exchange in which a character answers what it has heard.

        `cued` is what it speaks of instead, behind that; None = nothing.
        """
        heard = heard_since(self.entries, member.character, member.heard_to)[-MOST_HEARD:]
        overheard = _overheard(heard, player.pseudonym)
        only = next(iter(self.players)) if len(self.players) == 1 else ""
        if cued:
            lines = [entry.as_reported for entry in heard]
        else:
            lines = as_read(heard, key_of(only)) if heard else [direction(_SILENCE)]
        began = Exchange(
            "\n".join(newest_that_fit(lines, room, size)),
            hearers=heard_by,
            overheard=overheard,
            annotations=self._annotations(member, bid, overheard.words_of),
        )
        return behind(began, cued) if cued else began

    @property
    def stops(self) -> list[str]:
        """Texts that end a reply before it speaks for anybody."""
        return [f"\n{name}:" for name in self.names]

    def surroundings(self, member: Member) -> str:
        """Where a character finds itself, and with whom."""
        others = [name for name in self.names if name != member.persona.name]
        return f"You are {f'{self.place}, ' if self.place else ''}with {listing(others)}."

    def _annotations(self, member: Member, bid: Bid, words_of: Collection[str]) -> dict[str, JSON]:
        why: list[JSON] = [reason.because.value for reason in bid.reasons]
        players = {*words_of, *member.heard_players}
        heard: list[JSON] = [
            session.session_id for session in self.sessions if session.record.player_id in players
        ]
        about: dict[str, JSON] = {"character": member.character, "scene": self.scene_id}
        return {"speaker": {**about, "heard": heard, "why": why}}

    def _name_for_player(self, name: str) -> str:
        free = (nameless for nameless in _NAMELESS if nameless not in self.names)
        return check_player_name("name", name or next(free), self.names)

    def _withdraw_consent(self) -> None:
        """From now on nothing is trained on: what is said next belongs to other sessions."""
        self.consent = False
        for member in (*self.members.values(), *self.former.values()):
            member.close_sessions()


def behind(heard: Exchange, cued: Exchange) -> Exchange:
    """What a character speaks of, behind what it has heard before."""

    def after(text: str) -> str:
        return "\n".join(filter(None, (heard.player_text, text)))

    assert cued.cue is not None  # nobody says it
    cue = replace(cued.cue, asked=after(cued.cue.asked))
    return replace(heard, player_text=after(cued.player_text), cue=cue)


def key_of(pseudonym: str) -> str:
    """What names a player among speakers: no id of a character holds a blank."""
    return f"player {pseudonym}"


def _holds(exchange: Exchange, pseudonym: str) -> bool:
    """Whether words of a player, or an answer to them, are in an exchange."""
    return exchange.overheard is not None and pseudonym in exchange.overheard.words_of


def _overheard(heard: Sequence[Entry], own: str) -> Overheard:
    told = "\n".join(entry.text for entry in heard if entry.speaker == key_of(own))
    echoes = [entry.text for entry in heard if entry.exchange]
    words_of = dict.fromkeys([own, *(entry.player for entry in heard if entry.player)])
    return Overheard(own, told, tuple(echoes[-_ECHOES:]), tuple(words_of))
