"""How a character is trained and judged: the tables `training`, `gate` and `night` of npc.toml.

    [training]                  for every method and character: rank, learning_rate, method ...
    [training.dpo]              for one method, and what only that method reads
    [training.reward_head]      likewise for the reward head; `reward_head = false` trains none
    training: in persona.yaml   what the designer chose for the character; beats both
    [training.characters.mira]  for one character; beats all three
    [gate]                      fields of `gate.Thresholds`
    [night]                     when a character is trained, and what a night may use
    [engine]                    as the server checked it: the gate's engine runs under it too

The keys are the fields of the dataclasses they fill, so there is no second list of them. Values may
be text, as environment variables are. Ranges are checked only for the methods that may be used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from npc_server.engine.settings import EngineSettings
from personas.known_names import instead_of
from personas.lore_notes import LoreSettings
from trainer import gate
from trainer.methods.table import METHODS, candidates
from trainer.recipes.refused_methods import refused_method
from trainer.recipes.tables import (
    Leaf,
    Problems,
    Table,
    build,
    inner_table,
    leaves,
    parse,
    parse_values,
)
from trainer.rows import readiness
from trainer.settings import LoraShape, Memory, Schedule, require

if TYPE_CHECKING:
    from trainer.heads import reward_head
    from trainer.methods.table import MethodConfig

ConfigT = TypeVar("ConfigT")

TABLES = ("training", "gate", "night")
HEAD = "reward_head"
NOT_FOR_A_HEAD = frozenset({"rehearsed_share", "continued_rate"})
FULL = "full"  # all weights of a base, which no night trains: see `trainer.own_base`


@dataclass(frozen=True)
class Choices:
    """The keys of `[training]` that belong to no method."""

    method: str = ""  # "" = the rows decide
    experimental: bool = False  # allows methods that TRL may still change or drop


@dataclass(frozen=True)
class Upkeep:
    """What nights may use of the machine."""

    threads: int = 0  # 0 = one per core
    disk_gib: float = 20.0  # of all runs together; candidates of finished runs go first
    kept_runs: int = 5  # finished runs whose candidate is kept

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        require(self.threads >= 0, "threads", self.threads, "at least 0")
        require(self.disk_gib > 0, "disk_gib", self.disk_gib, "above 0")
        require(self.kept_runs >= 0, "kept_runs", self.kept_runs, "at least 0")


@dataclass(frozen=True)
class NightSettings:
    """The table `[night]`: when a character is trained, and what a night may use."""

    policy: readiness.Thresholds = field(default_factory=readiness.Thresholds)
    upkeep: Upkeep = field(default_factory=Upkeep)


@dataclass(frozen=True)
class Recipe:
    """How one character is trained and judged."""

    method: str | None  # None = the rows decide
    configs: Mapping[str, MethodConfig]  # of the methods that may be used
    reward_head: reward_head.Config | None  # None = none is trained
    gate: gate.Thresholds
    night: NightSettings

    @property
    def max_tokens(self) -> int:
        """The longest prompt and reply together that any of its methods trains on."""
        return max(config.schedule.max_tokens for config in self.configs.values())


@dataclass(frozen=True)
class _Shared:
    """The settings that every method has."""

    lora: LoraShape
    schedule: Schedule
    memory: Memory


def read(
    settings: Table,
    character: str,
    head: Callable[..., reward_head.Config],
    method: str = "",
) -> Recipe:
    """Read a character's recipe; `method` overrides the settings. ConfigError with all problems."""
    problems = Problems()
    training = _top_table(settings, "training", problems)
    tables, of_methods = _training_tables(training, problems), _method_tables(training, problems)
    own = tables.characters.get(character, {})
    its_method = own.pop("method", "")
    asked_for = method or its_method or tables.choices.method
    chosen = _method(asked_for, tables.choices, problems)
    recipe = Recipe(
        method=chosen,
        configs={
            name: build(
                f"[training] for {name}",
                METHODS[name].config,
                {**tables.shared, **of_methods.get(name, {}), **own},
                problems,
            )
            for name in candidates(chosen)
        },
        reward_head=_reward_head(training, tables.shared | own, head, problems),
        gate=read_gate(settings, problems),
        night=_night(settings, problems),
    )
    problems.complain()
    return recipe


def with_choices(settings: Table, character: str, chosen: Table) -> dict[str, Any]:
    """The tables with what a designer chose for a character, where they say nothing else of it."""
    ignored = Problems()  # what is no table is told when it is read
    training = inner_table(settings, "training", "", ignored)
    characters = inner_table(training, "characters", "", ignored)
    own = inner_table(characters, character, "", ignored)
    if ignored or not chosen:
        return dict(settings)
    theirs = {**characters, character: {**chosen, **own}}
    return {**settings, "training": {**training, "characters": theirs}}


def read_alone(
    settings: Table, name: str, kind: type[ConfigT], except_for: Set[str], problems: Problems
) -> ConfigT:
    """Read the config in `[training.name]`, with the keys of `[training]` that it shares.

    `except_for` names keys of `[training]` that do not apply to it.
    """
    training = _top_table(settings, "training", problems)
    shared, known = _training_tables(training, problems).shared, leaves(kind)
    meant = {key: value for key, value in shared.items() if key in known and key not in except_for}
    own = _parse_inner(training, name, known, problems)
    return build(f"[training.{name}]", kind, meant | own, problems)


def read_gate(settings: Table, problems: Problems) -> gate.Thresholds:
    """Read the table `gate` alone."""
    return parse("[gate]", gate.Thresholds, _top_table(settings, "gate", problems), problems)


def read_night(settings: Table) -> NightSettings:
    """Read the table `night` alone, without a model library. ConfigError with all problems."""
    problems = Problems()
    night = _night(settings, problems)
    problems.complain()
    return night


def read_engine(settings: Table) -> EngineSettings:
    """Read the table `engine`, of values or of their text. ConfigError with all problems."""
    problems = Problems()
    engine = _top_table(settings, "engine", problems)
    made = parse("[engine]", EngineSettings, engine, problems)
    problems.complain()
    return made


def read_lore(settings: Table) -> LoreSettings:
    """Read the table `lore`, of values or of their text. ConfigError with all problems."""
    problems = Problems()
    made = parse("[lore]", LoreSettings, _top_table(settings, "lore", problems), problems)
    problems.complain()
    return made


def written_method(settings: Table, character: str) -> str | None:
    """The method that the settings name for a character; None for one that `read` refuses."""
    ignored = Problems()
    training = _top_table(settings, "training", ignored)
    own = inner_table(inner_table(training, "characters", "", ignored), character, "", ignored)
    name = own.get("method") or training.get("method")
    return name if name in METHODS else None


def require_method(settings: Table, name: str) -> str:
    """The method of this name, which somebody asked for. ConfigError when it cannot be trained."""
    problems = Problems()
    training = _top_table(settings, "training", Problems())
    choices = Choices(experimental=training.get("experimental") is True)
    chosen = _method(name, choices, problems)
    problems.complain()
    return chosen or ""


def _night(settings: Table, problems: Problems) -> NightSettings:
    return parse("[night]", NightSettings, _top_table(settings, "night", problems), problems)


def _reward_head(
    training: Table, shared: Table, kind: Any, problems: Problems
) -> reward_head.Config | None:
    """Read `reward_head`, which is false or a table of settings."""
    written = training.get(HEAD, True)
    if not isinstance(written, Mapping):
        switch = parse_values("[training]", {HEAD: written}, {HEAD: Leaf("", bool)}, problems)
        if not switch.get(HEAD, True):
            return None
        written = {}
    place = f"[training.{HEAD}]"
    values = {name: value for name, value in shared.items() if name not in NOT_FOR_A_HEAD}
    made: reward_head.Config = build(
        place, kind, values | parse_values(place, written, leaves(kind), problems), problems
    )
    return made


def _top_table(settings: Table, name: str, problems: Problems) -> dict[str, Any]:
    return inner_table(settings, name, f"[{name}]", problems)


@dataclass(frozen=True)
class _TrainingTables:
    """The parts of `[training]`, with checked values by setting."""

    choices: Choices
    shared: dict[str, Any]
    characters: dict[str, dict[str, Any]]


def _training_tables(training: dict[str, Any], problems: Problems) -> _TrainingTables:
    choices, shared = leaves(Choices), leaves(_Shared)
    characters = inner_table(training, "characters", "[training.characters]", problems)
    own = {"method": choices["method"], **shared}
    inner = {*METHODS, "characters", HEAD, FULL}
    top = {name: value for name, value in training.items() if name not in inner}
    values = parse_values("[training]", top, choices | shared, problems)
    return _TrainingTables(
        choices=Choices(**{name: values[name] for name in choices if name in values}),
        shared={name: values[name] for name in shared if name in values},
        characters={
            name: _parse_inner(characters, name, own, problems, "training.characters")
            for name in characters
        },
    )


def _method_tables(training: dict[str, Any], problems: Problems) -> dict[str, dict[str, Any]]:
    """Of methods that have a table; the modules of the others need not be loaded."""
    return {
        name: _parse_inner(training, name, leaves(METHODS[name].config), problems)
        for name in METHODS
        if name in training
    }


def _parse_inner(
    outer: Table, name: str, known: Any, problems: Problems, path: str = "training"
) -> dict[str, Any]:
    place = f"[{path}.{name}]"
    return parse_values(place, inner_table(outer, name, place, problems), known, problems)


def _method(name: str, choices: Choices, problems: Problems) -> str | None:
    if not name:
        return None
    if name not in METHODS:
        refused = refused_method(name)
        problems.append(f"method {name}: {refused or f'there is none{instead_of(name, METHODS)}'}")
        return None
    if METHODS[name].experimental and not choices.experimental:
        problems.append(
            f"method {name}: TRL may still change or drop it; allow it with experimental = true"
            " in [training]"
        )
        return None
    return name
