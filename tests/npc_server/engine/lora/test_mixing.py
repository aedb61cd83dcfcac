"""Mixed batches against the stock library, on every kind of graph we know."""

from pathlib import Path

import pytest

from npc_server.engine.assembly import assemble
from npc_server.engine.core import EngineCore
from npc_server.engine.errors import MixingUnavailableError
from npc_server.engine.llama import ContextShape, Llama
from npc_server.engine.lora import self_test
from npc_server.engine.lora.lora_gguf import linear_shapes
from npc_server.engine.lora.mixing import Mixer
from npc_server.engine.lora.products import Tile
from npc_server.engine.lora.slots import SlotArena
from npc_server.engine.protocol import Batching, EngineOptions
from tests.support import tiny_gguf

SHAPE = ContextShape(sequences=3, context_tokens=128, batch_tokens=64, threads=1)


def core_of(model: Path, sequences: int = 3) -> EngineCore:
    shape = ContextShape(sequences, context_tokens=128, batch_tokens=64, threads=1)
    return assemble(model, shape, EngineOptions(), lambda *_: None)


@pytest.mark.parametrize("architecture", tiny_gguf.ARCHITECTURES)
def test_every_known_architecture_mixes(architecture: str, tmp_path: Path) -> None:
    model = tiny_gguf.write_model(tmp_path / "model.gguf", architecture=architecture)
    stats = core_of(model).stats()
    assert (stats.batching, stats.batching_reason) == (Batching.MIXED, "")


def test_mixing_is_as_exact_as_16_bits_where_arithmetic_is(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[self_test.Agreement] = []
    compare = self_test._compare

    def watched(llama: Llama, mixer: Mixer, arena: SlotArena) -> self_test.Agreement:
        found.append(compare(llama, mixer, arena))
        return found[-1]

    monkeypatch.setattr(self_test, "_compare", watched)
    core_of(tiny_model)
    # The stock library rounds A·x to F16 before it multiplies by B; mixing keeps it in F32.
    assert found[0].error <= 2**-10 * found[0].effect
    assert found[0].noise < 1e-3 < 0.1 < found[0].effect


@pytest.mark.parametrize("slot", [0, 2])
def test_the_self_test_notices_one_row_under_a_wrong_adapter(
    slot: int, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = SlotArena.load
    monkeypatch.setattr(
        SlotArena, "load", lambda arena, at, lora: at == slot or load(arena, at, lora)
    )
    stats = core_of(tiny_model).stats()
    assert stats.batching is Batching.GROUPED
    assert "self-test found logits off" in stats.batching_reason


def test_an_unknown_node_layout_falls_back_to_groups(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("npc_server.engine.lora.ggml._OBJECT_BYTES", 40)
    stats = core_of(tiny_model).stats()
    assert stats.batching is Batching.GROUPED
    assert "bytes in this llama.cpp" in stats.batching_reason


@pytest.mark.parametrize("sequences", [1, 2, 7, 11, 16, 17, 24])
def test_any_number_of_sequences_mixes(sequences: int, tiny_model: Path, tmp_path: Path) -> None:
    assert core_of(tiny_model, sequences).stats().batching is Batching.MIXED


@pytest.mark.parametrize("threads", [2, 3])
def test_it_mixes_whether_or_not_rows_and_outputs_come_out_even(
    threads: int, tiny_model: Path
) -> None:
    shape = ContextShape(sequences=3, context_tokens=128, batch_tokens=64, threads=threads)
    core = assemble(tiny_model, shape, EngineOptions(), lambda *_: None)
    assert core.stats().batching is Batching.MIXED


def test_rows_that_do_not_fit_their_tile_are_an_error() -> None:
    with pytest.raises(MixingUnavailableError, match="5 rows where"):
        Tile(0, 3, 1, uniform=False).rows_by_slot(5)


def test_a_paused_mixer_leaves_the_stock_library_alone(tiny_model: Path) -> None:
    arena = SlotArena(linear_shapes(tiny_model), 3, 16)
    mixer = Mixer(arena)
    llama = Llama(tiny_model, SHAPE, mixer.callback)
    plain = Llama(tiny_model, SHAPE)
    with mixer.pause():
        seen = [
            self_test._run(model, [0], lambda _: None, lambda: None) for model in (llama, plain)
        ]
    assert (seen[0] == seen[1]).all()
