"""Rows as the feedback store would select them, for a model that reads bytes."""

from dataclasses import replace
from typing import Any

from feedback_store.selection import Edited, Labelled, Origin, Pair, Snapshot
from personas.render import Message, Tokenizer, message_ids

PERSONA = "You are Mira, a smith. You speak plainly and know iron, fire and the harbour."


def prompt_ids(player_text: str, tokenizer: Tokenizer) -> tuple[int, ...]:
    said = (Message("system", PERSONA), Message("user", player_text))
    return message_ids(said, tokenizer)


def pair(index: int, tokenizer: Tokenizer) -> Pair:
    line = f"What of number {index}?"
    return Pair(
        prompt_ids=prompt_ids(line, tokenizer),
        chosen=f"Iron {index}, stranger.",
        rejected=f"Oh well, let me see, number {index} is a very long story indeed" + "." * index,
        origin=Origin.EDIT,
        weight=1.0,
        player_id=f"player-{index % 5}",
        session_id=f"session-{index}",
        turn_id=f"turn-{index}",
        player_text=line,
        messages=({"role": "user", "content": line},),
        event_id=f"event-{index}",
    )


def pairs(count: int, tokenizer: Tokenizer) -> list[Pair]:
    return [pair(index, tokenizer) for index in range(count)]


def edited(index: int, tokenizer: Tokenizer) -> Edited:
    source = pair(index, tokenizer)
    return Edited(completion=source.chosen, weight=source.weight, **_turn_columns(source))


def edits(count: int, tokenizer: Tokenizer) -> tuple[Edited, ...]:
    return tuple(edited(index, tokenizer) for index in range(count))


def labelled(index: int, desirable: bool, tokenizer: Tokenizer) -> Labelled:
    source = pair(index, tokenizer)
    return Labelled(
        completion=source.chosen if desirable else source.rejected,
        desirable=desirable,
        origin=Origin.THUMB,
        weight=0.7,
        **_turn_columns(source),
    )


def _turn_columns(source: Pair) -> dict[str, Any]:
    """What rows of the same turn have in common."""
    names = ("prompt_ids", "player_id", "session_id", "turn_id", "player_text", "messages")
    return {name: getattr(source, name) for name in (*names, "event_id")}


def thumbs(good: int, bad: int, tokenizer: Tokenizer) -> list[Labelled]:
    return [labelled(index, index < good, tokenizer) for index in range(good + bad)]


def snapshot(tokenizer: Tokenizer, **sizes: int) -> Snapshot:
    """A snapshot with these numbers of `pairs`, `held_out_pairs`, `good`, `bad`, ... rows."""
    held_out = sizes.get("held_out_thumbs", 0)
    return Snapshot(
        character="mira",
        train_pairs=tuple(pairs(sizes.get("pairs", 0), tokenizer)),
        held_out_pairs=tuple(pairs(sizes.get("held_out_pairs", 0), tokenizer)),
        train_labels=tuple(thumbs(sizes.get("good", 0), sizes.get("bad", 0), tokenizer)),
        held_out_labels=tuple(thumbs(held_out // 2, held_out - held_out // 2, tokenizer)),
        train_edits=edits(sizes.get("edits", 0), tokenizer),
        held_out_edits=(),
        train_prompts=(),
        held_out_prompts=(),
        dropped={},
        left_out={},
        discounted_players=(),
        discounted_rows=0,
        hash="0" * 64,
    )


def of_one_player(rows: tuple[Pair, ...]) -> tuple[Pair, ...]:
    return tuple(replace(row, player_id="the only one") for row in rows)
