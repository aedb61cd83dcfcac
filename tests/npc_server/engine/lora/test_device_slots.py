"""Slots that are written through ggml, as those of a GPU are; here in the CPU's own memory."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from npc_server.engine.assembly import assemble
from npc_server.engine.errors import MixingUnavailableError
from npc_server.engine.llama import ContextShape, Llama
from npc_server.engine.lora.carrier import set_carrier, survey
from npc_server.engine.lora.device_slots import DeviceSlots
from npc_server.engine.lora.ggml import NodeHook, Tensor, TensorMemory, weight_name
from npc_server.engine.lora.half_lora import Half, HalfLora
from npc_server.engine.lora.lora_gguf import linear_shapes
from npc_server.engine.lora.mixing import Mixer
from npc_server.engine.lora.products import Carried
from npc_server.engine.lora.self_test import _random_lora, require_mixing
from npc_server.engine.protocol import Batching, EngineOptions
from tests.support import tiny_gguf

RANK, SLOTS = 16, 3


@dataclass(frozen=True)
class Made:
    """A model whose adapters lie in device slots."""

    llama: Llama
    slots: DeviceSlots
    mixer: Mixer


def make(model: Path, sequences: int = SLOTS) -> Made:
    shape = ContextShape(sequences, context_tokens=128, batch_tokens=64, threads=1)
    linears, hook = linear_shapes(model), NodeHook()
    llama = Llama(model, shape, hook.callback)
    set_carrier(llama, linears, RANK)
    slots = DeviceSlots(survey(llama, hook, linears), sequences, llama.settle)
    return Made(llama, slots, Mixer(slots, hook))


@pytest.fixture
def made(tiny_model: Path) -> Iterator[Made]:
    found = make(tiny_model)
    yield found
    found.llama.close()


def content(stack: Tensor) -> Half:
    """All slots of a stack, as they lie in memory."""
    items = stack.ne[0] * stack.ne[1] * stack.ne[2]
    memory = (ctypes.c_uint16 * items).from_address(stack.data)
    return np.frombuffer(memory, np.float16).reshape(stack.ne[2], stack.ne[1], stack.ne[0])


def lora_of(slots: DeviceSlots, rank: int) -> HalfLora:
    whole = _random_lora(slots, 1)
    a = {name: np.ascontiguousarray(tensor[:rank]) for name, tensor in whole.a.items()}
    b = {name: np.ascontiguousarray(tensor[:rank]) for name, tensor in whole.b.items()}
    return HalfLora(a, b, rank)


@pytest.mark.parametrize("architecture", tiny_gguf.ARCHITECTURES)
def test_every_known_architecture_mixes(architecture: str, tmp_path: Path) -> None:
    model = tiny_gguf.write_model(tmp_path / "model.gguf", architecture=architecture)
    made = make(model)
    assert require_mixing(made.llama, made.mixer, made.slots).good


@pytest.mark.parametrize("sequences", [1, 2, 7, 17])
def test_any_number_of_sequences_mixes(sequences: int, tiny_model: Path) -> None:
    made = make(tiny_model, sequences)
    assert require_mixing(made.llama, made.mixer, made.slots).good


def test_a_slot_holds_what_was_loaded_padded_to_its_rank(made: Made) -> None:
    lora = lora_of(made.slots, rank=4)
    made.slots.load(1, lora, scale=0.5)
    for name, linear in made.slots.linears.items():
        a, b = content(linear.a_tensor), content(linear.b_tensor)
        assert (a[1, :4] == lora.a[name]).all()
        assert (b[1, :, :4] == lora.b[name].T * np.float16(0.5)).all()
        assert not a[1, 4:].any()
        assert not b[1, :, 4:].any()
        assert not b[[0, 2]].any()


def test_a_slot_is_copied_and_cleared_alone(made: Made) -> None:
    made.slots.load(0, lora_of(made.slots, RANK))
    made.slots.copy(0, 2)
    made.slots.clear(0)
    for linear in made.slots.linears.values():
        a, b = content(linear.a_tensor), content(linear.b_tensor)
        assert (a[2] == a[0]).all()
        assert b[2].any()
        assert not b[[0, 1]].any()


def test_buffers_are_no_larger_than_the_device_allows(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed: list[int] = []
    place = TensorMemory.place

    def watched(memory: TensorMemory, tensors: list[Tensor], beside: int) -> int:
        placed.append(len(tensors))
        return place(memory, tensors, beside)

    monkeypatch.setattr(TensorMemory, "place", watched)
    monkeypatch.setattr(TensorMemory, "most_bytes", lambda *_: 1 << 15)
    made = make(tiny_model)
    assert len(placed) > 3
    assert sum(placed) == 2 * len(made.slots.linears)
    assert require_mixing(made.llama, made.mixer, made.slots).good


def test_host_slots_never_touch_the_memory_of_a_device(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TensorMemory, "is_host", lambda *_: False)
    shape = ContextShape(2, context_tokens=128, batch_tokens=64, threads=1)
    stats = assemble(tiny_model, shape, EngineOptions(), lambda *_: None).stats()
    assert stats.batching is Batching.GROUPED
    assert "is computed in CPU_Mapped, not in host memory" in stats.batching_reason


def test_a_weight_that_the_graph_hides_fails_the_step(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_mixing(made.llama, made.mixer, made.slots)
    find = Carried.find

    def miss_one(carried: Carried, weight: int) -> object:
        known = find(carried, weight)
        return None if known and known[0].startswith("blk.0.attn_q.") else known

    monkeypatch.setattr(Carried, "find", miss_one)
    made.mixer._products._products.clear()  # type: ignore[attr-defined] # of devices
    with pytest.raises(MixingUnavailableError, match="showed 26 of 28 products of adapters"):
        require_mixing(made.llama, made.mixer, made.slots)


def test_a_copy_of_a_weight_goes_by_its_name() -> None:
    assert (
        weight_name(Tensor(name=b"CUDA0#blk.0.attn_q.weight.lora_a#0"))
        == "blk.0.attn_q.weight.lora_a"
    )
    assert weight_name(Tensor(name=b"blk.0.attn_q.weight.lora_a")) == "blk.0.attn_q.weight.lora_a"


def test_slots_in_other_memory_than_computes_are_never_read(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TensorMemory, "same_kind", lambda *_: False)
    with pytest.raises(MixingUnavailableError, match=r"lora_a is computed in \w+, not in CPU"):
        require_mixing(made.llama, made.mixer, made.slots)


def test_a_device_without_room_is_told(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = next(iter(made.slots.linears.values())).a_tensor.buffer
    memory = TensorMemory()
    monkeypatch.setattr(memory._base, "ggml_backend_buft_alloc_buffer", lambda *_: None)
    with pytest.raises(MixingUnavailableError, match="has no 0 MiB for the adapters"):
        memory.place([], beside)
