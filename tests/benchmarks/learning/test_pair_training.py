"""The learning benchmark trains on a part of a store, on a tiny real model."""

from pathlib import Path

import pytest

from benchmarks.learning.pair_training import TrainingInputs, train_and_publish
from personas.adapter_repo import AdapterRepo
from personas.persona_files import load_characters
from tests.support.guard import job_in, play
from trainer.methods.dpo import MIN_STEPS


@pytest.fixture
def inputs(tiny_model: Path, base_dir: Path, tmp_path: Path) -> TrainingInputs:
    """A store with some fifty pairs."""
    job = job_in(tmp_path, tiny_model, base_dir)
    play(job, 80)
    return TrainingInputs(tiny_model, job.cache, tmp_path, load_characters(job.characters)["bo"])


def test_a_part_of_the_pairs_becomes_a_version_of_the_bare_base(inputs: TrainingInputs) -> None:
    reported: list[tuple[str, int, int]] = []
    version = train_and_publish(lambda *progress: reported.append(progress), inputs, 8)
    manifest = AdapterRepo(inputs.data / "adapters").verify("bo", version)
    assert (manifest.parent, manifest.method) == (None, "dpo")
    assert reported[-1] == ("training", MIN_STEPS, MIN_STEPS)


def test_more_pairs_make_another_version(inputs: TrainingInputs) -> None:
    few, more = (train_and_publish(lambda *_: None, inputs, pairs) for pairs in (4, 12))
    assert few.partition("-")[2] != more.partition("-")[2]
