"""How a new base is trained and judged, from the tables `training`, `gate` and `night` of npc.toml.

[training]       what every training has, as far as this one has it too
[training.sft]   an adapter that is merged into the base
[training.full]  all weights; its learning_rate is its own: an adapter's would be far too high
"""

from __future__ import annotations

from dataclasses import dataclass

from trainer import gate
from trainer.methods import sft
from trainer.own_base import full
from trainer.own_base.fine_tunings import ALL_WEIGHTS, MERGED, FineTuning
from trainer.recipes import recipe
from trainer.recipes.tables import Problems, Table
from trainer.rows import readiness

NOT_FOR_ALL_WEIGHTS = frozenset({"learning_rate", "continued_rate"})


@dataclass(frozen=True)
class BaseRecipe:
    """How to train a base, and when it is good enough."""

    fine_tuning: FineTuning
    config: sft.Config | full.Config  # as `fine_tuning` needs it
    gate: gate.Thresholds
    needs: readiness.Thresholds


def read(settings: Table, all_weights: bool) -> BaseRecipe:
    """Read the recipe of a new base. Raises ConfigError with all problems."""
    problems = Problems()
    config: sft.Config | full.Config
    if all_weights:
        tuning = ALL_WEIGHTS
        kind, but_for = full.Config, NOT_FOR_ALL_WEIGHTS
        config = recipe.read_alone(settings, tuning.name, kind, but_for, problems)
    else:
        tuning = MERGED
        config = recipe.read_alone(settings, tuning.name, sft.Config, frozenset(), problems)
    limits = recipe.read_gate(settings, problems)
    problems.complain()
    return BaseRecipe(tuning, config, limits, recipe.read_night(settings).policy)
