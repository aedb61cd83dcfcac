"""Which rows are trained on and which are kept to judge by: before anything looks across rows.

A session is whole on one side. Held out are the sessions of players who are held out, by a hash of
their id, so that the same ones stay unseen by every training, and the newest sessions of the
others, since tomorrow's players are more like today's than like last year's. A line that was said
on both sides is on one side only: lines that are nearly alike, or led to the same prompt, go
together, and a hash of the first of them tells where. So common lines are shared out instead of
being lost to training, or to the judges.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

from feedback_store.records import Turn
from feedback_store.selection.lessons import Drop, Dropped, HeldOutBy, Labelled, Pair
from feedback_store.selection.near_text import line_key, neighbours
from feedback_store.selection.rules import Rules

StatedRow = Pair | Labelled


@dataclass(frozen=True)
class Sides:
    """The rows of both sides, and those whose line belongs to the other one."""

    train: list[StatedRow]
    held_out: list[StatedRow]
    dropped: list[Dropped]


def split(rows: Sequence[StatedRow], turns: Iterable[Turn], rules: Rules) -> Sides:
    """Divide the rows, whose turns are among those given."""
    unseen = {row.session_id for row in rows if is_held_out(row.player_id, rules.held_out_share)}
    others = {row.session_id for row in rows} - unseen
    lived = (turn for turn in turns if turn.consent and not turn.rolled_back)
    recent = _newest(others, _began_at(lived), rules.recent_share)
    train = [row for row in rows if row.session_id not in unseen | recent]
    by_time = [row for row in rows if row.session_id in recent]
    by_player = [row for row in rows if row.session_id in unseen]
    held_out = [
        *(replace(row, held_out_by=HeldOutBy.TIME) for row in by_time),
        *(replace(row, held_out_by=HeldOutBy.PLAYER) for row in by_player),
    ]
    return _disjoint(train, held_out, rules.trained_line_share)


def is_held_out(player_id: str, share: float) -> bool:
    """Whether a player is kept from all training: the same answer every night for one share."""
    return _fraction(player_id) < share


def _fraction(text: str) -> float:
    """A hash of the text in [0, 1)."""
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return int(digest[:8], 16) / 2**32


def _began_at(turns: Iterable[Turn]) -> Mapping[str, datetime]:
    first: dict[str, datetime] = {}
    for turn in turns:
        known = first.get(turn.session_id, turn.created_at)
        first[turn.session_id] = min(known, turn.created_at)
    return first


def _newest(sessions: set[str], began_at: Mapping[str, datetime], share: float) -> set[str]:
    in_order = sorted(sessions, key=lambda session: (began_at[session], session))
    return set(in_order[len(in_order) - int(len(in_order) * share) :])


def _disjoint(train: list[StatedRow], held_out: list[StatedRow], trained_share: float) -> Sides:
    lines = {text: line_key(text) for text in {row.player_text for row in [*train, *held_out]}}
    names = _shared_lines(_prompts(train, lines), _prompts(held_out, lines))
    trained = {line for line, name in names.items() if _fraction(name) < trained_share}
    ours, lost = _apart(train, lines, names.keys() - trained)
    theirs, left = _apart(held_out, lines, trained)
    return Sides(
        ours,
        theirs,
        [
            *(Dropped(row.event_id, Drop.PROMPT_HELD_OUT) for row in lost),
            *(Dropped(row.event_id, Drop.PROMPT_TRAINED) for row in left),
        ],
    )


def _apart(
    rows: list[StatedRow], lines: Mapping[str, str], taken: Set[str]
) -> tuple[list[StatedRow], list[StatedRow]]:
    """The rows whose line the other side has not taken, and the others."""
    kept = [row for row in rows if lines[row.player_text] not in taken]
    return kept, [row for row in rows if lines[row.player_text] in taken]


def _prompts(rows: list[StatedRow], lines: Mapping[str, str]) -> Mapping[str, set[tuple[int, ...]]]:
    """The prompts that each line led to."""
    prompts: dict[str, set[tuple[int, ...]]] = defaultdict(set)
    for row in rows:
        prompts[lines[row.player_text]].add(row.prompt_ids)
    return prompts


def _shared_lines(
    ours: Mapping[str, set[tuple[int, ...]]], theirs: Mapping[str, set[tuple[int, ...]]]
) -> Mapping[str, str]:
    """For each line that touches the other side, the first of all lines it is linked with."""
    links: dict[str, set[str]] = defaultdict(set)
    for one, other in (*neighbours(ours.keys(), theirs.keys()), *_same_prompts(ours, theirs)):
        links[one].add(other)
        links[other].add(one)
    names: dict[str, str] = {}
    for line in sorted(links):
        if line not in names:
            names |= dict.fromkeys(_connected_lines(line, links), line)
    return names


def _same_prompts(
    ours: Mapping[str, set[tuple[int, ...]]], theirs: Mapping[str, set[tuple[int, ...]]]
) -> Iterator[tuple[str, str]]:
    lines_of: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for line, prompts in ours.items():
        for prompt in prompts:
            lines_of[prompt].append(line)
    for line, prompts in theirs.items():
        yield from ((our, line) for prompt in prompts for our in lines_of.get(prompt, ()))


def _connected_lines(line: str, links: Mapping[str, set[str]]) -> set[str]:
    reached, waiting = {line}, [line]
    while waiting:
        found = links[waiting.pop()] - reached
        reached |= found
        waiting += found
    return reached
