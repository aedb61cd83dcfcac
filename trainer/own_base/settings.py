"""How a new base is trained and judged, from the tables `training`, `gate` and `night` of npc.toml.

[training]       what every training has, as far as it has it too
[training.sft]   an adapter that is merged into the base
[training.full]  all weights; its learning_rate is its own: an adapter's would be far too high
"""

from __future__ import annotations

from trainer.methods import sft
from trainer.own_base import full
from trainer.own_base.making import Recipe
from trainer.own_base.ways import ALL_WEIGHTS, MERGED
from trainer.recipes import recipe
from trainer.recipes.tables import Problems, Table

NOT_FOR_ALL_WEIGHTS = frozenset({"learning_rate", "continued_rate"})


def read(settings: Table, all_weights: bool) -> Recipe:
    """The recipe of a new base. Raises ConfigError with all problems."""
    problems = Problems()
    way = ALL_WEIGHTS if all_weights else MERGED
    config: sft.Config | full.Config
    if all_weights:
        kind, but_for = full.Config, NOT_FOR_ALL_WEIGHTS
        config = recipe.read_alone(settings, way.name, kind, but_for, problems)
    else:
        config = recipe.read_alone(settings, way.name, sft.Config, frozenset(), problems)
    limits = recipe.read_gate(settings, problems)
    problems.complain()
    return Recipe(way, config, limits, recipe.read_night(settings).policy)
