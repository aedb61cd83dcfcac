"""Products of rows with adapters, by our own kernels."""

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npc_server.engine.lora.fixed_point import BLOCK, LANES, integer_type
from npc_server.engine.lora.kernels import Product, kernels

Array = npt.NDArray[Any]
Function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True)
class Case:
    """A linear, slots and rows."""

    columns: int = 32
    outputs: int = 72
    ranks: tuple[int, ...] = (16, 8, 0)  # of each slot
    tokens: int = 1
    bits: int = 16


@dataclass(frozen=True)
class Given:
    """Its numbers."""

    a: Array  # [slots, columns, rank]
    b: Array  # [slots, blocks, rank, BLOCK]
    scale: Array
    x: Array  # [rows, columns]
    z: Array  # [rows, outputs]


RANK = 16


def given_of(case: Case, seed: int = 0) -> Given:
    chance = np.random.default_rng(seed)
    slots, blocks, rows = len(case.ranks), -(-case.outputs // BLOCK), len(case.ranks) * case.tokens
    kind = integer_type(case.bits)
    most = np.iinfo(kind).max
    return Given(
        chance.integers(-most, most + 1, (slots, case.columns, RANK), kind),
        chance.integers(-most, most + 1, (slots, blocks, RANK, BLOCK), kind),
        chance.random((slots, RANK), np.float32) / np.float32(most**2),
        chance.standard_normal((rows, case.columns), np.float32),
        chance.standard_normal((rows, case.outputs), np.float32),
    )


def computed(case: Case, numbers: Given, threads: int = 1) -> tuple[Array, Array]:
    """(h, y) by the kernels."""
    rows = len(numbers.x)
    h = np.full((rows, RANK), np.nan, np.float32)
    y = numbers.z.copy()  # in place, as ggml adds
    ranks, made = np.array(case.ranks, np.int64), kernels(case.bits)
    shared = {
        "scale": numbers.scale.ctypes.data,
        "ranks": ranks.ctypes.data,
        "rank": RANK,
        "slots": len(ranks),
        "tokens": case.tokens,
        "addend": y.ctypes.data,
    }
    for function, matrix, source, target, width in (
        (made.shrink, numbers.a, numbers.x, h, case.columns),
        (made.expand, numbers.b, h, y, case.outputs),
    ):
        addresses = (matrix.ctypes.data, source.ctypes.data, target.ctypes.data)
        names = ("matrix", "source", "target")
        product = Product(width=width, **dict(zip(names, addresses, strict=True)), **shared)
        for thread in range(threads):
            Function(function)(None, thread, threads, ctypes.addressof(product))
    return h, y


def expected(case: Case, numbers: Given) -> Array:
    """y, in 64 bits."""
    made = []
    for slot, rank in enumerate(case.ranks):
        a = numbers.a[slot, :, :rank].astype(float) * numbers.scale[slot, :rank]
        b = np.hstack(list(numbers.b[slot, :, :rank].astype(float)))[:, : case.outputs]
        made.append(numbers.x[slot * case.tokens : (slot + 1) * case.tokens].astype(float) @ a @ b)
    total: Array = numbers.z + np.concatenate(made)
    return total


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("tokens", [1, 3, 4, 9])
@pytest.mark.parametrize("outputs", [8, 64, 72, 192, 200])
def test_rows_meet_the_adapter_of_their_slot(tokens: int, outputs: int, bits: int) -> None:
    case = Case(outputs=outputs, tokens=tokens, bits=bits)
    numbers = given_of(case)
    _, y = computed(case, numbers)
    wanted = expected(case, numbers)
    assert np.abs(y - wanted).max() <= 1e-5 * np.abs(wanted).max()


@settings(deadline=None)
@given(
    columns=st.integers(1, 12).map(lambda n: 4 * n),
    outputs=st.integers(1, 30).map(lambda n: LANES * n),
    ranks=st.lists(st.sampled_from([0, 8, 16]), min_size=1, max_size=5).map(tuple),
    tokens=st.integers(1, 9),
    threads=st.integers(1, 5),
)
def test_threads_change_nothing(
    columns: int, outputs: int, ranks: tuple[int, ...], tokens: int, threads: int
) -> None:
    case = Case(columns, outputs, ranks, tokens)
    numbers = given_of(case)
    one, several = computed(case, numbers), computed(case, numbers, threads)
    assert np.array_equal(one[1], several[1])


@settings(deadline=None)
@given(slots=st.integers(1, 6), tokens=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_rows_result_is_the_same_in_any_batch_to_the_bit(
    slots: int, tokens: int, seed: int
) -> None:
    batch = Case(ranks=(16,) * slots, tokens=tokens)
    numbers = given_of(batch, seed)
    _, together = computed(batch, numbers)
    row = slots * tokens - 1  # of the last slot
    parts = numbers.a[-1:], numbers.b[-1:], numbers.scale[-1:]
    alone = Given(*parts, numbers.x[row:], numbers.z[row:])
    _, single = computed(Case(ranks=(16,)), alone)
    assert np.array_equal(together[row], single[0])


def test_the_bare_base_adds_nothing_whatever_lay_there() -> None:
    case = Case(ranks=(0, 0), tokens=5)
    numbers = given_of(case)
    _, y = computed(case, numbers)
    assert np.array_equal(y, numbers.z)
