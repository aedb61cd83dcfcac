"""Choosing a base's quantization: the rule, what is made, what is measured, what is recorded."""

from __future__ import annotations

import json
import os
import re
import typing
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from gguf import GGUFReader, dequantize
from typer.testing import CliRunner

from npc_server.base_models import base_choice, own_process, quantization_trial
from npc_server.base_models import requantize as requantizing
from npc_server.base_models.base_choice import (
    ModelFiles,
    choose,
    choose_best,
    ensure_chosen,
    measure_all,
)
from npc_server.base_models.catalogue import CATALOGUE, DEFAULT_MODEL, NamedModel
from npc_server.base_models.errors import (
    ModelUnavailableError,
    ProcessDiedError,
    RequantizeError,
)
from npc_server.base_models.model_files import (
    choice_path,
    file_sha256,
    quantized_path,
    read_choice,
)
from npc_server.base_models.own_process import Report
from npc_server.base_models.quantization import (
    Costs,
    Quantization,
    Rule,
    Spread,
    decide,
    turn_ms,
    usual,
)
from npc_server.base_models.quantization_trial import divergence, log_softmax
from npc_server.base_models.requantize import importance_of, requantize
from npc_server.base_models.resolution import ModelPlaces, resolve
from npc_server.base_models.sources import HubSource, WheelSource
from npc_server.commands import main
from npc_server.commands.models import pulling
from npc_server.engine.errors import ModelLoadError
from npc_server.engine.llama import cpu_kernels
from tests.support import tiny_gguf
from trainer.base import dense_folder

ORIGINAL, Q8_0, Q4_MIX, IQ4_NL, Q4_0 = Quantization


def quiet(*_: object) -> None:
    """No report."""


def figures(
    quantization: Quantization, prefill_tok_s: float, step_ms: float, perplexity: float
) -> Costs:
    steps = {8: Spread(step_ms, step_ms + 1)}
    prefill = Spread(prefill_tok_s, prefill_tok_s / 2)
    return Costs(quantization, 1, prefill, steps, perplexity, 0.0)


SLOW = figures(ORIGINAL, 400, 32, 30.0)


# --- the rule ---


def test_a_turn_costs_its_prompt_and_its_share_of_the_steps() -> None:
    assert turn_ms(SLOW, Rule()) == pytest.approx(40 / 400 * 1e3 + 48 * 32 / 8)


def test_the_fastest_within_the_limit_is_chosen() -> None:
    coarse, fine = figures(Q4_0, 1500, 16, 30.95), figures(Q4_MIX, 1400, 16, 30.8)
    assert decide([SLOW, figures(Q8_0, 800, 28, 30.0), fine, coarse], Rule()) is fine


def test_a_tie_goes_to_the_less_perplexed() -> None:
    quick, good = figures(Q4_0, 1500, 16.0, 30.4), figures(IQ4_NL, 1500, 16.2, 30.3)
    assert decide([SLOW, quick, good], Rule()) is good


def test_the_original_stays_when_everything_else_is_too_perplexed() -> None:
    assert decide([SLOW, figures(Q4_0, 1500, 16, 31.0)], Rule()) is SLOW


@pytest.mark.parametrize(
    ("kernels", "best"),
    [({"AVX2", "AVX512_VNNI"}, Q4_MIX), ({"AVX2"}, Q4_MIX), ({"NEON", "DOTPROD"}, Q4_MIX)],
    ids=["avx512", "avx2", "arm"],
)
def test_four_bits_are_usual_where_kernels_are_quick_with_them(
    kernels: set[str], best: Quantization
) -> None:
    assert usual(kernels) is best
    assert usual({"SSE3", "AVX"}) is ORIGINAL


def test_the_original_stays_when_nothing_is_faster() -> None:
    assert decide([SLOW, figures(Q8_0, 300, 40, 29.0)], Rule()) is SLOW


# --- figures ---


def test_the_same_distribution_does_not_diverge() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (5, 40)).astype(np.float32)
    first, second = log_softmax(logits), log_softmax(logits + 7)
    assert np.exp(first).sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert divergence(first, second) == pytest.approx([0.0] * 5, abs=1e-5)


def test_another_distribution_diverges() -> None:
    expected = log_softmax(np.array([[2.0, 0.0, 0.0]], np.float32))
    found = log_softmax(np.array([[0.0, 0.0, 2.0]], np.float32))
    assert divergence(expected, found)[0] == pytest.approx(2 * (0.787 - 0.107), abs=0.01)


# --- a process of its own ---


def count(report: Report, to: int) -> int:
    report("counting", to, to)
    return os.getpid()


def refuse(_: Report, *_arguments: object) -> None:
    raise ModelLoadError("no")


def die(_: Report) -> None:
    os._exit(7)


def test_work_is_done_elsewhere_and_reported_here() -> None:
    seen: list[tuple[str, int, int]] = []
    assert own_process.run(count, lambda *what: seen.append(what), 3) != os.getpid()
    assert seen == [("counting", 3, 3)]


def test_an_error_of_the_process_comes_back_as_itself() -> None:
    with pytest.raises(ModelLoadError, match="no"):
        own_process.run(refuse, quiet)


def test_a_process_that_dies_is_noticed() -> None:
    with pytest.raises(ProcessDiedError, match="die ended with code 7"):
        own_process.run(die, quiet)


# --- choosing ---


@pytest.fixture
def files(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFiles:
    """A tiny model as the catalogue's default, fetched."""
    digest = file_sha256(tiny_model)
    model = NamedModel(DEFAULT_MODEL, WheelSource("none==0", "tiny.gguf"), digest)
    monkeypatch.setitem(CATALOGUE, DEFAULT_MODEL, model)
    monkeypatch.setenv("NPC_PATHS_CACHE", str(tmp_path / "cache"))
    files = ModelFiles(model, tmp_path / "cache", threads=1)
    files.path(ORIGINAL).parent.mkdir(parents=True)
    files.path(ORIGINAL).write_bytes(tiny_model.read_bytes())
    return files


def served(files: ModelFiles) -> Path:
    return resolve(DEFAULT_MODEL, ModelPlaces(files.cache_dir))


def test_a_chosen_quantization_is_resolved(files: ModelFiles) -> None:
    path = choose(files, Q8_0, quiet)
    assert served(files) == path == quantized_path(files.model, files.cache_dir, Q8_0)
    kinds = {tensor.tensor_type.name for tensor in GGUFReader(path).tensors}
    assert kinds == {"F32", "Q8_0"}


def test_a_file_that_is_there_is_not_made_again(files: ModelFiles) -> None:
    made = choose(files, Q8_0, quiet).stat()
    choose(files, ORIGINAL, quiet)
    assert served(files) == files.path(ORIGINAL)
    assert choose(files, Q8_0, quiet).stat().st_mtime_ns == made.st_mtime_ns


UNTRAINED: frozenset[str] = frozenset()


def test_a_plain_pull_keeps_what_was_chosen(files: ModelFiles) -> None:
    for chosen in (Q4_0, ORIGINAL):
        choose(files, chosen, quiet)
        assert ensure_chosen(files, UNTRAINED, quiet) == files.path(chosen) == served(files)


def test_the_first_pull_chooses_what_is_usual_on_this_cpu(files: ModelFiles) -> None:
    best = usual(cpu_kernels())
    assert ensure_chosen(files, UNTRAINED, quiet) == files.path(best) == served(files)
    assert ensure_chosen(files, UNTRAINED, quiet) == files.path(best)


def test_a_base_that_adapters_fit_is_not_changed(files: ModelFiles) -> None:
    trained = frozenset({"0" * 64, files.model.sha256})
    assert ensure_chosen(files, trained, quiet) == files.path(ORIGINAL) == served(files)


def test_what_is_usual_is_chosen_for_the_embedded_base_alone(files: ModelFiles) -> None:
    source = HubSource("a/b", "c.gguf", "0" * 40)
    hub_files = replace(files, model=replace(files.model, name="crier", source=source))
    hub_files.path(ORIGINAL).parent.mkdir()
    hub_files.path(ORIGINAL).write_bytes(files.path(ORIGINAL).read_bytes())
    assert ensure_chosen(hub_files, UNTRAINED, quiet) == hub_files.path(ORIGINAL)
    assert choose(hub_files, Q8_0, quiet).parent == hub_files.path(ORIGINAL).parent


def test_a_base_that_was_unpacked_to_train_on_is_not_changed(files: ModelFiles) -> None:
    dense_folder(files.cache_dir, files.model.sha256).mkdir(parents=True)
    assert ensure_chosen(files, UNTRAINED, quiet) == files.path(ORIGINAL) == served(files)


def test_a_cpu_that_nobody_measured_is_served_the_file_as_fetched(
    files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_choice, "cpu_kernels", lambda: frozenset({"SSE3"}))
    assert ensure_chosen(files, UNTRAINED, quiet) == files.path(ORIGINAL) == served(files)


def test_a_first_choice_that_cannot_be_made_says_how_to_do_without(
    files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_choice, "requantize", refuse)
    with pytest.raises(RequantizeError, match="npc model pull --quantize original"):
        ensure_chosen(files, UNTRAINED, quiet)
    assert served(files) == files.path(ORIGINAL)


@pytest.mark.parametrize("damage", [pytest.param(b"", id="lost"), pytest.param(b"x", id="changed")])
def test_a_chosen_file_that_is_lost_or_changed_is_not_served(
    files: ModelFiles, damage: bytes
) -> None:
    path = choose(files, Q8_0, quiet)
    whole = path.read_bytes()
    path.unlink()
    if damage:
        path.write_bytes(whole + damage)
    with pytest.raises(ModelUnavailableError, match=r"is not there|has changed"):
        served(files)
    assert ensure_chosen(files, UNTRAINED, quiet) == path
    assert path.read_bytes() == whole


def test_a_lost_file_that_comes_out_different_is_not_put_in_its_place(files: ModelFiles) -> None:
    path = choose(files, Q8_0, quiet)
    digest = file_sha256(path)
    record = choice_path(files.model, files.cache_dir)
    record.write_text(record.read_text().replace(digest, "f" * 64))
    with pytest.raises(ModelUnavailableError, match="made again it differs"):
        ensure_chosen(files, UNTRAINED, quiet)
    assert choose(files, Q8_0, quiet) == served(files)


@pytest.mark.parametrize(
    "text",
    ["{", "{}", '{"chosen": "q8_0", "files": {}, "date": "", "cpu": ""}', '{"chosen": "q3"}'],
    ids=["broken", "empty", "no-file", "unknown"],
)
def test_a_damaged_record_is_an_error_until_something_is_chosen(
    files: ModelFiles, text: str
) -> None:
    choice_path(files.model, files.cache_dir).write_text(text)
    for use in (served, lambda files: ensure_chosen(files, UNTRAINED, quiet)):
        with pytest.raises(ModelUnavailableError, match="Choose again with: npc model pull"):
            use(files)
    assert choose(files, ORIGINAL, quiet) == served(files)


def test_a_record_about_another_original_is_an_error(files: ModelFiles) -> None:
    choose(files, Q8_0, quiet)
    record = choice_path(files.model, files.cache_dir)
    record.write_text(record.read_text().replace(files.model.sha256, "0" * 64))
    with pytest.raises(ModelUnavailableError, match="about another original"):
        served(files)


def test_a_base_that_cannot_be_requantised_leaves_everything_as_it_was(files: ModelFiles) -> None:
    junk = b"no GGUF at all"
    files.path(ORIGINAL).write_bytes(junk)
    digest = file_sha256(files.path(ORIGINAL))
    model = NamedModel(DEFAULT_MODEL, WheelSource("none==0", "tiny.gguf"), digest)
    with pytest.raises(ModelLoadError, match="is no GGUF: it begins with"):
        choose(ModelFiles(model, files.cache_dir, 1), Q8_0, quiet)
    assert [path.name for path in files.path(ORIGINAL).parent.iterdir()] == ["tiny.gguf"]


def test_the_best_is_measured_recorded_and_served(files: ModelFiles) -> None:
    choose_best(files, quiet)
    choice = read_choice(files.model, files.cache_dir)
    assert choice is not None
    assert choice.trial is not None
    assert [one.quantization for one in choice.trial.candidates] == list(Quantization)
    assert decide(choice.trial.candidates, choice.trial.rule).quantization is choice.chosen
    assert file_sha256(served(files)) == choice.file.sha256
    assert not [p for p in served(files).parent.iterdir() if p.name.startswith(".")]


def test_a_trial_alone_changes_nothing(files: ModelFiles) -> None:
    trial = measure_all(files, quiet)
    original = trial.candidates[0]
    assert (original.quantization, original.kl_nats) == (ORIGINAL, 0.0)
    assert trial.cpu == base_choice.cpu_name() != ""
    assert list(files.path(ORIGINAL).parent.iterdir()) == [files.path(ORIGINAL)]


def test_the_command_takes_every_quantization_there_is() -> None:
    assert typing.get_args(pulling.Wanted) == (pulling.AUTO, *Quantization)


def test_the_command_tells_what_was_measured_and_lists_what_serves(files: ModelFiles) -> None:
    pulled = CliRunner().invoke(main.app, ["model", "pull", "--quantize", "auto"])
    assert pulled.exit_code == 0, pulled.output
    assert "perplexity" in pulled.output
    row, *_ = json.loads(CliRunner().invoke(main.app, ["model", "list", "--json"]).stdout)
    assert row["path"] == str(served(files))
    serving = next(file for file in row["files"] if file["path"] == row["path"])
    assert serving["quantization"] == row["quantization"]


# --- files ---


def test_importance_is_known_for_every_linear(tiny_model: Path) -> None:
    importance = importance_of(quiet, tiny_model, 1)
    names = {
        f"blk.{layer}.{linear.gguf}.weight": linear.columns
        for layer in range(tiny_gguf.LAYERS)
        for linear in tiny_gguf.LINEARS
    }
    assert {name: values.size for name, values in importance.items()} == names
    assert all((values > 0).all() for values in importance.values())


@pytest.fixture(scope="module")
def remade(real_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Quantization, Path]:
    """The real base in other quantizations."""
    folder = tmp_path_factory.mktemp("remade")
    targets = {q: folder / f"{q}.gguf" for q in (Q8_0, Q4_MIX, Q4_0)}
    own_process.run(requantize, quiet, real_model, targets, os.cpu_count() or 1)
    return targets


def weight(path: Path, name: str) -> npt.NDArray[np.float32]:
    """A weight as the trainer unpacks it."""
    tensor = next(tensor for tensor in GGUFReader(path).tensors if tensor.name == name)
    values: npt.NDArray[np.float32] = dequantize(tensor.data, tensor.tensor_type)
    return values


@pytest.mark.slow
@pytest.mark.real_model
def test_every_quantization_can_be_unpacked_for_training(
    real_model: Path, remade: dict[Quantization, Path]
) -> None:
    name = "blk.3.ffn_down.weight"
    whole = weight(real_model, name)
    size = np.abs(whole).mean()
    errors = {q: np.abs(weight(path, name) - whole).mean() / size for q, path in remade.items()}
    assert errors[Q8_0] < errors[Q4_MIX] < errors[Q4_0] < 0.1
    assert errors[Q8_0] < 0.01


@pytest.mark.slow
@pytest.mark.real_model
def test_the_mix_keeps_8_bits_where_4_hurt_most(remade: dict[Quantization, Path]) -> None:
    kinds = {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(remade[Q4_MIX]).tensors}
    assert kinds["blk.0.ffn_up.weight"] == kinds["blk.28.attn_q.weight"] == "Q4_0"
    assert kinds["blk.0.ffn_down.weight"] == "Q4_K"
    for name in ("token_embd.weight", "blk.7.attn_v.weight", "blk.29.ffn_up.weight"):
        assert kinds[name] == "Q8_0"


def test_what_quality_is_judged_by_was_not_fitted_to() -> None:
    fitted, judged = (
        set(re.split(r"[.?!:\n]+ *", text.read_text()))
        for text in (requantizing.TEXT, quantization_trial.TEXT)
    )
    shared = {sentence for sentence in fitted & judged if len(sentence.split()) > 2}
    assert shared == set()
