"""One experiment: evenings of play, each followed by a night, judged after each.

A course goes on from the stages it left on the disk, so nights can be added to it later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from benchmarks.learning import population
from benchmarks.learning.evening import Evening, evening
from benchmarks.learning.experiment import AUTO, Experiment, Kind
from benchmarks.learning.hearing import hear
from benchmarks.learning.judgement import Heard, Judgement, judged
from benchmarks.learning.refusal import hear_refused
from benchmarks.learning.stages import Stages, stage
from benchmarks.learning.world import LEARNER, Ground, World, served, world

_ROWS = tuple(f"{side}_{kind}" for side in ("train", "held_out") for kind in ("pairs", "labels"))


@dataclass(frozen=True)
class Night:
    """One evening, the night after it, and what judges found in the morning."""

    number: int  # from 1
    state: str  # published, rejected or waiting, as the trainer ended
    reason: str
    version: str  # live in the morning; "" = the bare base
    method: str  # of that version
    counts: Mapping[str, int]  # what players did this evening
    rows: Mapping[str, int]  # that could be trained on or judged by, by side and kind
    gate: tuple[Mapping[str, Any], ...]  # the gate's rows; empty when it was not asked
    judgement: Judgement
    seconds: float  # for all of it
    refused: Judgement | None = None  # of the candidate that the gate kept from going live


@dataclass(frozen=True)
class Course:
    """An experiment and its nights."""

    taste: str
    kind: str
    method: str
    nights: tuple[Night, ...]
    replies: tuple[tuple[str, ...], ...]  # to the held-out questions, in the last morning

    def is_usual(self) -> bool:
        """Whether it is one of mixed feedback, taught as the rows decide."""
        return self.kind == Kind.MIXED and self.method == AUTO


#: Called with a course when another of its nights is over.
Keep = Callable[["Course"], None]

_EVENING = TypeAdapter(Evening)


async def run(
    experiment: Experiment, ground: Ground, bare: Heard, known: Course | None, keep: Keep
) -> None:
    """The nights of an experiment that are not known yet, each kept when it is over.

    Raises BenchmarkError.
    """
    stages = Stages(ground.scratch, experiment)
    course = known if known and stages.morning(len(known.nights)).is_dir() else None
    if course is None:
        stages.clear()
        course = Course(experiment.taste, experiment.kind, experiment.method, (), bare.replies)
    while (number := len(course.nights) + 1) <= experiment.nights:
        tell = partial(_of_night, ground, number, experiment.nights)
        played = await _evening(stages, number, replace(ground, tell=tell))
        tell("the night", 0, 1)
        course = await _morning(stages, course, played, ground, bare)
        keep(course)


async def _evening(stages: Stages, number: int, ground: Ground) -> Evening:
    """What players did, from the disk when they did it already."""
    done, before = stages.evening(number), stages.morning(number - 1) if number > 1 else None
    if not done.is_dir():
        players = population.players(stages.experiment, ground.persona)
        with stage(done, before) as data:
            here = world(ground, data)
            async with served(here) as client:
                played = await evening(here, client, players, number, ground.extent, ground.tell)
            (data / "evening.json").write_bytes(_EVENING.dump_json(played))
    return _EVENING.validate_json((done / "evening.json").read_bytes())


async def _morning(
    stages: Stages, course: Course, played: Evening, ground: Ground, bare: Heard
) -> Course:
    """The course with the night after an evening; refused candidates leave things as they were."""
    number, begun = len(course.nights) + 1, time.monotonic()
    taste = population.tastes(ground.persona)[stages.experiment.taste]
    with stage(stages.morning(number), stages.evening(number)) as data:
        here = world(ground, data, stages.experiment.settings)
        outcome = await here.npc("train", LEARNER, "--no-promote")
        heard = await _heard(here, ground, outcome)
        refused = await _refused(here, ground, outcome)
        judgement = judged(taste, ground.persona, bare, heard or bare)
        if not heard and course.nights:
            judgement = course.nights[-1].judgement  # nothing else went live
        seconds = played.seconds + time.monotonic() - begun
        night = replace(
            _night(here, number, played, outcome, judgement, seconds),
            refused=judged(taste, ground.persona, bare, refused) if refused else None,
        )
    replies = heard.replies if heard else course.replies
    return replace(course, nights=(*course.nights, night), replies=replies)


async def _heard(here: World, ground: Ground, outcome: Mapping[str, Any]) -> Heard | None:
    """What a published version says, now that it is live; None if there is none."""
    if outcome["state"] != "published":
        return None
    async with served(here) as client:
        await client.promote(LEARNER, outcome["version"])
        return await hear(here, client, ground, outcome["version"])


async def _refused(here: World, ground: Ground, outcome: Mapping[str, Any]) -> Heard | None:
    """What a refused candidate would have said; None if there is none."""
    if outcome["state"] != "rejected":
        return None
    return await hear_refused(here, ground, outcome["run"])


def _of_night(ground: Ground, number: int, nights: int, what: str, done: int, total: int) -> None:
    ground.tell(f"night {number} of {nights}: {what}", done, total)


def _night(
    here: World,
    number: int,
    played: Evening,
    outcome: Mapping[str, Any],
    judgement: Judgement,
    seconds: float,
) -> Night:
    version = here.adapters.aliases(LEARNER).live or ""
    return Night(
        number=number,
        state=outcome["state"],
        reason=outcome["reason"],
        version=version,
        method=here.adapters.verify(LEARNER, version).method if version else "",
        counts=played.counts,
        rows={name: played.readiness[name] for name in _ROWS},
        gate=tuple(outcome.get("gate", ())),
        judgement=judgement,
        seconds=round(seconds, 1),
    )


def failed_rules(night: Night) -> Sequence[str]:
    """Names of the gate's rules that the candidate broke."""
    return [str(row["name"]) for row in night.gate if not row["passed"]]
