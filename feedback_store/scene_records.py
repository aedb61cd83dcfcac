"""A save game of a scene, as plain data: who was in it, what was said, and who heard it.

What characters said is in their turns; a save names them. What players said, and what happened, is
repeated here, since a line belongs to no turn until somebody has answered it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from feedback_store.records import DEFAULT_GAME, JSON, LivedExchange


@dataclass(frozen=True)
class SavedPlayer:
    """A player who was there."""

    player_id: str  # a pseudonym
    name: str  # as characters call them
    consent: bool


@dataclass(frozen=True)
class SavedLine:
    """One line of the transcript, or one thing that happened."""

    speaker: str  # id of a character; "" = of a player, or nobody says it
    player_id: str  # who says it, or whom the character answers; "" = nobody
    name: str  # of the speaker, as others call them
    text: str  # "" = of a character, whose turn has it
    hearers: tuple[str, ...]
    turn_id: str = ""  # the first take of a character's line; "" = it is no such line
    call_id: str = ""  # of the call that it came with; "" = it had none
    session_id: str = ""  # that a character's line is recorded in
    why: tuple[Mapping[str, JSON], ...] = ()  # the character spoke
    to_one: bool = False  # it tells one character where it is


HUSHED = SavedLine("", "", "", "", ())  # in place of a line that nobody is to read any more


@dataclass(frozen=True)
class SavedExchange:
    """An exchange of a character, and what began it."""

    lived: LivedExchange
    told: str  # by the player whom the character answers; "" = others spoke
    echoes: tuple[str, ...]  # what other characters said in it
    words_of: tuple[str, ...]  # pseudonyms of the players who speak or are answered in it


@dataclass(frozen=True)
class SavedMember:
    """A character that was there, or had been."""

    character: str
    here: bool
    heard_to: int  # of the lines; those before are in its exchanges
    exchanges: tuple[SavedExchange, ...] = ()
    sessions: Mapping[str, str] = field(default_factory=dict)  # ids by player
    situation: Mapping[str, JSON] = field(default_factory=dict)
    rested_s: Mapping[str, float] = field(default_factory=dict)  # since triggers fired


@dataclass(frozen=True)
class SceneSave:
    """A point in a scene that a save game leads back to."""

    token: str  # grants going back, so it cannot be guessed
    scene_id: str
    created_at: datetime
    place: str
    players: tuple[SavedPlayer, ...]  # in the order in which they came
    members: tuple[SavedMember, ...]
    lines: tuple[SavedLine, ...]
    ever: tuple[str, ...]  # pseudonyms of all players who were ever in it
    world: Mapping[str, JSON]  # as its game reported it
    consent: bool
    credited: str  # pseudonym of the player who spoke last; "" = nobody has
    calls: Mapping[str, str] = field(default_factory=dict)  # those that ended, and why
    game: str = DEFAULT_GAME

    @property
    def turn_ids(self) -> list[str]:
        """All turns that its players had lived through."""
        exchanges = (one.lived for member in self.members for one in member.exchanges)
        return [turn_id for lived in exchanges for turn_id in lived.take_turn_ids]


def without_player(save: SceneSave, player_id: str) -> SceneSave:
    """The save without what a player said and was told, and without all that was said behind it.

    What they said is in the prompts of characters that heard it. Lines keep their places, since
    characters have heard up to one of them.
    """
    gone = {
        one.lived.take_turn_ids[0]
        for member in save.members
        for one in member.exchanges
        if player_id in one.words_of
    }
    return replace(
        save,
        players=tuple(one for one in save.players if one.player_id != player_id),
        members=tuple(_member_without(member, player_id) for member in save.members),
        lines=tuple(
            HUSHED if line.player_id == player_id or line.turn_id in gone else line
            for line in save.lines
        ),
        ever=tuple(one for one in save.ever if one != player_id),
        credited="" if save.credited == player_id else save.credited,
    )


def _member_without(member: SavedMember, player_id: str) -> SavedMember:
    return replace(
        member,
        exchanges=tuple(one for one in member.exchanges if player_id not in one.words_of),
        sessions={who: id_ for who, id_ in member.sessions.items() if who != player_id},
    )
