"""What a night needs of memory."""

from dataclasses import replace
from pathlib import Path

import pytest

from npc_server.engine.settings import EngineSettings
from tests.support.held import IN_FLOAT32, LLAMA_8B
from trainer.held import Device, Held, Optimizer, Weights
from trainer.lora import model_size
from trainer.memory import MIB, BaseSize, ModelSize, base_size, engine_least, training_need
from trainer.settings import LoraShape

SMOLLM = ModelSize(
    weights=134_000_000,
    linears=((576, 576), (576, 192), (576, 192), (576, 576), (576, 1536)) * 30,
    layers=30,
    width=576,
    vocabulary=49152,
)


def test_the_least_is_the_frozen_base_and_what_is_trained() -> None:
    found = training_need(SMOLLM, LoraShape(), IN_FLOAT32, 1024)
    assert 134_000_000 * 4 < found.least < 134_000_000 * 4 + 100 * MIB
    assert found.likely > 2 * found.least


@pytest.mark.parametrize(
    "frugal",
    [
        replace(IN_FLOAT32, weights=Weights.NF4),
        replace(IN_FLOAT32, weights=Weights.BFLOAT16, in_bfloat16=True),
        replace(IN_FLOAT32, optimizer=Optimizer.PAGED_ADAMW_8BIT),
        replace(IN_FLOAT32, gradient_checkpointing=True),
        replace(IN_FLOAT32, rows_at_once=2),
    ],
    ids=["nf4", "bfloat16", "8 bits", "checkpointing", "fewer rows"],
)
def test_each_trade_off_takes_less(frugal: Held) -> None:
    def likely(held: Held) -> int:
        return training_need(SMOLLM, LoraShape(), held, 1024).likely

    assert likely(frugal) < likely(IN_FLOAT32)


#: The figures of two bases of random weights: SmolLM2's of 135M, and a wider one with fewer layers.
SLIM = ModelSize(
    weights=134_480_000,
    linears=((576, 576), (576, 192), (576, 192), (576, 576), *[(576, 1536)] * 3) * 30,
    layers=30,
    width=576,
    vocabulary=49152,
)
WIDE = ModelSize(
    weights=200_800_000,
    linears=((1024, 1024), (1024, 256), (1024, 256), (1024, 1024), *[(1024, 2816)] * 3) * 12,
    layers=12,
    width=1024,
    vocabulary=32000,
)
AGAIN = replace(IN_FLOAT32, gradient_checkpointing=True)


@pytest.mark.parametrize(
    ("model", "shape", "held", "longest", "taken_mib"),
    [
        pytest.param(SLIM, LoraShape(), IN_FLOAT32, 316, 2962, id="slim"),
        pytest.param(SLIM, LoraShape(), AGAIN, 316, 1635, id="slim-again"),
        pytest.param(WIDE, LoraShape(), IN_FLOAT32, 339, 2466, id="wide"),
        pytest.param(WIDE, LoraShape(), AGAIN, 339, 1652, id="wide-again"),
        pytest.param(SLIM, None, replace(IN_FLOAT32, rows_at_once=2), 337, 3303, id="all-weights"),
    ],
)
def test_what_a_cpu_took_was_planned(
    model: ModelSize, shape: LoraShape | None, held: Held, longest: int, taken_mib: int
) -> None:
    planned_mib = training_need(model, shape, held, longest).likely / MIB
    assert taken_mib <= planned_mib <= 1.25 * taken_mib


def test_eight_billion_weights_in_four_bits_take_what_qlora_is_known_for() -> None:
    held = Held(Device.CUDA, Weights.NF4, True, Optimizer.PAGED_ADAMW_8BIT, True, 1)
    need = training_need(LLAMA_8B, LoraShape(), held, 512)
    assert 5 < need.least / 2**30 < 7
    assert need.likely / 2**30 < 8


def test_the_gates_engine_holds_every_sequence() -> None:
    base = BaseSize(SMOLLM, file_bytes=98 * MIB, kv_width=2 * 192)
    small, large = (
        engine_least(base, EngineSettings(context_tokens=tokens)) for tokens in (1024, 8192)
    )
    assert large - small == 2 * 8 * (8192 - 1024) * 30 * 2 * 192


def test_a_base_has_the_same_size_in_its_header_and_unpacked(
    tiny_model: Path, base_dir: Path
) -> None:
    served = base_size(tiny_model)
    assert (served.model.layers, served.model.width, served.kv_width) == (2, 64, 64)
    unpacked = model_size(base_dir)
    assert sorted(unpacked.linears) == sorted(served.model.linears)
    assert replace(unpacked, linears=()) == replace(served.model, linears=())
