"""Products of rows with adapters, compiled for this CPU when the engine starts.

Every row of a batch may meet another adapter, and an adapter's rank is a handful of numbers; ggml
has fast products for neither. So two operations of our own take their place in its graph:

  shrink   h[row, r] = scale[slot, r] · sum over c of x[row, c] · A[slot, c, r]
  expand   y[row, o] = z[row, o] + sum over r of h[row, r] · B[slot, r, o]

Matrices are integers, see `fixed_point`. A lane of a vector (one register with AVX2, half of one
with AVX-512) is one r or one o. So a sum is never spread over lanes, and it runs in one order
whatever the number of rows and threads: a row's result is the same in any batch, to the bit.

They are written in LLVM's intermediate language. C would need a compiler on every machine that
serves, and there is little of it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]  # has no types

from npc_server.engine.errors import MixingUnavailableError
from npc_server.engine.lora.fixed_point import BLOCK, LANES

CHAINS = 4  # partial sums of a product, so that one addition need not wait for the last

_ROWS_AT_ONCE = 4  # rows of one slot that share what is read of its matrix
_VECTORS_AT_ONCE = {1: BLOCK // LANES, _ROWS_AT_ONCE: 2}  # of outputs, by rows

_BYTE, _INT, _LONG = (ir.IntType(bits) for bits in (8, 32, 64))
_FLOAT = ir.FloatType()
_FLOATS = ir.VectorType(_FLOAT, LANES)
_ZEROS = ir.Constant(_FLOATS, [0.0] * LANES)
_FLOAT_BYTES, _LONG_BYTES = 4, 8


_FIELDS = (
    "matrix",  # integers: A is [slots, width, rank], B is [slots, width / BLOCK, rank, BLOCK]
    "scale",  # float32, [slots, rank]
    "ranks",  # int64, [slots]: how much of `rank` is in use, a multiple of LANES
    "source",  # float32: x is [rows, width], h is [rows, rank]
    "target",  # float32: h is [rows, rank], y is [rows, width]
    "addend",  # float32: z is [rows, width], and may lie where y does
    "rank",
    "width",  # inputs of A or outputs of B
    "slots",
    "tokens",  # rows of each slot
)


class Product(ctypes.Structure):
    """What a kernel works on: addresses, and sizes in numbers. Rows lie slot by slot."""

    _fields_ = tuple((name, ctypes.c_int64) for name in _FIELDS)


@dataclass(frozen=True)
class Kernels:
    """Addresses of the compiled functions, of the kind that ggml's custom operations call."""

    shrink: int
    expand: int
    _owner: Any  # keeps the code


@cache
def kernels(bits: int) -> Kernels:
    """Compile for integers of 8 or 16 bits, once a process; takes a fifth of a second.

    Raises MixingUnavailableError.
    """
    try:
        return _compile(bits)
    except (RuntimeError, OSError) as error:
        raise MixingUnavailableError(f"no code can be compiled here: {error}") from error


def _compile(bits: int) -> Kernels:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = binding.get_host_cpu_features().flatten()
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=features, opt=3
    )
    module = binding.parse_assembly(source(bits))
    module.verify()
    passes = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(2))
    passes.getModulePassManager().run(module, passes)
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    shrink, expand = map(engine.get_function_address, ("shrink", "expand"))
    return Kernels(shrink, expand, engine)


def source(bits: int) -> str:
    """Both kernels in LLVM's intermediate language."""
    module = ir.Module("adapters")
    module.triple = binding.get_process_triple()
    _shrink(_Function(module, "shrink", bits))
    _expand(_Function(module, "expand", bits))
    return str(module)


class _Function:
    """A kernel being written: `void (tensor, thread, threads, product)`, as ggml calls it."""

    def __init__(self, module: ir.Module, name: str, bits: int) -> None:
        self._integer = ir.IntType(bits)
        self.item_bytes = bits // 8  # of a number of a matrix
        pointer = _BYTE.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, _INT, _INT, pointer])
        self._module = module
        self._function = ir.Function(module, kind, name)
        self.at = ir.IRBuilder(self._function.append_basic_block("entry"))
        _, thread, threads, product = self._function.args
        self._thread = self.at.sext(thread, _LONG)
        self._threads = self.at.sext(threads, _LONG)
        longs = self.at.bitcast(product, _LONG.as_pointer())
        self.product = {
            name: self.at.load(self.at.gep(longs, [number(i)])) for i, name in enumerate(_FIELDS)
        }

    @contextmanager
    def loop(
        self, start: ir.Value, end: ir.Value, step: int, carried: Sequence[ir.Value] = ()
    ) -> Iterator[_Loop]:
        """Write the body of a loop over [start, end), which carries values from turn to turn."""
        before = self.at.block
        head, body, done = (self._function.append_basic_block(n) for n in ("head", "body", "done"))
        self.at.branch(head)
        self.at.position_at_end(head)
        index = self.at.phi(_LONG)
        index.add_incoming(start, before)
        values = [self.at.phi(value.type) for value in carried]
        for value, first in zip(values, carried, strict=True):
            value.add_incoming(first, before)
        self.at.cbranch(self.at.icmp_signed("<", index, end), body, done)
        self.at.position_at_end(body)
        turn = _Loop(index, values, values)
        yield turn
        index.add_incoming(self.at.add(index, number(step)), self.at.block)
        for value, following in zip(values, turn.following, strict=True):
            value.add_incoming(following, self.at.block)
        self.at.branch(head)
        self.at.position_at_end(done)

    def part(self, units: ir.Value) -> tuple[ir.Value, ir.Value]:
        """The [start, end) of so many units that this thread does."""
        following = self.at.add(self._thread, number(1))
        first, end = (self.at.mul(units, share) for share in (self._thread, following))
        return self.at.sdiv(first, self._threads), self.at.sdiv(end, self._threads)

    def total(self, *factors: ir.Value | int) -> ir.Value:
        """The product of numbers."""
        first, *others = (f if isinstance(f, ir.Value) else number(f) for f in factors)
        for other in others:
            first = self.at.mul(first, other)
        return first

    def sum(self, *terms: ir.Value) -> ir.Value:
        """The sum of numbers."""
        first, *others = terms
        for other in others:
            first = self.at.add(first, other)
        return first

    def least(self, one: ir.Value, other: ir.Value) -> ir.Value:
        """The smaller of two numbers."""
        return self.at.select(self.at.icmp_signed("<", one, other), one, other)

    def load(self, address: ir.Value, kind: ir.Type, align: int) -> ir.Value:
        """What lies at an address."""
        value = self.at.load(self.at.inttoptr(address, kind.as_pointer()))
        value.align = align
        return value

    def long(self, address: ir.Value) -> ir.Value:
        """A 64-bit integer."""
        return self.load(address, _LONG, _LONG_BYTES)

    def floats(self, address: ir.Value) -> ir.Value:
        """A vector of floats."""
        return self.load(address, _FLOATS, _FLOAT_BYTES)

    def integers(self, address: ir.Value) -> ir.Value:
        """A vector of a matrix, as floats."""
        numbers = self.load(address, ir.VectorType(self._integer, LANES), self.item_bytes)
        return self.at.sitofp(self.at.sext(numbers, ir.VectorType(_INT, LANES)), _FLOATS)

    def everywhere(self, address: ir.Value) -> ir.Value:
        """A float, in every lane."""
        undefined = ir.Constant(_FLOATS, ir.Undefined)
        one = self.at.insert_element(
            undefined, self.load(address, _FLOAT, _FLOAT_BYTES), ir.Constant(_INT, 0)
        )
        lanes = ir.Constant(ir.VectorType(_INT, LANES), [0] * LANES)
        return self.at.shuffle_vector(one, undefined, lanes)

    def store(self, values: ir.Value, address: ir.Value) -> None:
        """Store a vector of floats."""
        made = self.at.store(values, self.at.inttoptr(address, _FLOATS.as_pointer()))
        made.align = _FLOAT_BYTES

    def add_product(self, one: ir.Value, other: ir.Value, to: ir.Value) -> ir.Value:
        """one · other + to, rounded once where the CPU can."""
        name = f"llvm.fmuladd.v{LANES}f32"
        kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
        known = self._module.globals.get(name) or ir.Function(self._module, kind, name)
        return self.at.call(known, [one, other, to])


@dataclass
class _Loop:
    """A loop whose body is being written."""

    index: ir.Value
    values: list[ir.Value]  # carried here from the turn before
    following: list[ir.Value]  # carried to the next turn


def number(value: int) -> ir.Constant:
    """A 64-bit integer."""
    return ir.Constant(_LONG, value)


def _shrink(code: _Function) -> None:
    """Units of work: a vector of ranks of some rows of one slot."""
    tokens = code.product["tokens"]
    full = code.at.sdiv(tokens, number(_ROWS_AT_ONCE))
    blocked = code.total(full, _ROWS_AT_ONCE)
    _shrink_rows(code, _ROWS_AT_ONCE, number(0), full)
    _shrink_rows(code, 1, blocked, code.at.sub(tokens, blocked))
    code.at.ret_void()


def _shrink_rows(code: _Function, rows: int, first: ir.Value, blocks: ir.Value) -> None:
    """Rows of each slot from `first` on, `rows` at once."""
    at, given = code.at, code.product
    per_slot = code.total(blocks, at.sdiv(given["rank"], number(LANES)))
    first_unit, end_unit = code.part(code.total(given["slots"], per_slot))
    with code.loop(first_unit, end_unit, 1) as unit:
        slot, within = at.sdiv(unit.index, per_slot), at.srem(unit.index, per_slot)
        rank = code.total(at.sdiv(within, blocks), LANES)
        row = code.sum(first, code.total(at.srem(within, blocks), rows))
        in_use = code.long(code.sum(given["ranks"], code.total(slot, _LONG_BYTES)))
        with at.if_then(at.icmp_signed("<", rank, in_use)):
            _shrink_unit(code, slot, rank, code.sum(code.total(slot, given["tokens"]), row), rows)


def _shrink_unit(code: _Function, slot: ir.Value, rank: ir.Value, row: ir.Value, rows: int) -> None:
    """h[row:row + rows, rank:rank + LANES]."""
    given = code.product
    matrix = code.sum(
        given["matrix"],
        code.total(slot, given["width"], given["rank"], code.item_bytes),
        code.total(rank, code.item_bytes),
    )
    step = code.total(given["rank"], code.item_bytes)
    lines = [code.sum(row, number(i)) for i in range(rows)]
    inputs = [code.sum(given["source"], code.total(n, given["width"], _FLOAT_BYTES)) for n in lines]
    with code.loop(number(0), given["width"], CHAINS, [_ZEROS] * (rows * CHAINS)) as column:
        sums = list(column.values)
        for chain in range(CHAINS):
            place = code.sum(column.index, number(chain))
            weights = code.integers(code.sum(matrix, code.total(place, step)))
            for i, line in enumerate(inputs):
                value = code.everywhere(code.sum(line, code.total(place, _FLOAT_BYTES)))
                own = CHAINS * i + chain
                sums[own] = code.add_product(value, weights, sums[own])
        column.following = sums
    ranks = code.sum(code.total(slot, given["rank"]), rank)
    scale = code.floats(code.sum(given["scale"], code.total(ranks, _FLOAT_BYTES)))
    for i, line in enumerate(lines):
        a, b, c, d = column.values[CHAINS * i : CHAINS * (i + 1)]
        whole = code.at.fmul(code.at.fadd(code.at.fadd(a, b), code.at.fadd(c, d)), scale)
        place = code.sum(code.total(line, given["rank"]), rank)
        code.store(whole, code.sum(given["target"], code.total(place, _FLOAT_BYTES)))


def _expand(code: _Function) -> None:
    """Threads share the outputs out, in blocks; each does all rows of its own."""
    at, given = code.at, code.product
    blocks = at.sdiv(code.sum(given["width"], number(BLOCK - 1)), number(BLOCK))
    first, end = (code.total(block, BLOCK) for block in code.part(blocks))
    outputs = first, code.least(end, given["width"])
    full = code.total(at.sdiv(given["tokens"], number(_ROWS_AT_ONCE)), _ROWS_AT_ONCE)
    with code.loop(number(0), given["slots"], 1) as slot:
        for rows, start, stop in (
            (_ROWS_AT_ONCE, number(0), full),
            (1, full, given["tokens"]),
        ):
            with code.loop(start, stop, rows) as token:
                row = code.sum(code.total(slot.index, given["tokens"]), token.index)
                _expand_rows(code, slot.index, row, rows, outputs)
    at.ret_void()


def _expand_rows(
    code: _Function,
    slot: ir.Value,
    row: ir.Value,
    rows: int,
    outputs: tuple[ir.Value, ir.Value],
) -> None:
    """y[row:row + rows, outputs]: most of it many vectors at once, the rest one by one."""
    start, end = outputs
    wide = LANES * _VECTORS_AT_ONCE[rows]
    whole = code.total(code.at.sdiv(code.at.sub(end, start), number(wide)), wide)
    middle = code.sum(start, whole)
    for first, last, vectors in (
        (start, middle, _VECTORS_AT_ONCE[rows]),
        (middle, end, 1),
    ):
        with code.loop(first, last, LANES * vectors) as output:
            _expand_unit(code, slot, row, rows, output.index, vectors)


def _expand_unit(
    code: _Function, slot: ir.Value, row: ir.Value, rows: int, output: ir.Value, vectors: int
) -> None:
    """y[row:row + rows, output:output + vectors * LANES], which lie in one block."""
    at, given = code.at, code.product
    blocks = at.sdiv(code.sum(given["width"], number(BLOCK - 1)), number(BLOCK))
    block = code.sum(code.total(slot, blocks), at.sdiv(output, number(BLOCK)))
    matrix = code.sum(
        given["matrix"],
        code.total(block, given["rank"], BLOCK * code.item_bytes),
        code.total(at.srem(output, number(BLOCK)), code.item_bytes),
    )
    lines = [code.sum(row, number(i)) for i in range(rows)]
    hidden = [code.sum(given["source"], code.total(n, given["rank"], _FLOAT_BYTES)) for n in lines]
    in_use = code.long(code.sum(given["ranks"], code.total(slot, _LONG_BYTES)))
    places = [
        code.total(code.sum(code.total(n, given["width"]), output, number(LANES * v)), _FLOAT_BYTES)
        for n in lines
        for v in range(vectors)
    ]
    addends = [code.floats(code.sum(given["addend"], place)) for place in places]
    with code.loop(number(0), in_use, 1, addends) as rank:
        sums = list(rank.values)
        place = code.sum(matrix, code.total(rank.index, BLOCK * code.item_bytes))
        weights = [
            code.integers(code.sum(place, number(LANES * code.item_bytes * v)))
            for v in range(vectors)
        ]
        for i, line in enumerate(hidden):
            value = code.everywhere(code.sum(line, code.total(rank.index, _FLOAT_BYTES)))
            for v, weight in enumerate(weights):
                own = vectors * i + v
                sums[own] = code.add_product(value, weight, sums[own])
        rank.following = sums
    for place, value in zip(places, rank.values, strict=True):
        code.store(value, code.sum(given["target"], place))
