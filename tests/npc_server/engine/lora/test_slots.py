"""Adapters in the memory that the model's graph reads."""

import numpy as np
import pytest

from npc_server.engine.lora.half_lora import HalfLora
from npc_server.engine.lora.slots import SlotArena

LINEARS = {"up": (8, 72), "down": (72, 8)}
RANK = 8


def lora(value: float, rank: int = RANK, names: tuple[str, ...] = ("up", "down")) -> HalfLora:
    a = {name: np.full((rank, LINEARS[name][0]), value, np.float16) for name in names}
    b = {name: np.full((rank, LINEARS[name][1]), value, np.float16) for name in names}
    return HalfLora(a, b, rank)


def effect(arena: SlotArena, slot: int, name: str = "up") -> float:
    """One entry of B·A of a slot: the same everywhere for these adapters."""
    linear = arena.linears[name]
    used = slice(0, linear.ranks[slot])
    b = np.hstack(list(linear.b[slot, :, used] * linear.scale[slot, used, None].astype(float)))
    product = b[:, : linear.rows].T @ linear.a[slot, :, used].T.astype(float)
    assert np.ptp(product) < 1e-5
    return round(float(product[0, 0]), 5)


@pytest.fixture
def arena() -> SlotArena:
    return SlotArena(LINEARS, slots=3, rank=RANK)


def test_a_new_slot_is_the_bare_base(arena: SlotArena) -> None:
    assert effect(arena, 0) == 0


def test_slots_do_not_touch_each_other(arena: SlotArena) -> None:
    arena.load(0, lora(1))
    arena.load(2, lora(2))
    assert [effect(arena, slot) for slot in range(3)] == [RANK, 0, 4 * RANK]


def test_a_smaller_rank_leaves_nothing_of_what_was_there(arena: SlotArena) -> None:
    arena.load(1, lora(5))
    arena.load(1, lora(1, rank=1))
    assert effect(arena, 1) == 1


def test_linears_that_an_adapter_leaves_alone_stay_the_base(arena: SlotArena) -> None:
    arena.load(1, lora(5))
    arena.load(1, lora(1, names=("up",)))
    assert (effect(arena, 1, "up"), effect(arena, 1, "down")) == (RANK, 0)


def test_the_scale_is_linear(arena: SlotArena) -> None:
    arena.load(0, lora(1), scale=0.5)
    assert effect(arena, 0) == RANK / 2


def test_a_cleared_slot_is_the_base_again(arena: SlotArena) -> None:
    arena.load(0, lora(1))
    arena.clear(0)
    assert effect(arena, 0) == 0


def test_a_copied_slot_is_the_same_adapter(arena: SlotArena) -> None:
    arena.load(0, lora(3))
    arena.copy(0, 2)
    assert effect(arena, 2) == effect(arena, 0) == 9 * RANK
