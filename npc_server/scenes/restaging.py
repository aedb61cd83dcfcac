"""A scene as a save game has it, and a scene made of one again. Pure, but for the clock.

What characters said comes from their stored turns, everything else from the save. Who a player is
nobody learns from it: it names them by their pseudonyms.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from feedback_store.records import JSON, ActionReport, Turn
from feedback_store.records import Session as SessionRecord
from feedback_store.scene_records import (
    SavedExchange,
    SavedLine,
    SavedMember,
    SavedPlayer,
    SceneSave,
)
from npc_server.action_reports import unheard_reports
from npc_server.errors import UnknownCharacterError
from npc_server.save_games import lived_again, lived_exchange, new_token
from npc_server.scenes.limits import SceneLimits
from npc_server.scenes.scene import Member, Player, Scene, key_of
from npc_server.scenes.speaking_order import Because, Bid, Reason
from npc_server.scenes.transcript import Entry, Spoken
from npc_server.sessions import Exchange, Overheard, Session, Story
from personas.persona import Persona
from personas.situation import situation_of
from personas.triggers import fired_at_s, rested_s
from personas.variables import Value, Written


@dataclass(frozen=True)
class Stored:
    """What is kept of a scene beside its save."""

    sessions: Mapping[str, SessionRecord]  # by id
    turns: Mapping[str, Turn]  # by id
    reports: Sequence[ActionReport]  # on actions, of all its sessions


def save_of(scene: Scene) -> SceneSave:
    """A save of a scene in which nothing is being said."""
    return SceneSave(
        token=new_token(),
        scene_id=scene.scene_id,
        created_at=datetime.now(UTC),
        place=scene.place,
        players=tuple(
            SavedPlayer(one.pseudonym, one.name, one.consent) for one in scene.players.values()
        ),
        members=(
            *(_saved_member(one, here=True) for one in scene.members.values()),
            *(_saved_member(one, here=False) for one in scene.former.values()),
        ),
        lines=tuple(_saved_line(entry) for entry in scene.entries),
        ever=scene.pseudonyms,
        world={name: _saved_value(value) for name, value in scene.world.items()},
        consent=scene.consent,
        credited=scene.credited,
        calls=scene.calls,
        game=scene.game,
    )


def scene_of(
    save: SceneSave, stored: Stored, cast: Mapping[str, Persona], limits: SceneLimits
) -> Scene:
    """The scene as it was. Raises UnknownCheckpointError and UnknownCharacterError.

    A character that had left the scene, and is no longer in the cast, does not come back.
    """
    members = [
        _member(one, save, stored, cast)
        for one in save.members
        if one.here or one.character in cast
    ]
    here = [one.here for one in save.members if one.here or one.character in cast]
    by_place = list(zip(members, here, strict=True))
    return Scene(
        save.scene_id,
        save.place,
        members={one.character: one for one, there in by_place if there},
        players={one.player_id: _player(one) for one in save.players},
        former={one.character: one for one, there in by_place if not there},
        entries=_entries(save, members, stored),
        pseudonyms=save.ever,
        world={name: _value(value) for name, value in save.world.items()},
        consent=save.consent,
        credited=save.credited,
        calls=dict(save.calls),
        limits=limits,
        game=save.game,
    )


def _saved_member(member: Member, *, here: bool) -> SavedMember:
    return SavedMember(
        member.character,
        here,
        member.heard_to,
        tuple(_saved_exchange(one) for one in member.story.exchanges),
        {player: session.session_id for player, session in member.sessions.items()},
        member.story.situation.to_json(),
        rested_s(member.story.fired_at_s, time.monotonic()),
    )


def _saved_exchange(exchange: Exchange) -> SavedExchange:
    began = exchange.overheard
    assert began is not None  # as every exchange of a scene
    return SavedExchange(lived_exchange(exchange), began.told, began.echoes, began.words_of)


def _saved_line(entry: Entry) -> SavedLine:
    exchange, spoken = entry.exchange, entry.spoken
    return SavedLine(
        speaker=entry.speaker if spoken else "",
        player_id=entry.player,
        name=entry.name,
        text="" if exchange else entry.text,
        hearers=entry.hearers,
        turn_id=exchange.takes[0].turn_id if exchange else "",
        call_id=entry.call_id,
        session_id=spoken.session.session_id if spoken else "",
        why=tuple(_saved_reason(one) for one in spoken.bid.reasons) if spoken else (),
        to_one=entry.to_one,
    )


def _saved_reason(reason: Reason) -> Mapping[str, JSON]:
    return {"because": reason.because.value, "points": reason.points, "detail": reason.detail}


def _saved_value(value: Value | Written) -> JSON:
    return {"written": value.text} if isinstance(value, Written) else value


def _value(saved: JSON) -> Value | Written:
    if isinstance(saved, dict):
        return Written(str(saved["written"]))
    assert isinstance(saved, bool | int | float | str)
    return saved


def _player(saved: SavedPlayer) -> Player:
    return Player(saved.player_id, saved.name, saved.consent)


def _member(
    saved: SavedMember, save: SceneSave, stored: Stored, cast: Mapping[str, Persona]
) -> Member:
    persona = cast.get(saved.character)
    if persona is None:
        known = ", ".join(sorted(cast))
        raise UnknownCharacterError(
            f"the save game has {saved.character!r}, who is no longer in the cast; known: {known}"
        )
    lived = {turn_id for one in saved.exchanges for turn_id in one.lived.take_turn_ids}
    story = Story(
        [_exchange(one, save, stored) for one in saved.exchanges],
        situation_of(saved.situation),
        unheard_reports(lived, save.created_at, stored.turns.values(), stored.reports),
        fired_at_s=fired_at_s(persona.triggers, saved.rested_s, time.monotonic()),
    )
    open_ = {who: stored.sessions.get(id_) for who, id_ in saved.sessions.items()}
    sessions = {who: Session(one, persona, story) for who, one in open_.items() if one}
    return Member(persona, story, saved.heard_to, sessions)


def _exchange(saved: SavedExchange, save: SceneSave, stored: Stored) -> Exchange:
    exchange = lived_again(saved.lived, stored.turns, save.created_at)
    first = stored.turns[saved.lived.take_turn_ids[0]]
    exchange.overheard = Overheard(first.player_id, saved.told, saved.echoes, saved.words_of)
    speaker = first.annotations.get("speaker")
    exchange.annotations = {} if speaker is None else {"speaker": speaker}
    return exchange


def _entries(save: SceneSave, members: Sequence[Member], stored: Stored) -> list[Entry]:
    by_turn = {
        exchange.takes[0].turn_id: (member, exchange)
        for member in members
        for exchange in member.story.exchanges
    }
    return [_entry(line, by_turn, stored) for line in save.lines]


def _entry(
    line: SavedLine, by_turn: Mapping[str, tuple[Member, Exchange]], stored: Stored
) -> Entry:
    if not line.turn_id:
        speaker = key_of(line.player_id) if line.player_id else ""
        return Entry(
            speaker,
            line.name,
            line.text,
            line.hearers,
            line.player_id,
            line.call_id,
            to_one=line.to_one,
        )
    turn = stored.turns.get(line.turn_id)
    if line.turn_id not in by_turn:  # of one who has left the cast
        said = turn.reply_text if turn else ""
        return Entry(line.speaker, line.name, said, line.hearers, line.player_id, line.call_id)
    member, exchange = by_turn[line.turn_id]
    record = stored.sessions.get(line.session_id)
    session = member.sessions.get(line.player_id)
    if record and (session is None or session.session_id != line.session_id):
        session = Session(record, member.persona, member.story)
        member.closed.append(session)
    spoken = Spoken(session, _bid(line)) if session else None
    return Entry(
        line.speaker, line.name, exchange, line.hearers, line.player_id, line.call_id, spoken
    )


def _bid(line: SavedLine) -> Bid:
    reasons = (
        Reason(Because(str(one["because"])), float(str(one["points"])), str(one["detail"]))
        for one in line.why
    )
    return Bid(line.speaker, tuple(reasons))
