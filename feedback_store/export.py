"""Players' reactions as lines of JSON: for analysis, and as TRL's trainers read them.

`reactions` is every event as it was stored, taken back ones too. Of a session without training
consent only the figures leave the store: its texts are blank. Other formats hold what training
would see, row for row, in TRL's conversational columns; ours stand beside them. No column is ever
null or an empty list, so that readers that guess a column's type from its first rows guess right:
what a kind of event does not have is "", false or 0, and a list of nothing holds one "".

`person` and `scene_words` are all that is kept of one player, for them to have: their words with
and without consent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # a command that only names the formats loads nothing
    from sqlite_utils import Database

    from feedback_store.selection import Edited, Labelled, Messages, Pair, Snapshot

Line: TypeAlias = dict[str, Any]


class Format(StrEnum):
    """What a line is."""

    JSONL = "jsonl"
    """An event with its turn."""
    DPO = "dpo"
    """A prompt, the chosen and the rejected reply."""
    KTO = "kto"
    """A prompt, a reply, and whether it is good."""
    SFT = "sft"
    """A prompt and the reply a player wrote."""
    JSON = "json"
    """One document of all that is kept of a player."""


class Split(StrEnum):
    """Which side of the selection."""

    TRAIN = "train"
    """What is trained on."""
    HELD_OUT = "held-out"
    """What judges the trained version."""
    ALL = "all"
    """Both; the column `split` tells them apart."""


REACTIONS = """
SELECT event_id, events.game, events.character, events.session_id, turn_id, events.player_id, kind,
       source, payload, events.created_at, received_at,
       coalesce(occurred_at, events.created_at) AS occurred_at, undone_at IS NOT NULL AS undone,
       sessions.consent, rolled_back, turns.persona_version, adapter_version, take, finish_reason,
       player_text, reply_text
FROM events LEFT JOIN turns USING (turn_id)
     LEFT JOIN sessions ON sessions.session_id = events.session_id
WHERE events.character = ? ORDER BY events.created_at
"""
_TEXTS = ("player_text", "reply_text")
_WORDS = (*_TEXTS, "text")  # not exported without consent
_SESSIONS = """
SELECT session_id, game, character, player_id, persona_version, consent, started_at, memory,
       present
FROM sessions
WHERE player_id = :player AND :character IN ('', character) ORDER BY started_at, session_id
"""
_TURNS = """
SELECT turn_id, created_at, player_text, reply_text, take, adapter_version, finish_reason,
       rolled_back
FROM turns WHERE session_id = :session ORDER BY created_at, turn_id
"""
_EVENTS = """
SELECT event_id, turn_id, kind, source, payload, coalesce(occurred_at, created_at) AS occurred_at,
       created_at, received_at, coalesce(undone_at, '') AS undone_at
FROM events WHERE turn_id IN (SELECT turn_id FROM turns WHERE session_id = :session)
   OR (turn_id IS NULL AND session_id = :session)
ORDER BY coalesce(occurred_at, created_at), created_at, event_id
"""
# Not the token: who has it may go back to the save.
_SAVES = """
SELECT created_at, exchanges FROM checkpoints WHERE session_id = :session ORDER BY created_at
"""
_SCENE_SAVES = """
SELECT scene_id, created_at, state FROM scene_saves WHERE EXISTS (
    SELECT 1 FROM json_each(players) AS player WHERE player.value = ?
) ORDER BY created_at, scene_id
"""
_REPORTS = """
SELECT turn_id, text, reported_at FROM action_reports
WHERE session_id = :session ORDER BY reported_at, turn_id
"""
_STATEMENTS = """
SELECT statement_id, turn_id, character, topic, text, finder, told_at, rolled_back FROM statements
WHERE session_id = :session ORDER BY told_at, statement_id
"""
_SUMMARIES = """
SELECT summary_id, turn_ids, character, text, made_at, rolled_back FROM summaries
WHERE session_id = :session ORDER BY made_at, summary_id
"""
#: What a payload may have, and what stands for it where an event has none.
_PAYLOAD: Mapping[str, Any] = {
    "up": False,
    "reasons": [""],
    "over_turn_ids": [""],
    "kept_position": 0,
    "text": "",
    "stars": 0,
    "success": False,
    "name": "",
    "sign": "",
}
_OF_A_TURN = ("turn_id", "persona_version", "adapter_version", "finish_reason", *_TEXTS)
_FLAGS = ("undone", "consent", "rolled_back")


def line(row: Line) -> str:
    """A row as one line of JSON, without its end."""
    return json.dumps(row, separators=(",", ":"), allow_nan=False)


def reactions(db: Database, character: str) -> Iterator[Line]:
    """All events about a character in order of arrival, read from the disk as they are taken."""
    for row in db.query(REACTIONS, [character]):
        yield _reaction(row)


def person(db: Database, player_id: str, character: str = "") -> Iterator[Line]:
    """All that is kept of a player, a session a line, oldest first; "" = of all characters."""
    for session in db.query(_SESSIONS, {"player": player_id, "character": character}):
        own = {"session": session["session_id"]}
        turns = [_with_flag(row, "rolled_back") for row in db.query(_TURNS, own)]
        events = [_event_of_person(row) for row in db.query(_EVENTS, own)]
        saves = [_save_of_person(row) for row in db.query(_SAVES, own)]
        reports = list(db.query(_REPORTS, own))
        flat = _with_flag({**session, "present": json.loads(session["present"])}, "consent")
        remembered = {"statements": _statements(db, own), "summaries": _summaries(db, own)}
        happened = {"turns": turns, "events": events, "action_reports": reports}
        yield {**flat, **happened, "save_games": saves, **remembered}


def scene_words(db: Database, player_id: str, character: str = "") -> Iterator[Line]:
    """What save games of scenes repeat of a player, a save a line, oldest first.

    Only they have a line that nobody answered. "" as the character = whoever heard it.
    """
    for row in db.query(_SCENE_SAVES, [player_id]):
        state = json.loads(row.pop("state"))
        names = [one["name"] for one in state["players"] if one["player_id"] == player_id]
        own = [one for one in state["lines"] if one["player_id"] == player_id]
        lines = [
            {"text": one["text"], "heard_by": one["hearers"]}
            for one in own
            if not one["speaker"] and (not character or character in one["hearers"])
        ]
        if lines or (names and not character):
            yield {**row, "player_id": player_id, "name": "".join(names), "lines": lines}


def _statements(db: Database, of: dict[str, str]) -> list[Line]:
    return [_with_flag(row, "rolled_back") for row in db.query(_STATEMENTS, of)]


def _summaries(db: Database, of: dict[str, str]) -> list[Line]:
    rows = (_with_flag(row, "rolled_back") for row in db.query(_SUMMARIES, of))
    return [{**row, "turn_ids": json.loads(row["turn_ids"])} for row in rows]


def _with_flag(row: Line, flag: str) -> Line:
    return {**row, flag: bool(row[flag])}


def _event_of_person(row: Line) -> Line:
    return {**row, "turn_id": row["turn_id"] or "", "payload": json.loads(row["payload"])}


def _save_of_person(row: Line) -> Line:
    return {**row, "exchanges": json.loads(row["exchanges"])}


def lessons(snapshot: Snapshot, form: Format, split: Split) -> Iterator[Line]:
    """What training would see, as the trainer of that method reads it.

    Raises ValueError for the format of events, which no selection makes.
    """
    for held_out, rows in _sides(snapshot, form):
        if split in (Split.ALL, Split.HELD_OUT if held_out else Split.TRAIN):
            yield from (_lesson(snapshot.character, row) for row in rows)


def _sides(
    snapshot: Snapshot, form: Format
) -> tuple[tuple[bool, tuple[Pair | Labelled | Edited, ...]], ...]:
    match form:
        case Format.DPO:
            return (False, snapshot.train_pairs), (True, snapshot.held_out_pairs)
        case Format.KTO:
            return (False, snapshot.train_labels), (True, snapshot.held_out_labels)
        case Format.SFT:
            return (False, snapshot.train_edits), (True, snapshot.held_out_edits)
        case Format.JSONL | Format.JSON:
            raise ValueError("what is stored is not selected: use `reactions` or `person`")


def _lesson(character: str, row: Pair | Labelled | Edited) -> Line:
    from feedback_store.selection import Edited

    return {
        **_columns(row),
        "weight": row.weight,
        "origin": "edit" if isinstance(row, Edited) else row.origin.value,
        "split": "held_out" if row.held_out_by else "train",
        "held_out_by": row.held_out_by.value if row.held_out_by else "",
        "character": character,
        "player_id": row.player_id,
        "session_id": row.session_id,
        "turn_id": row.turn_id,
    }


def _columns(row: Pair | Labelled | Edited) -> Line:
    from feedback_store.selection import Edited, Labelled, Pair

    prompt = _conversation(row.messages)
    match row:
        case Pair(chosen=chosen, rejected=rejected):
            return {"prompt": prompt, "chosen": _reply(chosen), "rejected": _reply(rejected)}
        case Labelled(completion=completion, desirable=desirable):
            return {"prompt": prompt, "completion": _reply(completion), "label": desirable}
        case Edited(completion=completion):
            return {"prompt": prompt, "completion": _reply(completion)}


def _conversation(messages: Messages) -> list[dict[str, str]]:
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def _reply(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def _reaction(row: Mapping[str, Any]) -> Line:
    payload = json.loads(row["payload"])
    flat = {
        **{name: value for name, value in row.items() if name != "payload"},
        **{name: row[name] or "" for name in _OF_A_TURN},  # an event of a session has none
        "take": row["take"] or 0,
        **{name: bool(row[name]) for name in _FLAGS},
        **{name: payload.get(name) or nothing for name, nothing in _PAYLOAD.items()},
    }
    return flat if row["consent"] else {**flat, **dict.fromkeys(_WORDS, "")}
