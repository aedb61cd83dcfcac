"""Pairs that no player stated: a liked reply over a disliked one to the very same prompt.

The two thumbs may be of different players and sessions. A reply counts as liked when more players
liked it than disliked it. A prompt gives at most two pairs, those with the clearest votes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, product

from feedback_store.selection.filters import fault
from feedback_store.selection.lessons import Labelled, Origin, Pair
from feedback_store.selection.near_text import normalised

MOST_PER_PROMPT = 2
WEIGHT = 0.5  # below a choice: nobody saw the two beside each other
_CANDIDATES = 4  # replies of each kind that are looked at, the clearest first


@dataclass(frozen=True)
class _Reply:
    """A reply that more players liked than disliked, or the other way round."""

    net: int
    label: Labelled  # one that says so


def opposite_thumbs(labels: Iterable[Labelled]) -> list[Pair]:
    """The pairs that standing thumbs make."""
    by_prompt: dict[tuple[object, ...], list[Labelled]] = defaultdict(list)
    for label in labels:
        if label.origin is Origin.THUMB:
            by_prompt[label.prompt_ids, label.player_text].append(label)
    return [pair for same in by_prompt.values() for pair in islice(_pairs(same), MOST_PER_PROMPT)]


def _pairs(labels: list[Labelled]) -> Iterator[Pair]:
    replies = _replies(labels)
    liked = [reply for reply in replies if reply.net > 0][:_CANDIDATES]
    disliked = [reply for reply in replies if reply.net < 0][:_CANDIDATES]
    clearest = sorted(
        product(liked, disliked),
        key=lambda two: (two[1].net - two[0].net, two[0].label.hash, two[1].label.hash),
    )
    pairs = (_pair(better.label, worse.label) for better, worse in clearest)
    return (pair for pair in pairs if fault(pair) is None)


def _replies(labels: list[Labelled]) -> list[_Reply]:
    by_text: dict[str, list[Labelled]] = defaultdict(list)
    for label in labels:
        by_text[normalised(label.completion)].append(label)
    replies = []
    for said in by_text.values():
        net = sum(1 if label.desirable else -1 for label in said)
        agreeing = [label for label in said if label.desirable == (net > 0)]
        replies.append(_Reply(net, min(agreeing, key=lambda label: label.hash)))
    return sorted(replies, key=lambda reply: (-abs(reply.net), reply.label.hash))


def _pair(liked: Labelled, disliked: Labelled) -> Pair:
    return Pair(
        prompt_ids=liked.prompt_ids,
        chosen=liked.completion,
        rejected=disliked.completion,
        origin=Origin.OPPOSITE_THUMBS,
        weight=WEIGHT,
        player_id=liked.player_id,
        session_id=liked.session_id,
        turn_id=liked.turn_id,
        player_text=liked.player_text,
        messages=liked.messages,
        event_id=liked.event_id,
        rejected_by="" if disliked.player_id == liked.player_id else disliked.player_id,
        held_out_by=liked.held_out_by,
    )
