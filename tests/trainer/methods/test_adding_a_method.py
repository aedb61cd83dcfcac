"""A new training method is one module and one row of the table: the rest of the trainer follows."""

from pathlib import Path

import pytest

from npc_server.engine.vocab import Vocab
from personas.adapter_repo import AdapterRepo
from tests.support.guard import ENOUGH, WITHOUT_HEAD, job_in, play, recipe
from tests.support.rows import snapshot
from tests.support.toy_method import Config
from tests.support.watching import ignore
from trainer.errors import ConfigError
from trainer.methods.table import METHODS, Method, candidates
from trainer.nightly import retrain
from trainer.nightly.job import read_readiness
from trainer.recipes.recipe import written_method
from trainer.records.entries import Terms
from trainer.rows.readiness import PAIRS, Plan, Thresholds, Wait, decide

TOY = {**WITHOUT_HEAD, "method": "toy", "toy": {"zest": 0.3}}


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "toy", Method("tests.support.toy_method", PAIRS))


def test_its_settings_are_read_from_its_table() -> None:
    found = recipe(training=TOY)
    assert (found.method, found.configs) == ("toy", {"toy": Config(zest=0.3)})
    assert written_method({"training": TOY}, "mira") == "toy"


def test_its_settings_are_checked_as_any() -> None:
    with pytest.raises(
        ConfigError, match=r"\[training\.toy\] zset: unknown key; did you mean zest"
    ):
        recipe(training={"toy": {"zset": 1}})
    with pytest.raises(ConfigError, match=r"\[training\] for toy: zest is 0\.0"):
        recipe(training={**TOY, "toy": {"zest": 0}})


def test_it_is_among_the_methods_that_a_wrong_name_is_answered_with() -> None:
    with pytest.raises(ConfigError, match=r"there is none; known: dpo, .*, toy"):
        recipe(training={"method": "tyo"})


def test_it_waits_for_the_rows_it_learns_from(tokenizer: Vocab) -> None:
    needs = Thresholds(min_pairs=10, min_held_out=4)
    enough, few = (snapshot(tokenizer, pairs=count, held_out_pairs=4) for count in (10, 9))
    assert decide(enough, needs, candidates("toy")) == Plan("toy", "toy was asked for")
    assert isinstance(decide(few, needs, candidates("toy")), Wait)


def test_a_night_trains_by_it(tiny_model: Path, base_dir: Path, tmp_path: Path) -> None:
    job, by_toy = job_in(tmp_path, tiny_model, base_dir), recipe(training=TOY)
    play(job, ENOUGH)
    assert isinstance(read_readiness(job, by_toy.night.policy, "toy")[1], Plan)
    outcome = retrain.run(job, by_toy, promote=True, tell=ignore)
    assert outcome.run is not None
    assert outcome.trained is not None, outcome.reason
    assert (outcome.run.read(Terms).method, outcome.trained.steps > 0) == ("toy", True)
    versions = AdapterRepo(job.adapters).versions("bo")
    assert {manifest.method for manifest in versions} == ({"toy"} if outcome.version else set())
