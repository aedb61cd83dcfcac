"""Adapters in integers of 16 bits."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npc_server.engine.lora.fixed_point import BLOCK, fixed_point
from npc_server.engine.lora.half_lora import HalfLora


def half(rank: int, columns: int, rows: int, seed: int = 0, size: float = 1.0) -> HalfLora:
    chance = np.random.default_rng(seed)
    a, b = (chance.standard_normal((rank, n)) * size for n in (columns, rows))
    return HalfLora({"up": a.astype(np.float16)}, {"up": b.astype(np.float16)}, rank)


def product(lora: HalfLora, bits: int = 16) -> npt.NDArray[np.float64]:
    """B·A of the fixed form."""
    fixed = fixed_point(lora, bits).matrices["up"]
    b = np.hstack(list(fixed.b.astype(float)))[:, : lora.b["up"].shape[1]]
    made: npt.NDArray[np.float64] = (b.T * fixed.scale) @ fixed.a.T.astype(float)
    return made


@given(
    st.integers(1, 20), st.integers(1, 90), st.integers(0, 9), st.sampled_from([1e-3, 1.0, 100.0])
)
def test_it_is_the_same_adapter_but_for_less_than_its_own_rounding(
    rank: int, rows: int, seed: int, size: float
) -> None:
    lora = half(rank, 24, rows, seed, size)
    wanted = lora.b["up"].T.astype(float) @ lora.a["up"].astype(float)
    assert np.abs(product(lora) - wanted).max() < 2**-11 * np.abs(wanted).max() + 1e-12


def test_in_8_bits_it_loses_about_a_hundredth() -> None:
    lora = half(16, 576, 576)
    wanted = lora.b["up"].T.astype(float) @ lora.a["up"].astype(float)
    lost = np.sqrt(np.mean((product(lora, 8) - wanted) ** 2) / np.mean(wanted**2))
    assert 0.002 < lost < 0.015


@pytest.mark.parametrize(("rank", "filled"), [(1, 8), (8, 8), (9, 16)])
def test_ranks_are_filled_up_with_zeros(rank: int, filled: int) -> None:
    fixed = fixed_point(half(rank, 8, 8), 16)
    assert fixed.rank == filled
    assert fixed.matrices["up"].a.shape == (8, filled)
    assert not fixed.matrices["up"].a[:, rank:].any()
    assert not fixed.matrices["up"].scale[rank:].any()


def test_a_matrix_of_zeros_stays_one() -> None:
    lora = half(4, 8, 8, size=0)
    assert not product(lora).any()


def test_it_takes_as_much_memory_as_the_floats_it_was_made_of_or_half() -> None:
    lora = half(16, 576, 3 * BLOCK)
    assert fixed_point(lora, 16).bytes == pytest.approx(lora.bytes, rel=0.01)
    assert fixed_point(lora, 8).bytes == pytest.approx(lora.bytes / 2, rel=0.01)
