"""Decides whether a run may go on and whether a new one is worth beginning. Pure.

A run goes on only under the terms that it was begun with. When the persona, the base or a setting
has changed since, its candidate would answer yesterday's question, so it is abandoned and a new run
begins. A live version that changed meanwhile is no such reason: that is checked when the candidate
is promoted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import JsonValue

from trainer.gate.drift_and_speed import FROM_THE_BASE
from trainer.records.entries import Ending, Terms


@dataclass(frozen=True)
class CurrentInputs:
    """What a run that began now would be based on."""

    base_sha256: str
    persona_version: str
    method: str | None  # None = the rows decide
    configs: dict[str, dict[str, JsonValue]]  # by method
    gate: dict[str, JsonValue]
    reward_head: dict[str, JsonValue] | None
    chat_format: str


@dataclass(frozen=True)
class EndedRun:
    """A run that ended."""

    number: int
    terms: Terms
    ending: Ending
    failed_rules: frozenset[str] = frozenset()  # of the gate
    scaled_back: bool = False  # its training led too far from the base


def change(terms: Terms, current: CurrentInputs) -> str | None:
    """What changed since the run began, so that it cannot go on; None = nothing."""
    if terms.persona_version != current.persona_version:
        return f"the persona was edited since ({terms.persona_version}, {current.persona_version})"
    if terms.base_sha256 != current.base_sha256:
        return f"the base changed since ({terms.base_sha256[:12]}, {current.base_sha256[:12]})"
    if terms.chat_format not in ("", current.chat_format):
        return "the chat format changed since"
    if current.method not in (None, terms.method):
        return f"the method changed since ({terms.method}, {current.method})"
    began_with = (terms.config, terms.gate, terms.reward_head)
    if began_with != (current.configs.get(terms.method), current.gate, current.reward_head):
        return "settings changed since"
    return None


def settled_by(terms: Terms, ended_runs: Iterable[EndedRun]) -> int | None:
    """The number of the last settled run on this base if it had these terms; None otherwise.

    Terms that differ by their parent alone count as the same: the rows have been learned from.
    """
    of_base = [one for one in ended_runs if one.terms.base_sha256 == terms.base_sha256]
    settled = [one for one in of_base if one.ending.settled]
    if settled and _question(settled[-1].terms) == _question(terms):
        return settled[-1].number
    return None


def line_has_ended(version: str, ended_runs: Iterable[EndedRun]) -> bool:
    """Whether training on from a version is useless because it is too far from the base.

    Each night adds to that distance. A version that was scaled back is as far as it may be, so
    what is added to it is taken from it again. Or the gate refused a run from it for distance.
    """
    return any(
        (one.ending.version == version and one.scaled_back)
        or (one.terms.parent == version and one.failed_rules & FROM_THE_BASE and one.ending.settled)
        for one in ended_runs
    )


def _question(terms: Terms) -> tuple[object, ...]:
    return (
        terms.starts_over,
        terms.snapshot_hash,
        terms.persona_version,
        terms.base_sha256,
        terms.method,
        terms.config,
        terms.gate,
        terms.reward_head,
    )
