"""Earlier good replies, trained on again beside new edits: supervised training else forgets them.

An edit says what a reply should have been; learned alone, a handful of them drowns what the
character already did well. So replies that players liked unchanged are learned again, the most
trusted first. A reply is left out when a player rewrote it or disliked it, or when it is an edit
already: opinions on a replayed reply must not differ. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from feedback_store.selection import Edited, Labelled, Origin, Pair, Snapshot, normalised

ReplyKey = tuple[tuple[int, ...], str]  # a prompt and the normalised reply to it


@dataclass(frozen=True)
class LikedReply:
    """A reply that a player liked unchanged."""

    prompt_ids: tuple[int, ...]
    completion: str
    weight: float  # in (0, 1], how far the evidence is to be trusted


@dataclass(frozen=True)
class Rows:
    """The rows of supervised training: replies that players wrote, and replies that they liked."""

    edits: tuple[Edited, ...]
    liked: tuple[LikedReply, ...] = ()  # in the order in which they are taken

    def __len__(self) -> int:
        return len(self.edits) + len(self.liked)


def rows_of(snapshot: Snapshot) -> Rows:
    """The rows that supervised training takes from one character's feedback."""
    return Rows(snapshot.train_edits, liked_replies(snapshot))


def liked_replies(snapshot: Snapshot) -> tuple[LikedReply, ...]:
    """The training side's undisputed good replies, each once, the most trusted first."""
    left_out = _disputed_replies(snapshot)
    best: dict[ReplyKey, LikedReply] = {}
    for row in _good(snapshot):
        key = _key(row.prompt_ids, row.completion)
        if key not in left_out and (key not in best or best[key].weight < row.weight):
            best[key] = row
    # A snapshot's rows are ordered by content, so players and lines stay mixed within a weight.
    return tuple(sorted(best.values(), key=lambda row: -row.weight))


def counts(own: int, shares: Sequence[float]) -> tuple[int, ...]:
    """How many rows make up each of the `shares` of all when `own` rows make up the rest.

    The shares add up to less than 1.
    """
    every = own / (1 - sum(shares))
    return tuple(round(every * share) for share in shares)


def _good(snapshot: Snapshot) -> Iterable[LikedReply]:
    for label in snapshot.train_labels:
        if label.desirable:
            yield LikedReply(label.prompt_ids, label.completion, label.weight)
    for pair in snapshot.train_pairs:
        if pair.origin is not Origin.EDIT:
            yield LikedReply(pair.prompt_ids, pair.chosen, pair.weight)


def _disputed_replies(snapshot: Snapshot) -> set[ReplyKey]:
    labels, pairs, edits = snapshot.train_labels, snapshot.train_pairs, snapshot.train_edits
    return {
        *(_disliked_reply(row) for row in labels if not row.desirable),
        *(_disliked_reply(row) for row in pairs),
        *(_key(row.prompt_ids, row.completion) for row in edits),
    }


def _disliked_reply(row: Labelled | Pair) -> ReplyKey:
    text = row.rejected if isinstance(row, Pair) else row.completion
    return _key(row.prompt_ids, text)


def _key(prompt_ids: tuple[int, ...], text: str) -> ReplyKey:
    return prompt_ids, normalised(text)
