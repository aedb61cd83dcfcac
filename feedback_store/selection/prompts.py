"""Prompts whose replies were judged, the most disputed first: there the most is to be learned by a
training that draws new replies. None does today; the prompts are only counted.

A reply's reward is the mean of its votes, each as heavy as its row; a prompt's are
the mean and the variance over its replies.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

from feedback_store.selection.lessons import Labelled, Origin, Pair, Prompt
from feedback_store.selection.near_text import normalised

_OWN_WORDS = (Origin.EDIT,)  # the chosen text is a player's, not a reply


def prompts(rows: Iterable[Pair | Labelled]) -> tuple[Prompt, ...]:
    """One row per distinct prompt, highest variance first."""
    by_prompt: dict[tuple[int, ...], list[Pair | Labelled]] = defaultdict(list)
    for row in rows:
        if row.origin is not Origin.OPPOSITE_THUMBS:  # its thumbs are rows of their own
            by_prompt[row.prompt_ids].append(row)
    found = [_prompt(same) for same in by_prompt.values()]
    return tuple(sorted(found, key=lambda prompt: (-prompt.reward_variance, prompt.hash)))


def _prompt(rows: Sequence[Pair | Labelled]) -> Prompt:
    first = min(rows, key=lambda row: row.hash)
    judged: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for reply, reward in _judgements(row):
            judged[normalised(reply)].append(reward)
    rewards = [fmean(given) for given in judged.values()]  # exact, so the same in any order
    mean = fmean(rewards)
    return Prompt(
        prompt_ids=first.prompt_ids,
        player_text=first.player_text,
        messages=first.messages,
        reward_mean=mean,
        reward_variance=fmean((reward - mean) ** 2 for reward in rewards),
        judgements=sum(map(len, judged.values())),
    )


def _judgements(row: Pair | Labelled) -> Iterator[tuple[str, float]]:
    match row:
        case Labelled(completion=completion, desirable=desirable, weight=weight):
            yield completion, weight if desirable else -weight
        case Pair(chosen=chosen, rejected=rejected, weight=weight, origin=origin):
            yield rejected, -weight
            if origin not in _OWN_WORDS:
                yield chosen, weight
