"""A training is held as exactly and as fast as memory allows, and refused with what to change."""

from dataclasses import replace

import pytest

from tests.support.held import IN_FLOAT32, LLAMA_8B
from trainer.errors import ConfigError
from trainer.held import Device, Held, Optimizer, Weights
from trainer.memory import ModelSize, training_need
from trainer.memory_plan import USED_SHARE, Hardware, Wish, fits, plan, relief, voice_place
from trainer.settings import LoraShape, Memory

GIB = 2**30
WISH = Wish(Memory(), LoraShape(), most_rows=4, least_rows=1, longest_tokens=512)
SMALL = ModelSize(134_000_000, ((576, 1536),) * 30, 30, 576, 49152)


def gpu(free_gib: float, has_bfloat16: bool = True) -> Hardware:
    return Hardware(Device.CUDA, "a GPU", int(free_gib * GIB), has_bfloat16)


def cpu(free_gib: float | None) -> Hardware:
    free = None if free_gib is None else int(free_gib * GIB)
    return Hardware(Device.CPU, "", free, has_bfloat16=True)


def test_with_room_nothing_is_traded() -> None:
    held = plan(LLAMA_8B, WISH, gpu(80))
    assert held == Held(Device.CUDA, Weights.BFLOAT16, True, Optimizer.ADAMW, False, 4)


def test_time_is_traded_before_precision() -> None:
    tight = plan(LLAMA_8B, WISH, gpu(22))
    assert (tight.weights, tight.gradient_checkpointing) == (Weights.BFLOAT16, True)


@pytest.mark.parametrize("free_gib", [10, 12, 16])
def test_a_base_that_does_not_fit_in_sixteen_bits_is_held_in_four(free_gib: float) -> None:
    held = plan(LLAMA_8B, WISH, gpu(free_gib))
    assert (held.weights, held.optimizer) == (Weights.NF4, Optimizer.PAGED_ADAMW_8BIT)
    assert held.in_bfloat16


@pytest.mark.parametrize("free_gib", [8, 10, 12, 16, 20, 24, 40, 80])
def test_what_is_chosen_fits(free_gib: float) -> None:
    held = plan(LLAMA_8B, WISH, gpu(free_gib))
    need = training_need(LLAMA_8B, WISH.lora, held, WISH.longest_tokens)
    assert need.likely <= free_gib * GIB * USED_SHARE


def test_fewer_rows_divide_a_batch_as_well() -> None:
    batches = {
        plan(LLAMA_8B, replace(WISH, most_rows=12), gpu(at)).rows_at_once for at in range(8, 80)
    }
    assert len(batches) > 2
    assert all(12 % rows == 0 for rows in batches)


def test_rows_that_are_measured_together_stay_together() -> None:
    together = replace(WISH, most_rows=8, least_rows=8)
    assert {plan(LLAMA_8B, together, gpu(at)).rows_at_once for at in range(10, 80)} == {8}


def test_a_gpu_without_bfloat16_computes_in_float32() -> None:
    small, large = (plan(model, WISH, gpu(15, False)) for model in (SMALL, LLAMA_8B))
    assert (small.weights, small.in_bfloat16) == (Weights.FLOAT32, False)
    assert (large.weights, large.in_bfloat16) == (Weights.NF4, False)


@pytest.mark.parametrize("free_gib", [1, 8, None])
def test_on_a_cpu_the_base_stays_exact(free_gib: float | None) -> None:
    held = plan(SMALL, WISH, cpu(free_gib))
    assert (held.weights, held.optimizer) == (Weights.FLOAT32, Optimizer.ADAMW)
    assert held.gradient_checkpointing == (free_gib == 1)


def test_a_setting_is_kept_whatever_memory_there_is() -> None:
    memory = Memory(base=Weights.NF4, optimizer=Optimizer.ADAMW, gradient_checkpointing=True)
    held = plan(SMALL, replace(WISH, memory=memory), gpu(80))
    assert held == Held(Device.CUDA, Weights.NF4, True, Optimizer.ADAMW, True, 4)


@pytest.mark.parametrize(
    ("base", "hardware", "why"),
    [
        (Weights.BFLOAT16, gpu(80, False), "a GPU does not compute with bfloat16"),
        (Weights.NF4, Hardware(Device.MPS, "", None, False), "on mps"),
    ],
)
def test_what_a_device_cannot_do_is_refused(base: Weights, hardware: Hardware, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        plan(SMALL, replace(WISH, memory=Memory(base=base)), hardware)


def test_weights_that_do_not_fit_are_refused_with_both_numbers() -> None:
    with pytest.raises(ConfigError, match=r"takes \d+ MiB or more on cuda \(a GPU\), and 4096 MiB"):
        plan(LLAMA_8B, WISH, gpu(4))
    exact = replace(WISH, memory=Memory(base=Weights.BFLOAT16))
    with pytest.raises(ConfigError, match='set base = "nf4"'):
        plan(LLAMA_8B, exact, gpu(12))


ALL_WEIGHTS = replace(WISH, lora=None, memory=Memory(base=Weights.FLOAT32))


def test_all_weights_are_planned_with_their_gradients_and_moments() -> None:
    with_room, tight = (plan(SMALL, ALL_WEIGHTS, cpu(free)) for free in (16, 5))
    assert (with_room.gradient_checkpointing, tight.gradient_checkpointing) == (False, True)
    least = training_need(SMALL, None, with_room, WISH.longest_tokens).least
    assert least == 4 * 4 * SMALL.weights


def test_all_weights_that_do_not_fit_are_refused_with_what_would() -> None:
    advice = r'1024 MiB are free; set optimizer = "paged_adamw_8bit" .*without --full'
    with pytest.raises(ConfigError, match=advice):
        plan(SMALL, ALL_WEIGHTS, cpu(1))


def test_rows_that_may_not_fit_are_tried_in_the_most_frugal_way() -> None:
    long = replace(WISH, longest_tokens=65536)
    held = plan(LLAMA_8B, long, gpu(12))
    assert (held.weights, held.rows_at_once) == (Weights.NF4, 1)
    assert not fits(LLAMA_8B, long, held, gpu(12))


@pytest.mark.parametrize(
    ("held", "setting"),
    [
        (IN_FLOAT32, "gradient_checkpointing = true"),
        (replace(IN_FLOAT32, gradient_checkpointing=True), "micro_batch_rows = 2"),
        (replace(IN_FLOAT32, gradient_checkpointing=True, rows_at_once=1), 'base = "nf4"'),
    ],
)
def test_when_memory_runs_out_the_next_setting_is_named(held: Held, setting: str) -> None:
    assert relief(held, least_rows=1) == setting


@pytest.mark.parametrize(
    ("free_gib", "place"),
    [
        (80, (Device.CUDA, Weights.FLOAT32)),
        (24, (Device.CUDA, Weights.BFLOAT16)),
        (12, (Device.CPU, Weights.FLOAT32)),
    ],
)
def test_a_voice_is_never_scored_in_four_bits(
    free_gib: float, place: tuple[Device, Weights]
) -> None:
    assert voice_place(LLAMA_8B, gpu(free_gib)) == place
