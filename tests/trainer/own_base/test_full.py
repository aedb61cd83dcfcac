"""What training all weights promises: a new GGUF that is served as it was trained."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from gguf import GGUFReader
from transformers import PreTrainedModel

from npc_server.engine.assembly import assemble
from npc_server.engine.llama import ContextShape
from npc_server.engine.protocol import EngineOptions, Request, Sampling
from npc_server.engine.vocab import Vocab
from tests.support import tiny_gguf
from tests.support.rows import edits, prompt_ids
from tests.support.watching import ignore
from trainer.base import ensure_base
from trainer.errors import AdapterError, BaseModelError, ConfigError
from trainer.held import Weights
from trainer.lora import StartingPoint, load_base
from trainer.own_base import full
from trainer.own_base.base_gguf import Precision, write_base
from trainer.own_base.training_task import TrainingTask
from trainer.progress import RunIO, RunResult
from trainer.rows.replay import Rows
from trainer.settings import Memory, Schedule

SMALL = full.Config(
    schedule=Schedule(
        learning_rate=5e-3, epochs=2, batch_rows=4, micro_batch_rows=4, continued_rate=1
    ),
    general_share=0,
)


@pytest.fixture(scope="module")
def trained(
    tiny_model: Path, base_dir: Path, tokenizer: Vocab, tmp_path_factory: pytest.TempPathFactory
) -> RunResult:
    out = tmp_path_factory.mktemp("base") / "new.gguf"
    start = StartingPoint(base_dir, tokenizer, None)
    rows = Rows(edits(8, tokenizer))
    return full.run(SMALL, TrainingTask(rows, (), tiny_model, start, out, RunIO(ignore)))


def changed(base_dir: Path) -> PreTrainedModel:
    """The base with other weights, norms included."""
    torch.manual_seed(0)
    model = load_base(base_dir)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return model


def test_training_leaves_one_file_and_lowers_the_loss(trained: RunResult) -> None:
    assert list(trained.adapter.parent.iterdir()) == [trained.adapter]
    assert trained.history[-1].loss < 0.9 * trained.history[0].loss
    assert (trained.rows, trained.steps) == (8, 4)


def test_every_weight_was_trained(trained: RunResult, tiny_model: Path, tmp_path: Path) -> None:
    before, after = (
        load_base(ensure_base(gguf, tmp_path)).state_dict()
        for gguf in (tiny_model, trained.adapter)
    )
    assert before.keys() == after.keys()
    assert not any(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_a_written_base_comes_back_weight_for_weight(architecture: str, tmp_path: Path) -> None:
    served = tiny_gguf.write_model(tmp_path / "served.gguf", architecture=architecture)
    model = changed(ensure_base(served, tmp_path / "cache"))
    write_base(model, served, tmp_path / "new.gguf", Precision.F32)
    back = load_base(ensure_base(tmp_path / "new.gguf", tmp_path / "cache")).state_dict()
    assert all(torch.equal(weight, back[name]) for name, weight in model.state_dict().items())


def test_sixteen_bits_halve_the_file(base_dir: Path, tiny_model: Path, tmp_path: Path) -> None:
    sizes = []
    for precision in Precision:
        out = tmp_path / f"{precision}.gguf"
        write_base(changed(base_dir), tiny_model, out, precision)
        sizes.append(sum(tensor.n_bytes for tensor in GGUFReader(out).tensors))
    assert sizes[1] < 0.51 * sizes[0]


def test_tokenizer_and_shape_are_those_of_the_served_file(
    trained: RunResult, tiny_model: Path
) -> None:
    old, new = (
        {name: field.contents() for name, field in GGUFReader(gguf).fields.items()}
        for gguf in (tiny_model, trained.adapter)
    )
    assert new == old


def test_the_engine_says_what_the_trained_model_says(
    trained: RunResult, tokenizer: Vocab, tmp_path: Path
) -> None:
    ids = prompt_ids("What of number 3?", tokenizer)
    model = load_base(ensure_base(trained.adapter, tmp_path))
    assert greedily_served(trained.adapter, ids, 12) == greedily_generated(model, ids, 12)


def greedily_served(gguf: Path, ids: Sequence[int], count: int) -> list[int]:
    """The engine's likeliest tokens, one after the other."""
    shape = ContextShape(sequences=1, context_tokens=512, threads=1)
    core = assemble(gguf, shape, EngineOptions(), lambda *_: None)
    said: list[int] = []
    for _ in range(count):
        one_token = Sampling(temperature=0, max_tokens=1)
        core.submit(Request(f"r{len(said)}", (*ids, *said), "", one_token))
        while core.busy:
            core.step()
        said.append(int(core._llama.logits(-1).argmax()))
    core.close()
    return said


def greedily_generated(model: PreTrainedModel, ids: Sequence[int], count: int) -> list[int]:
    said: list[int] = []
    with torch.no_grad():
        for _ in range(count):
            logits = model(input_ids=torch.tensor([[*ids, *said]])).logits
            said.append(int(logits[0, -1].argmax()))
    return said


def test_a_base_that_cannot_be_written_back_is_refused_before_training(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    served = tiny_gguf.write_model(tmp_path / "served.gguf", architecture="gemma3")
    start = StartingPoint(base_dir, tokenizer, None)
    rows, out = Rows(edits(4, tokenizer)), tmp_path / "new.gguf"
    with pytest.raises(BaseModelError, match="architecture 'gemma3', which cannot be written"):
        full.run(SMALL, TrainingTask(rows, (), served, start, out, RunIO(ignore)))


def test_a_full_disk_leaves_no_file(
    base_dir: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", no_room)
    with pytest.raises(BaseModelError, match="No space left"):
        write_base(changed(base_dir), tiny_model, tmp_path / "new.gguf", Precision.F32)
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_is_no_place_to_start_from(
    tiny_model: Path, base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    start = StartingPoint(base_dir, tokenizer, tmp_path / "parent")
    rows, out = Rows(edits(4, tokenizer)), tmp_path / "o"
    with pytest.raises(AdapterError, match="without an adapter"):
        full.run(SMALL, TrainingTask(rows, (), tiny_model, start, out, RunIO(ignore)))


def test_four_bits_are_refused() -> None:
    with pytest.raises(ConfigError, match="base is nf4; it must be float32 or auto"):
        replace(SMALL, memory=Memory(base=Weights.NF4))
