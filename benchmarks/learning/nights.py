"""One experiment: evenings of play, each followed by a night, judged after each.

A run continues from the checkpoints of the last one, so nights can be added later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from benchmarks.console import prefixed
from benchmarks.learning import population
from benchmarks.learning.checkpoints import Checkpoints, make_checkpoint
from benchmarks.learning.experiment import AUTO, Experiment, FeedbackKind
from benchmarks.learning.feedback_collection import CollectedFeedback, collect_feedback
from benchmarks.learning.installation import CHARACTER, Installation, Workspace, install, serve
from benchmarks.learning.judgement import Judgement, VersionReplies, judge
from benchmarks.learning.questions import collect_replies
from benchmarks.learning.refused_candidate import collect_refused_replies

_ROWS = tuple(f"{side}_{kind}" for side in ("train", "held_out") for kind in ("pairs", "labels"))


@dataclass(frozen=True)
class NightResult:
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
class ExperimentResult:
    """An experiment and its nights."""

    taste: str
    kind: str
    method: str
    nights: tuple[NightResult, ...]
    replies: tuple[tuple[str, ...], ...]  # to the held-out questions, in the last morning

    def is_usual(self) -> bool:
        """Whether it is one of mixed feedback whose method the rows decided."""
        return self.kind == FeedbackKind.MIXED and self.method == AUTO


#: Called with the result when another of its nights is over.
Save = Callable[["ExperimentResult"], None]

_COLLECTED = TypeAdapter(CollectedFeedback)


async def run(
    experiment: Experiment,
    workspace: Workspace,
    bare: VersionReplies,
    known: ExperimentResult | None,
    save: Save,
) -> None:
    """Run the nights of an experiment that are not known yet; save each when it is over.

    Raises BenchmarkError.
    """
    checkpoints = Checkpoints(workspace.scratch, experiment)
    result = known if known and checkpoints.after_night(len(known.nights)).is_dir() else None
    if result is None:
        checkpoints.clear()
        taste, kind, method = experiment.taste, experiment.kind, experiment.method
        result = ExperimentResult(taste, kind, method, (), bare.replies)
    while (number := len(result.nights) + 1) <= experiment.nights:
        tell = prefixed(f"night {number} of {experiment.nights}", workspace.tell)
        played = await _play(checkpoints, number, replace(workspace, tell=tell))
        tell("the night", 0, 1)
        result = await _train(checkpoints, result, played, workspace, bare)
        save(result)


async def _play(checkpoints: Checkpoints, number: int, workspace: Workspace) -> CollectedFeedback:
    """What players did, from the disk when they did it already."""
    done = checkpoints.after_play(number)
    before = checkpoints.after_night(number - 1) if number > 1 else None
    if not done.is_dir():
        players = population.players(checkpoints.experiment, workspace.persona)
        with make_checkpoint(done, before) as data:
            installation = install(workspace, data)
            async with serve(installation) as client:
                played = await collect_feedback(
                    installation, client, players, number, workspace.extent, workspace.tell
                )
            (data / "evening.json").write_bytes(_COLLECTED.dump_json(played))
    return _COLLECTED.validate_json((done / "evening.json").read_bytes())


async def _train(
    checkpoints: Checkpoints,
    result: ExperimentResult,
    played: CollectedFeedback,
    workspace: Workspace,
    bare: VersionReplies,
) -> ExperimentResult:
    """Add the night after an evening; a refused candidate leaves things as they were."""
    number, begun = len(result.nights) + 1, time.monotonic()
    taste = population.tastes(workspace.persona)[checkpoints.experiment.taste]
    done, before = checkpoints.after_night(number), checkpoints.after_play(number)
    with make_checkpoint(done, before) as data:
        installation = install(workspace, data, checkpoints.experiment.settings)
        ended = await installation.npc("train", CHARACTER, "--no-promote")
        published = await _published_replies(installation, workspace, ended)
        refused = await _refused_replies(installation, workspace, ended)
        judgement = judge(taste, workspace.persona, bare, published or bare)
        if not published and result.nights:
            judgement = result.nights[-1].judgement  # nothing else went live
        seconds = played.seconds + time.monotonic() - begun
        night = replace(
            _night(installation, number, played, ended, judgement, seconds),
            refused=judge(taste, workspace.persona, bare, refused) if refused else None,
        )
    replies = published.replies if published else result.replies
    return replace(result, nights=(*result.nights, night), replies=replies)


async def _published_replies(
    installation: Installation, workspace: Workspace, ended: Mapping[str, Any]
) -> VersionReplies | None:
    """What a published version says, now that it is live; None if there is none."""
    if ended["state"] != "published":
        return None
    async with serve(installation) as client:
        await client.promote(CHARACTER, ended["version"])
        return await collect_replies(installation, client, workspace, ended["version"])


async def _refused_replies(
    installation: Installation, workspace: Workspace, ended: Mapping[str, Any]
) -> VersionReplies | None:
    """What a refused candidate would have said; None if there is none."""
    if ended["state"] != "rejected":
        return None
    return await collect_refused_replies(installation, workspace, ended["run"])


def _night(
    installation: Installation,
    number: int,
    played: CollectedFeedback,
    ended: Mapping[str, Any],
    judgement: Judgement,
    seconds: float,
) -> NightResult:
    version = installation.adapters.aliases(CHARACTER).live or ""
    return NightResult(
        number=number,
        state=ended["state"],
        reason=ended["reason"],
        version=version,
        method=installation.adapters.verify(CHARACTER, version).method if version else "",
        counts=played.counts,
        rows={name: played.readiness[name] for name in _ROWS},
        gate=tuple(ended.get("gate", ())),
        judgement=judgement,
        seconds=round(seconds, 1),
    )


def failed_rules(night: NightResult) -> Sequence[str]:
    """Names of the gate's rules that the candidate broke."""
    return [str(row["name"]) for row in night.gate if not row["passed"]]
