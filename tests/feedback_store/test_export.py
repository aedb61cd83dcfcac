"""Exports: row for row what training would see, in the form its readers load."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset  # type: ignore[import-untyped]  # ships no types

from feedback_store.export import Format, Split, lessons, line
from feedback_store.records import (
    Checkpoint,
    Choice,
    Edit,
    LivedExchange,
    Outcome,
    Rating,
    Reaction,
    Reason,
    Session,
    Thumb,
    Turn,
)
from feedback_store.selection import Snapshot, select
from feedback_store.store import Store

MakeReaction = Callable[..., Reaction]
PLAYERS = 24


@pytest.fixture
def snapshot(store: Store, session: Session, turn: Turn) -> Snapshot:
    """Many players, each with a line of their own, a correction and a thumb."""
    for number in range(PLAYERS):
        _visit(store, session, turn, number)
    return select("mira", store.turns("mira"), store.events("mira"))


def _visit(store: Store, session: Session, turn: Turn, number: int) -> None:
    player, at = f"player-{number}", turn.created_at + timedelta(hours=number)
    word = _WORDS[number]
    store.record_session(replace(session, session_id=f"v{number}", player_id=player)).result()
    for part, reply in enumerate((f"Ask the {word} yourself.", f"No {word} ever came here.")):
        said = replace(
            turn,
            turn_id=f"v{number}-{part}",
            first_turn_id=f"v{number}-{part}",
            session_id=f"v{number}",
            player_id=player,
            player_text=f"Where is the {word} {part}?",
            reply_text=reply,
            prompt_ids=(number, part),
            created_at=at,
        )
        store.record_turn(said).result()
    _send(store, f"edit-{number}", Edit(f"The {word}? Past the mill."), f"v{number}-0", at)
    _send(store, f"thumb-{number}", Thumb(number % 2 == 0), f"v{number}-1", at)


_LINE = (
    "dragon smith abbot harbour lantern orchard mountain ferryman wedding compass thief goose "
    "candle bridge tavern wolf sailor windmill treasure hermit bakery fiddler dungeon crown"
)
_WORDS = _LINE.split()


def _send(store: Store, event_id: str, payload: Any, turn_id: str, at: datetime) -> None:
    store.submit(Reaction(event_id, payload, at, turn_id=turn_id)).result()


@pytest.mark.parametrize(
    ("form", "columns"),
    [
        (Format.DPO, {"prompt", "chosen", "rejected"}),
        (Format.KTO, {"prompt", "completion", "label"}),
        (Format.SFT, {"prompt", "completion"}),
    ],
    ids=["dpo", "kto", "sft"],
)
def test_rows_load_as_trl_wants_them_one_for_each_of_the_snapshot(
    snapshot: Snapshot, tmp_path: Path, form: Format, columns: set[str]
) -> None:
    table = _loaded(snapshot, form, Split.ALL, tmp_path)
    train, held_out = _sides(snapshot, form)
    assert train
    assert held_out
    assert table["split"].count("train") == len(train)
    assert table["split"].count("held_out") == len(held_out)
    assert columns <= set(table)
    messages = [message for name in columns - {"label"} for message in table[name][0]]
    assert {frozenset(message) for message in messages} == {frozenset({"role", "content"})}


@pytest.mark.parametrize("form", [Format.DPO, Format.KTO, Format.SFT], ids=str)
def test_a_split_is_one_side(snapshot: Snapshot, form: Format) -> None:
    train, held_out = _sides(snapshot, form)
    turns = [
        {row["turn_id"] for row in lessons(snapshot, form, side)}
        for side in (Split.TRAIN, Split.HELD_OUT)
    ]
    assert turns == [{row.turn_id for row in rows} for rows in (train, held_out)]


def test_a_pair_tells_where_it_comes_from(snapshot: Snapshot) -> None:
    row, pair = next(lessons(snapshot, Format.DPO, Split.TRAIN)), snapshot.train_pairs[0]
    assert row["prompt"] == list(pair.messages)
    assert row["chosen"] == [{"role": "assistant", "content": pair.chosen}]
    assert (row["origin"], row["weight"], row["player_id"]) == ("edit", 1.0, pair.player_id)


def test_every_column_of_every_row_has_a_value(snapshot: Snapshot) -> None:
    rows = lessons(snapshot, Format.DPO, Split.ALL)
    assert all(value is not None for row in rows for value in row.values())


def test_events_come_with_their_turns_undone_ones_marked(
    store: Store, make_reaction: MakeReaction
) -> None:
    store.submit(make_reaction(Thumb(True))).result()
    store.undo("e1").result()
    (row,) = store.reactions("mira")
    assert (row["kind"], row["up"], row["undone"], row["consent"]) == ("thumb", True, True, True)
    assert (row["reply_text"], row["adapter_version"]) == (
        "Past the mill, dear.",
        "v0001-3fa91c2b",
    )


def test_an_event_of_a_whole_session_has_no_turn(store: Store, make_reaction: MakeReaction) -> None:
    store.submit(make_reaction(Outcome(True, "chapel"), turn_id="", session_id="s1")).result()
    (row,) = store.reactions("mira")
    assert (row["turn_id"], row["rolled_back"], row["success"]) == ("", False, True)


def test_a_choice_tells_where_the_kept_reply_stood(
    store: Store, turn: Turn, make_reaction: MakeReaction
) -> None:
    store.record_turn(replace(turn, turn_id="t2", take=2)).result()
    store.submit(make_reaction(Choice(("t2",), kept_position=2))).result()
    (row,) = store.reactions("mira")
    assert (row["over_turn_ids"], row["kept_position"]) == (["t2"], 2)


def test_without_consent_no_word_leaves_the_store(
    store: Store, session: Session, turn: Turn, make_reaction: MakeReaction
) -> None:
    store.record_session(replace(session, session_id="s2", consent=False)).result()
    store.record_turn(replace(turn, turn_id="t2", session_id="s2", consent=False)).result()
    store.submit(make_reaction(Edit("No, dear."), turn_id="t2")).result()
    (row,) = store.reactions("mira")
    assert (row["kind"], row["consent"]) == ("edit", False)
    assert not {"No, dear.", turn.player_text, turn.reply_text} & set(map(str, row.values()))


def test_a_line_is_one_line_whatever_was_said(store: Store, make_reaction: MakeReaction) -> None:
    store.submit(make_reaction(Edit("one\ntwo\u2028three\x00🐉"))).result()
    (row,) = store.reactions("mira")
    assert len(line(row).splitlines()) == 1
    assert json.loads(line(row))["text"] == "one\ntwo\u2028three\x00🐉"


def _loaded(snapshot: Snapshot, form: Format, split: Split, folder: Path) -> dict[str, list[Any]]:
    file = folder / "rows.jsonl"
    file.write_text("".join(line(row) + "\n" for row in lessons(snapshot, form, split)))
    cache = str(folder / "cache")
    table = load_dataset("json", data_files=str(file), split="train", cache_dir=cache)
    return {name: list(table[name]) for name in table.column_names}


def _sides(snapshot: Snapshot, form: Format) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    match form:
        case Format.DPO:
            return snapshot.train_pairs, snapshot.held_out_pairs
        case Format.KTO:
            return snapshot.train_labels, snapshot.held_out_labels
        case _:
            return snapshot.train_edits, snapshot.held_out_edits


def test_events_of_any_number_and_order_load_with_one_type_a_column(
    store: Store, turn: Turn, make_reaction: MakeReaction, tmp_path: Path
) -> None:
    long = replace(turn, turn_id="long", reply_text="A long story. " * 200)
    store.record_turn(long).result()
    store.record_turn(replace(turn, turn_id="t2", take=2)).result()
    votes = [make_reaction(Thumb(True), event_id=f"v{i}", turn_id="long") for i in range(5000)]
    store.submit_all(votes).result()
    later = [
        make_reaction(Thumb(False, (Reason.BORING,)), event_id="z1"),
        make_reaction(Edit("No, dear."), event_id="z2"),
        make_reaction(Choice(("t2",), 2), event_id="z3"),
        make_reaction(Rating(4), event_id="z4"),
        make_reaction(Outcome(True, "chapel"), event_id="z5", turn_id="", session_id="s1"),
    ]
    for number, event in enumerate(later, 1):
        created_at = event.created_at + timedelta(hours=number)
        store.submit(replace(event, created_at=created_at)).result()
    file = tmp_path / "events.jsonl"
    file.write_text("".join(line(row) + "\n" for row in store.reactions("mira")))
    assert file.stat().st_size > 12_000_000  # more than a reader takes at once
    table = load_dataset("json", data_files=str(file), cache_dir=str(tmp_path / "cache"))["train"]
    assert len(table) == 5005
    last = table[5000:]
    assert last["reasons"][0] == ["boring"]
    assert (last["text"][1], last["over_turn_ids"][2], last["stars"][3]) == ("No, dear.", ["t2"], 4)
    assert (last["turn_id"][4], last["name"][4], last["success"][4]) == ("", "chapel", True)


def test_no_column_of_an_event_is_null(store: Store, make_reaction: MakeReaction) -> None:
    for number, payload in enumerate((Thumb(True), Edit("No."), Rating(1))):
        store.submit(make_reaction(payload, event_id=f"e{number}")).result()
    store.submit(make_reaction(Outcome(True, "x"), "o", turn_id="", session_id="s1")).result()
    rows = list(store.reactions("mira"))
    assert [row for row in rows if None in row.values() or [] in row.values()] == []
    assert len({tuple(map(type, row.values())) for row in rows}) == 1


def test_a_player_gets_all_that_is_kept_of_them_and_nothing_of_others(
    store: Store, session: Session, turn: Turn, make_reaction: MakeReaction
) -> None:
    own, others = (replace(session, session_id=name, player_id=name) for name in ("own", "other"))
    for one in (replace(own, consent=False), others):
        store.record_session(one).result()
        said = replace(turn, turn_id=f"t-{one.session_id}", session_id=one.session_id)
        said = replace(said, player_id=one.player_id, consent=one.consent)
        store.record_turn(said).result()
        event = make_reaction(Edit("No."), event_id=f"e-{one.session_id}", turn_id=said.turn_id)
        store.submit(event).result()
    outcome = make_reaction(Outcome(True, "x"), event_id="o", turn_id="", session_id="own")
    store.submit(outcome).result()
    lived = (LivedExchange(("t-own",), "t-own", "No."),)
    store.record_checkpoint(Checkpoint("secret-token", "own", lived, turn.created_at)).result()
    (kept,) = store.person("own")
    assert kept["consent"] is False
    assert kept["turns"][0]["player_text"] == turn.player_text
    assert [event["event_id"] for event in kept["events"]] == ["e-own", "o"]
    assert kept["events"][0]["payload"] == {"text": "No."}
    assert kept["save_games"][0]["exchanges"][0]["text"] == "No."
    assert "secret-token" not in json.dumps(kept)
    assert "other" not in json.dumps(kept)
    assert list(store.person("own", "orsolo")) == []
