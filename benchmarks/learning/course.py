"""One experiment: evenings of play, each followed by a night, judged after each."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.learning import population
from benchmarks.learning.evening import Evening, evening
from benchmarks.learning.experiment import Experiment
from benchmarks.learning.hearing import hear
from benchmarks.learning.judgement import Heard, Judgement, judged
from benchmarks.learning.world import LEARNER, Ground, World, world

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


@dataclass(frozen=True)
class Course:
    """An experiment and its nights."""

    taste: str
    kind: str
    method: str
    nights: tuple[Night, ...]
    replies: tuple[tuple[str, ...], ...]  # to the held-out questions, in the last morning


async def run(experiment: Experiment, ground: Ground, bare: Heard) -> Course:
    """All nights of an experiment in a fresh world. Raises BenchmarkError."""
    players = population.players(experiment, ground.persona)
    taste = population.tastes(ground.persona)[experiment.taste]
    nights: list[Night] = []
    heard = bare
    async with world(ground, experiment.name, experiment.settings) as here:
        for number in range(1, experiment.nights + 1):
            begun = time.monotonic()
            tell = partial(_of_night, ground, number, experiment.nights)
            played = await evening(here, players, number, ground.extent, tell)
            tell("the night", 0, 1)
            outcome = await here.npc("train", LEARNER, "--no-promote")
            if outcome["state"] == "published":
                await here.client.promote(LEARNER, outcome["version"])
                heard = await hear(here, ground, outcome["version"])
            judgement = judged(taste, ground.persona, bare, heard)
            seconds = time.monotonic() - begun
            nights.append(_night(here, number, played, outcome, heard, judgement, seconds))
    return Course(
        experiment.taste,
        experiment.kind,
        experiment.method,
        tuple(nights),
        heard.replies,
    )


def _of_night(ground: Ground, number: int, nights: int, what: str, done: int, total: int) -> None:
    ground.tell(f"night {number} of {nights}: {what}", done, total)


def _night(
    here: World,
    number: int,
    played: Evening,
    outcome: Mapping[str, Any],
    heard: Heard,
    judgement: Judgement,
    seconds: float,
) -> Night:
    return Night(
        number=number,
        state=outcome["state"],
        reason=outcome["reason"],
        version=heard.version,
        method=_method(here, heard.version),
        counts=played.counts,
        rows={name: played.readiness[name] for name in _ROWS},
        gate=tuple(outcome.get("gate", ())),
        judgement=judgement,
        seconds=round(seconds, 1),
    )


def _method(here: World, version: str) -> str:
    return here.adapters.verify(LEARNER, version).method if version else ""


def failed_rules(night: Night) -> Sequence[str]:
    """Names of the gate's rules that the candidate broke."""
    return [str(row["name"]) for row in night.gate if not row["passed"]]
