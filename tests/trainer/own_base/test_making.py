"""What `npc model train` promises: a base that all characters taught, or why there is none."""

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from feedback_store.store import Store
from npc_server.commands.main import app
from npc_server.engine.vocab import Vocab
from personas.base_repo import BaseManifest, BaseRepo
from tests.support.guard import ENOUGH, FEW, ONLY_PREFERENCE, job_in, play
from tests.support.paths import ROOT
from tests.support.smiths import write_cast
from tests.support.watching import ignore
from trainer.base import file_sha256
from trainer.errors import BaseModelError, ConfigError, DiskError
from trainer.methods import sft
from trainer.nightly import disk
from trainer.nightly.job import Job
from trainer.own_base import base_recipe, fine_tunings, full, making
from trainer.own_base.base_recipe import BaseRecipe
from trainer.own_base.making import BaseJob, BaseResult, run
from trainer.progress import RunIO
from trainer.records.entries import State
from trainer.rows import readiness
from trainer.rows.snapshots import snapshot_of
from trainer.settings import LoraShape, Schedule

SCHEDULE = Schedule(learning_rate=5e-3, epochs=2, batch_rows=4, micro_batch_rows=4, max_tokens=600)
MERGED = sft.Config(lora=LoraShape(rank=4, alpha=8), schedule=SCHEDULE, general_share=0)
WHOLE = full.Config(schedule=replace(SCHEDULE, continued_rate=1), general_share=0)
RECIPE = BaseRecipe(fine_tunings.MERGED, MERGED, ONLY_PREFERENCE, readiness.Thresholds(**FEW))
OF_ALL_WEIGHTS = replace(RECIPE, fine_tuning=fine_tunings.ALL_WEIGHTS, config=WHOLE)


@pytest.fixture
def job(tiny_model: Path, base_dir: Path, tmp_path: Path) -> Job:
    """Players have corrected bo, and nobody has met ada."""
    made = job_in(tmp_path, tiny_model, base_dir)
    ada = made.characters / "ada"
    ada.mkdir()
    for file in (made.characters / "bo").iterdir():
        (ada / file.name).write_text(file.read_text().replace("id: bo", "id: ada"))
    play(made, ENOUGH)
    return made


def job_of(job: Job) -> BaseJob:
    bases = job.runs.parent / "bases"
    return BaseJob("town", job.base, job.characters, job.store, bases, job.cache)


def only_base(base_job: BaseJob) -> BaseManifest:
    (base,) = BaseRepo(base_job.bases).bases()
    return base


def sha256_of(result: BaseResult) -> str:
    assert result.gguf is not None
    return file_sha256(result.gguf)


def test_rows_that_cannot_be_read_make_no_base(job: Job) -> None:
    write_cast(job.characters, "fi", own_machine_talk=[])
    result = run(job_of(job), RECIPE, ignore)
    assert result.state is State.WAITING
    assert "the gate cannot check what mira says" in result.reason


@pytest.mark.parametrize("recipe", [RECIPE, OF_ALL_WEIGHTS], ids=["merged", "all weights"])
def test_what_all_players_wrote_is_likelier_under_the_new_base(
    job: Job, recipe: BaseRecipe
) -> None:
    base_job = job_of(job)
    result = run(base_job, recipe, ignore)
    assert result.state is State.PUBLISHED, result.reason
    assert result.verdict is not None
    learned = result.verdict.rows[0]
    assert learned.estimate is not None
    assert learned.estimate.high < -0.1
    base = only_base(base_job)
    assert base.sha256 == file_sha256(base_job.bases / "town" / "town.gguf")
    assert base.draft.parent_sha256 == file_sha256(job.base)
    assert sorted(base.draft.snapshots) == ["ada", "bo"]
    assert base.draft.players == snapshot_of(job.store, "bo").players


def test_the_new_base_is_served(job: Job) -> None:
    base_job = job_of(job)
    gguf = run(base_job, RECIPE, ignore).gguf
    assert gguf is not None
    assert Vocab(gguf).encode("Halt!") == Vocab(job.base).encode("Halt!")


def test_a_base_made_from_one_that_learned_has_its_players_too(job: Job) -> None:
    base_job = job_of(job)
    first = run(base_job, RECIPE, ignore)
    forgotten = only_base(base_job).draft.players[0]
    with Store.open(job.store) as store:
        store.forget(forgotten).result()
    assert first.gguf is not None
    run(replace(base_job, name="harbour", base=first.gguf), RECIPE, ignore)
    newest = BaseRepo(base_job.bases).bases()[-1]
    assert newest.name == "harbour"
    assert forgotten in newest.draft.players


def test_a_base_that_learned_nothing_is_refused_and_removed(job: Job) -> None:
    base_job = job_of(job)
    asleep = replace(MERGED, schedule=replace(SCHEDULE, learning_rate=1e-9))
    result = run(base_job, replace(RECIPE, config=asleep), ignore)
    assert (result.state, result.gguf) == (State.REJECTED, None)
    assert result.reason.startswith("held-out edits: ")
    assert list(base_job.bases.iterdir()) == []


def test_too_little_is_told_with_counts(job: Job) -> None:
    base_job = job_of(job)
    needs = replace(RECIPE.needs, min_pairs=1000)
    result = run(base_job, replace(RECIPE, needs=needs), ignore)
    assert result == BaseResult(State.WAITING, result.reason)
    assert "of 1000 training edits" in result.reason
    assert not base_job.bases.exists()


def test_a_player_who_is_forgotten_meanwhile_is_in_no_base(job: Job) -> None:
    base_job = job_of(job)

    def forget(_stage: str, _progress: object) -> None:
        with Store.open(job.store) as store:
            store.forget("player-1").result()

    assert run(base_job, RECIPE, forget).state is State.ABANDONED
    assert list(base_job.bases.iterdir()) == []


def test_a_making_that_broke_off_goes_on_to_the_same_bytes(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "RunIO", partial(RunIO, checkpoint_every_s=0))

    class BrokenOffError(Exception):
        """As a kill in the middle of training."""

    def stop_at_four(stage: str, progress: object) -> None:
        if stage == "train" and getattr(progress, "step", 0) >= 4:
            raise BrokenOffError

    base_job, other = job_of(job), replace(job_of(job), name="unbroken")
    with pytest.raises(BrokenOffError):
        run(base_job, RECIPE, stop_at_four)
    going_on, unbroken = (run(one, RECIPE, ignore) for one in (base_job, other))
    assert going_on.trained is not None
    assert going_on.trained.resumed_at_step > 0
    assert sha256_of(going_on) == sha256_of(unbroken)


def test_a_disk_without_room_is_refused_before_training(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "FLOAT_BYTES", 1 << 50)
    with pytest.raises(DiskError, match="a new base may need"):
        run(job_of(job), RECIPE, ignore)


def test_settings_come_of_the_table_of_the_method() -> None:
    tables = {"training": {"epochs": 2, "learning_rate": 5e-3, "sft": {"replay_share": 0.1}}}
    merged = base_recipe.read(tables, all_weights=False).config
    assert isinstance(merged, sft.Config)
    assert (merged.schedule.epochs, merged.schedule.learning_rate) == (2, 5e-3)
    assert merged.replay_share == 0.1


def test_all_weights_have_a_learning_rate_of_their_own() -> None:
    tables = {"training": {"rank": 8, "epochs": 2, "learning_rate": 5e-3}}
    whole = base_recipe.read(tables, all_weights=True).config
    assert whole == full.Config(schedule=replace(full.Config().schedule, epochs=2))


def test_a_setting_that_all_weights_have_not_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"\[training.full\] rank: unknown key"):
        base_recipe.read({"training": {"full": {"rank": 8}}}, all_weights=True)


@pytest.fixture
def from_the_command_line(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    data = tmp_path / "data"
    data.mkdir()
    job.store.rename(data / "feedback.db")
    table = {**asdict(ONLY_PREFERENCE)}
    gate = "\n".join(f"{name} = {value}" for name, value in table.items())
    (tmp_path / "npc.toml").write_text(
        f'[model]\nbase = "{job.base}"\n'
        f'[paths]\ncharacters = "{job.characters}"\ncache = "{job.cache}"\ndata = "{data}"\n'
        f"[training]\nlearning_rate = 0.005\nrank = 4\nmax_tokens = 600\n[gate]\n{gate}\n"
        f"[night]\nmin_pairs = {FEW['min_pairs']}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    return replace(job, store=data / "feedback.db")


def npc(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.slow
@pytest.mark.usefixtures("from_the_command_line")
def test_the_command_tells_how_to_go_on(capfd: pytest.CaptureFixture[str]) -> None:
    done = npc("model", "train", "town", "--json")
    told = json.loads(capfd.readouterr().out)
    assert (done.exit_code, told["state"]) == (0, "published"), told["reason"]
    assert f"npc train --all --base {told['gguf']}" in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("from_the_command_line")
def test_a_taken_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data" / "bases" / "town").mkdir(parents=True)
    assert npc("model", "train", "town").exit_code == 3


def test_a_base_that_cannot_be_written_back_is_refused(job: Job, tmp_path: Path) -> None:
    from tests.support import tiny_gguf

    other = tiny_gguf.write_model(tmp_path / "gemma.gguf", architecture="gemma3")
    with pytest.raises(BaseModelError, match="cannot be written back"):
        run(replace(job_of(job), base=other), RECIPE, ignore)
