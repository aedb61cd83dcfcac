"""The trainer's tables of npc.toml: what beats what, and what is refused."""

from typing import Any

import pytest

from personas.persona import Training
from tests.support.paths import DOCS
from trainer import gate
from trainer.errors import ConfigError
from trainer.heads import reward_head
from trainer.methods.table import METHODS
from trainer.own_base import full
from trainer.recipes.recipe import (
    Choices,
    NightSettings,
    Recipe,
    read,
    with_choices,
    written_method,
)
from trainer.recipes.tables import leaves

CONFIGS: dict[str, Any] = {name: method.config for name, method in METHODS.items()}


def recipe(method: str = "", **tables: Any) -> Recipe:
    return read(tables, "mira", reward_head.Config, method)


def test_without_tables_the_defaults_hold() -> None:
    found = recipe()
    assert found.method is None
    assert found.configs == {method: CONFIGS[method]() for method in ("dpo", "kto")}
    assert (found.gate, found.night) == (gate.Thresholds(), NightSettings())


def test_a_character_beats_a_method_and_a_method_all() -> None:
    training = {
        "rank": 4,
        "alpha": 4,
        "epochs": 2,
        "dpo": {"alpha": 8, "epochs": 3},
        "characters": {"mira": {"epochs": 4}, "fenn": {"epochs": 5}},
    }
    dpo = recipe(training=training).configs["dpo"]
    assert (dpo.lora.rank, dpo.lora.alpha, dpo.schedule.epochs) == (4, 8, 4)


def test_what_only_one_method_reads_stands_in_its_table() -> None:
    assert vars(recipe(training={"dpo": {"beta": 0.3}}).configs["dpo"])["beta"] == 0.3
    with pytest.raises(ConfigError, match=r"\[training\] beta: unknown key"):
        recipe(training={"beta": 0.3})


def test_a_character_may_name_its_method_and_a_command_beats_it() -> None:
    training = {"method": "dpo", "characters": {"mira": {"method": "kto"}}}
    assert recipe(training=training).method == "kto"
    assert recipe("sft", training=training).method == "sft"
    assert written_method({"training": training}, "mira") == "kto"


def test_a_designer_beats_the_tables_of_all_but_not_that_of_the_character() -> None:
    chosen = Training(method="kto", epochs=3, rehearsed_share=0.2).settings()
    training = {"epochs": 2, "method": "dpo", "characters": {"mira": {"epochs": 4}, "fenn": {}}}
    found = read(with_choices({"training": training}, "mira", chosen), "mira", reward_head.Config)
    schedule = found.configs["kto"].schedule
    assert (found.method, schedule.epochs, schedule.rehearsed_share) == ("kto", 4, 0.2)


def test_a_designer_who_chose_nothing_changes_nothing() -> None:
    tables = {"training": {"epochs": 2}}
    assert with_choices(tables, "mira", Training().settings()) == tables


def test_a_method_that_a_designer_misspelt_is_named() -> None:
    tables = with_choices({}, "mira", Training(method="dop").settings())
    with pytest.raises(ConfigError, match="Did you mean 'dpo'"):
        read(tables, "mira", reward_head.Config)


def test_text_from_the_environment_is_understood() -> None:
    training = {"rank": "8", "targets": "q_proj, v_proj", "experimental": "true", "method": "orpo"}
    lora = recipe(training=training).configs["orpo"].lora
    assert (lora.rank, lora.targets) == (8, ("q_proj", "v_proj"))


def test_every_problem_is_told_at_once() -> None:
    tables: dict[str, Any] = {
        "training": {"rnak": 8, "dpo": {"beta": "wide"}, "characters": {"fenn": {"epohcs": 2}}},
        "gate": {"confidence": 2},
        "night": {"min_pears": 3},
    }
    with pytest.raises(ConfigError) as caught:
        recipe(**tables)
    for told in (
        "[training] rnak: unknown key; did you mean rank?",
        "[training.dpo] beta:",
        "[training.characters.fenn] epohcs: unknown key; did you mean epochs?",
        "[gate]: confidence is 2.0",
        "[night] min_pears: unknown key; did you mean min_pairs?",
    ):
        assert told in str(caught.value)


@pytest.mark.parametrize("key", ["label_smoothing", "padding_free"])
def test_a_setting_that_would_do_nothing_is_refused_with_the_reason(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: there is no such setting: "):
        recipe(training={"dpo": {key: 1}})


@pytest.mark.parametrize("method", ["orpo", "simpo"])
def test_experimental_methods_have_to_be_allowed(method: str) -> None:
    with pytest.raises(ConfigError, match="experimental = true"):
        recipe(training={"method": method})
    assert recipe(training={"method": method, "experimental": True}).method == method


@pytest.mark.parametrize("method", ["prefix_tuning", "ia3"])
def test_methods_that_cannot_be_served_are_refused_with_the_reason(method: str) -> None:
    with pytest.raises(ConfigError, match=f"method {method}: (?!there is none)"):
        recipe(training={"method": method})


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="there is none; known: dpo, kto"):
        recipe(training={"method": "ppo"})


def test_a_reward_head_is_trained_unless_it_is_switched_off() -> None:
    for_methods = {"rehearsed_share": 0.1, "continued_rate": 0.5}
    own = {"good": " yes", "epochs": 2}
    head = recipe(training={"rank": 4, **for_methods, "reward_head": own}).reward_head
    assert head is not None
    assert (head.good, head.lora.rank, head.schedule.epochs) == (" yes", 4, 2)
    assert recipe(training={"reward_head": "false"}).reward_head is None
    assert recipe().reward_head == reward_head.Config()


def test_a_wrong_setting_of_the_reward_head_is_told() -> None:
    with pytest.raises(ConfigError, match=r"\[training\] reward_head:"):
        recipe(training={"reward_head": "perhaps"})
    with pytest.raises(ConfigError, match=r"\[training.reward_head\] goood: unknown key"):
        recipe(training={"reward_head": {"goood": "x"}})
    with pytest.raises(ConfigError, match=r"continued_rate is 0\.5; it must be 1"):
        recipe(training={"reward_head": {"continued_rate": 0.5}})


def test_no_two_settings_share_a_name() -> None:
    for config in CONFIGS.values():
        nested = [config().lora, config().schedule, config().memory]
        names = [name for part in nested for name in vars(part)]
        assert len({*names, *leaves(Choices)}) == len(names) + len(leaves(Choices))


def test_every_method_and_setting_is_in_the_training_guide() -> None:
    guide = (DOCS / "training.md").read_text()
    kinds = (
        *CONFIGS.values(),
        reward_head.Config,
        full.Config,
        Choices,
        NightSettings,
        gate.Thresholds,
    )
    names = {*METHODS, *(name for kind in kinds for name in leaves(kind))}
    assert {name for name in names if f"`{name}`" not in guide} == set()
