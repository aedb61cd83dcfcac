"""What a night needs of memory, and what there is."""

from pathlib import Path

import pytest

from npc_server.engine.settings import EngineSettings
from trainer import memory
from trainer.memory import MIB, BaseSize, base_size, needs
from trainer.settings import LoraShape, Memory, Optimizer, Weights

SMOLLM = BaseSize(
    file_bytes=98 * MIB,
    weights=134_000_000,
    linears=((576, 576), (576, 192), (576, 192), (576, 576), (576, 1536)) * 30,
    layers=30,
    width=576,
    vocabulary=49152,
    kv_width=2 * 192,
)


def test_the_least_is_the_frozen_base_and_what_is_trained() -> None:
    found = needs(SMOLLM, LoraShape(), Memory(), 4, 1024, EngineSettings())
    assert 134_000_000 * 4 < found.training_least < 134_000_000 * 4 + 100 * MIB
    assert found.training_likely > 2 * found.training_least


def test_each_trade_off_takes_less() -> None:
    def likely(made: Memory) -> int:
        return needs(SMOLLM, LoraShape(), made, 4, 1024, EngineSettings()).training_likely

    plain = likely(Memory())
    assert likely(Memory(base=Weights.NF4)) < plain
    assert likely(Memory(optimizer=Optimizer.PAGED_ADAMW_8BIT)) < plain
    assert likely(Memory(gradient_checkpointing=True)) < plain / 2


def test_the_gates_engine_holds_every_sequence() -> None:
    small, large = (
        needs(SMOLLM, LoraShape(), Memory(), 4, 1024, EngineSettings(context_tokens=tokens))
        for tokens in (1024, 8192)
    )
    cells = 8 * (8192 - 1024) * 30 * 2 * 192
    assert large.examining_least - small.examining_least == 2 * cells


def test_a_base_is_measured_by_its_header(tiny_model: Path) -> None:
    found = base_size(tiny_model)
    assert (found.layers, found.width, found.kv_width, len(found.linears)) == (2, 64, 64, 14)
    assert found.weights > found.vocabulary * found.width


def test_free_memory_is_read_where_the_system_says_it(tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    file.write_text("MemTotal: 9 kB\nMemAvailable:  4096 kB\nSwapFree: 1024 kB\n")
    assert memory._machine_bytes(file) == 5 * MIB
    assert memory._machine_bytes(tmp_path / "none") is None


@pytest.mark.parametrize(("limit", "left"), [("10485760", 7 * MIB), ("max", None)])
def test_a_containers_limit_counts(tmp_path: Path, limit: str, left: int | None) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{4 * MIB}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {MIB}\n")
    assert memory._cgroup_bytes(tmp_path) == left
