"""Memory is planned before anything is loaded, and the plan is what llama.cpp then takes."""

from dataclasses import replace
from pathlib import Path

import pytest

from npc_server.engine.base_figures import BaseFigures, LayerFigures, read_figures
from npc_server.engine.devices import Device, DeviceKind
from npc_server.engine.errors import KvTypeError, NoRoomError
from npc_server.engine.llama import ContextShape, Llama
from npc_server.engine.lora.lora_gguf import linear_shapes
from npc_server.engine.lora.slots import SlotArena, slot_rank
from npc_server.engine.memory_plan import (
    MIB,
    Load,
    fitting_layers,
    memory_plan,
    require_kv_type,
    require_room,
)
from npc_server.engine.placement import Placement
from npc_server.engine.protocol import EngineOptions, KvType
from tests.support.allocations import allocations
from tests.support.sized_gguf import SIZED, write_sized

GIB = 1 << 30
#: Some 7 GiB of weights, and 0.5 GiB of keys and values at 8 x 1,024 tokens.
LARGE = BaseFigures(
    layers=(LayerFigures(200 * MIB, 512, 512, 60_000),) * 32,
    input_bytes=300 * MIB,
    output_bytes=300 * MIB,
    tied=False,
    width=4096,
    feed_forward=11008,
    fused=False,
    vocabulary=32000,
    head_width=128,
    windowed=False,
    quantized=True,
)
LOAD = Load(LARGE, ContextShape(logit_rows=8), EngineOptions())
CPU = Placement()


def gpu(free: int, name: str = "CUDA0") -> Device:
    return Device(name, "a card", "CUDA", DeviceKind.GPU, free, free)


def reshaped(**changes: object) -> Load:
    return replace(LOAD, shape=replace(LOAD.shape, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("kv_type", [KvType.F16, KvType.Q8_0])
@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_the_plan_is_what_llama_cpp_allocates(
    architecture: str, kv_type: KvType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_sized(tmp_path / "sized.gguf", SIZED[architecture])
    require_agreement(model, kv_type, monkeypatch)


def test_the_plan_of_the_embedded_base_is_what_llama_cpp_allocates(
    real_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_agreement(real_model, KvType.F16, monkeypatch)


def require_agreement(model: Path, kv_type: KvType, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = ContextShape(4, context_tokens=512, threads=1, kv_type=kv_type, logit_rows=4)
    with allocations(monkeypatch) as found:
        llama = Llama(model, shape)
    llama.close()
    (share,) = memory_plan(Load(read_figures(model), shape, EngineOptions()), CPU, None).shares
    working = found["CPU", "compute"] + found["CPU", "output"]
    # What is packed anew for this CPU is read from the file once, and given back.
    allocated = found["CPU_Mapped", "model"] + found["CPU", "KV"] + working
    assert share.kv / MIB == pytest.approx(found["CPU", "KV"], rel=0.01)
    assert share.working / MIB == pytest.approx(working, rel=0.1)
    assert (share.total - share.adapters) / MIB == pytest.approx(allocated, rel=0.1)


def test_slots_are_planned_as_they_are_kept(real_model: Path) -> None:
    linears, options = linear_shapes(real_model), EngineOptions(max_rank=8)
    figures = read_figures(real_model)
    load = Load(figures, ContextShape(sequences=4), options)
    (share,) = memory_plan(load, CPU, None).shares
    arena = SlotArena(linears, 4, slot_rank(8), figures.adapter_bits)
    slots = sum(x.a.nbytes + x.b.nbytes for x in arena.linears.values())
    carrier = sum(columns + rows for columns, rows in linears.values()) * slot_rank(8) * 2
    assert share.adapters == pytest.approx(slots + carrier, rel=0.1)


def test_a_plan_adds_up_over_devices() -> None:
    placement = Placement((gpu(8 * GIB), gpu(4 * GIB, "CUDA1")), gpu_layers=21)
    host, first, second = memory_plan(LOAD, placement, 64 * GIB).shares
    assert (host.device, first.device, second.device) == ("CPU", "CUDA0", "CUDA1")
    weights = host.weights + first.weights + second.weights
    assert weights == LARGE.input_bytes + LARGE.output_bytes + 32 * 200 * MIB
    assert first.weights == 14 * 200 * MIB  # two thirds of 21, the output not among them
    assert host.kv + first.kv + second.kv == 8 * 1024 * 32 * 1024 * 2


def test_a_tied_head_lies_on_the_gpu_once_more() -> None:
    tied = replace(LOAD, base=replace(LARGE, tied=True, output_bytes=MIB))
    host, card = memory_plan(tied, Placement((gpu(64 * GIB),), 33), 64 * GIB).shares
    assert host.weights == LARGE.input_bytes
    assert card.weights == LARGE.input_bytes + MIB + 32 * 200 * MIB


def test_auto_takes_what_fits_and_leaves_the_driver_its_part() -> None:
    assert fitting_layers(LOAD, Placement((gpu(64 * GIB),))) == 33
    assert fitting_layers(LOAD, CPU) == 0
    some = fitting_layers(LOAD, Placement((gpu(4 * GIB),)))
    (_, card) = memory_plan(LOAD, Placement((gpu(4 * GIB),), some), None).shares
    assert 10 < some < 20
    assert card.total < 3.5 * GIB < card.total + 2 * 216 * MIB


def test_too_many_layers_are_refused_with_the_number_that_fits() -> None:
    with pytest.raises(NoRoomError, match=r"CUDA0: [\d,]+ MiB .* 4,096 MiB free") as refused:
        require_room(LOAD, Placement((gpu(4 * GIB),), 33), None)
    fitting = int(str(refused.value).rpartition("gpu_layers = ")[2].removesuffix(" would fit"))
    require_room(LOAD, Placement((gpu(4 * GIB),), fitting), None)
    with pytest.raises(NoRoomError):
        require_room(LOAD, Placement((gpu(4 * GIB),), fitting + 1), None)


@pytest.mark.parametrize(
    ("load", "free", "remedy"),
    [
        (reshaped(context_tokens=8192), 10 * GIB, "context_tokens = 4096 would fit"),
        (reshaped(sequences=64, context_tokens=256), 9 * GIB, "sequences = 32 would fit"),
        (LOAD, GIB, "take a smaller base"),
    ],
)
def test_too_little_memory_is_refused_with_the_setting_that_fits(
    load: Load, free: int, remedy: str
) -> None:
    with pytest.raises(NoRoomError, match=remedy):
        require_room(load, CPU, free)


def test_a_machine_that_says_nothing_of_its_memory_is_trusted() -> None:
    silent = replace(gpu(0), total_bytes=0)
    assert require_room(LOAD, Placement((silent,), 33), None).lacking == ()


def test_blocks_that_do_not_fit_a_head_are_refused() -> None:
    odd = replace(reshaped(kv_type=KvType.Q8_0), base=replace(LARGE, head_width=80))
    with pytest.raises(KvTypeError, match="blocks of 32 numbers, and a head of this base has 80"):
        require_kv_type(odd)
    require_kv_type(reshaped(kv_type=KvType.Q8_0))
