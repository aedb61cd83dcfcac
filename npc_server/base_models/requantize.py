"""Other quantizations of a GGUF, made by llama.cpp's own quantizer.

Rounding again what was rounded before costs quality. Two things win most of it back. Where the
model is read with a text first, the mean square of each weight's inputs says which columns matter,
and 4-bit scales are fitted with those weights. And the tensors that suffer most keep 8 bits; the
down projection takes a K-quant, whose blocks of 256 fit its width.

Runs in a process of its own: it takes over llama.cpp's log, the only place where the quantizer
says what it does.
"""

from __future__ import annotations

import ctypes
import re
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import llama_cpp as lc
import numpy as np
import numpy.typing as npt

from npc_server.base_models.errors import RequantizeError
from npc_server.base_models.own_process import Report
from npc_server.base_models.quantization import Quantization
from npc_server.engine.llama import BatchRow, ContextShape, Llama
from npc_server.engine.lora.ggml import Address, Graph, Tensor, node_callback
from npc_server.engine.vocab import Vocab

TEXT = Path(__file__).with_name("importance_text.txt")

_WINDOW_TOKENS = 256
_F32 = 0  # GGML_TYPE_F32

Importance = Mapping[str, npt.NDArray[np.float32]]  # by weight, for each of its columns


@dataclass(frozen=True)
class TensorTypes:
    """How to store the weights: a type for all, and others for names that match, first match."""

    type: str
    exceptions: tuple[tuple[str, str], ...] = ()  # (regular expression, type)

    def of(self, weight: str, layers: int) -> str:
        """The type of a weight of a model with so many layers."""
        last = str(layers - 1)
        patterns = ((pattern.replace(_LAST_LAYER, last), kind) for pattern, kind in self.exceptions)
        return next((kind for pattern, kind in patterns if re.search(pattern, weight)), self.type)


#: The token embeddings are also the output layer of small models, which 4 bits hurt most.
_EMBEDDINGS = (r"(token_embd|^output)\.weight", "Q8_0")
_LAST_LAYER = "LAST"  # stands for its number

TENSOR_TYPES: Mapping[Quantization, TensorTypes] = MappingProxyType(
    {
        Quantization.Q8_0: TensorTypes("Q8_0"),
        Quantization.Q4_MIX: TensorTypes(
            "Q4_0",
            (
                _EMBEDDINGS,
                (r"attn_([kv]|output)\.", "Q8_0"),
                (rf"blk\.{_LAST_LAYER}\.", "Q8_0"),
                (r"ffn_down\.", "Q4_K"),
            ),
        ),
        Quantization.IQ4_NL: TensorTypes("IQ4_NL", (_EMBEDDINGS,)),
        Quantization.Q4_0: TensorTypes("Q4_0", (_EMBEDDINGS,)),
    }
)


def requantize(
    report: Report, original: Path, targets: Mapping[Quantization, Path], threads: int
) -> None:
    """Write `original` in each quantization to its target.

    Raises RequantizeError, ModelLoadError, and MixingUnavailableError for an unknown llama.cpp.
    """
    importance = importance_of(report, original, threads)
    log = _Log(report)
    lc.llama_log_set(log.callback, ctypes.c_void_p(0))
    for quantization, target in targets.items():
        log.making = f"making {quantization}"
        quantizing = _Parameters(TENSOR_TYPES[quantization], importance, threads)
        status = lc.llama_model_quantize(
            str(original).encode(), str(target).encode(), ctypes.byref(quantizing.params)
        )
        if status != 0:
            raise RequantizeError(
                f"llama.cpp could not write {original.name} as {quantization}: {log.explain()}"
            )


def importance_of(report: Report, original: Path, threads: int) -> Importance:
    """Mean square of the inputs of every layer's linears while the model reads a text."""
    squares = _InputSquares()
    callback = node_callback(squares.on_node)
    shape = ContextShape(1, _WINDOW_TOKENS, _WINDOW_TOKENS, threads)
    tokens = _tokens(original)
    with closing(Llama(original, shape, callback)) as llama:
        for start in range(0, len(tokens), _WINDOW_TOKENS):
            report("reading a text", start, len(tokens))
            window = tokens[start : start + _WINDOW_TOKENS]
            llama.clear(0)
            llama.decode([BatchRow(token, i, 0, True) for i, token in enumerate(window)])
    return {name: (s / len(tokens)).astype(np.float32) for name, s in squares.sums.items()}


def _tokens(original: Path) -> list[int]:
    with closing(Vocab(original)) as vocab:
        return vocab.encode(TEXT.read_text())


class _InputSquares:
    """Sums the squares of what enters each weight; called by llama.cpp for every graph node."""

    def __init__(self) -> None:
        self._product = Graph().operation["MUL_MAT"]
        self.sums: dict[str, npt.NDArray[np.float64]] = {}

    def on_node(self, node: Address, ask: bool) -> bool:
        """Answer first whether the node is of interest, then take what it computed."""
        tensor = Tensor.from_address(node)
        name = self._weight(tensor)
        if name and not ask:
            self._add(name, Tensor.from_address(tensor.src[1]))
        return bool(name) or not ask

    def _weight(self, tensor: Any) -> str:
        if tensor.op != self._product:
            return ""
        name: str = Tensor.from_address(tensor.src[0]).name.decode()
        return name if name.startswith("blk.") and name.endswith(".weight") else ""

    def _add(self, name: str, inputs: Any) -> None:
        columns, rows = inputs.ne[0], inputs.ne[1]
        if inputs.type != _F32 or inputs.nb[1] != 4 * columns:
            return
        values = (ctypes.c_float * (rows * columns)).from_address(inputs.data)
        matrix = np.frombuffer(values, np.float32).reshape(rows, columns)
        self.sums[name] = self.sums.get(name, 0.0) + np.einsum(
            "rc,rc->c", matrix, matrix, dtype=np.float64
        )


class _Parameters:
    """The quantizer's parameters, and all memory that they point to."""

    def __init__(self, types: TensorTypes, importance: Importance, threads: int) -> None:
        self._exceptions = _overrides(types, importance)
        self._importance = _importance_data(importance)
        params = lc.llama_model_quantize_default_params()
        params.ftype = getattr(lc, f"LLAMA_FTYPE_MOSTLY_{types.type}")
        params.allow_requantize = True
        params.pure = True  # these types alone decide, not the library's mixture for its type
        params.nthread = threads
        params.tt_overrides = ctypes.cast(
            self._exceptions, ctypes.POINTER(lc.llama_model_tensor_override)
        )
        params.imatrix = ctypes.cast(self._importance, ctypes.POINTER(lc.llama_model_imatrix_data))
        self.params = params


def _overrides(types: TensorTypes, importance: Importance) -> Any:
    layers = [int(name.split(".")[1]) for name in importance]
    last = str(max(layers, default=0))
    table = (lc.llama_model_tensor_override * (len(types.exceptions) + 1))()  # ends with null
    for entry, (pattern, type_name) in zip(table, types.exceptions, strict=False):
        entry.pattern = pattern.replace(_LAST_LAYER, last).encode()
        entry.type = getattr(lc, f"GGML_TYPE_{type_name}")
    return table


def _importance_data(importance: Importance) -> Any:
    table = (lc.llama_model_imatrix_data * (len(importance) + 1))()  # ends with null
    for entry, (name, values) in zip(table, importance.items(), strict=False):
        entry.name = name.encode()
        entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        entry.size = values.size
    return table


@dataclass
class _Log:
    """Reads progress out of the quantizer's log, one line per tensor, and keeps the last lines."""

    report: Report
    making: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=30))

    def __post_init__(self) -> None:
        self.callback = lc.llama_log_callback(self._on_line)

    def _on_line(self, _level: int, text: bytes, _user_data: object) -> None:
        line = text.decode("utf-8", "replace").strip()
        self.lines.append(line)
        if progress := re.match(r"\[ *(\d+)/ *(\d+)\]", line):
            self.report(self.making, int(progress[1]), int(progress[2]))

    def explain(self) -> str:
        """The last lines that say something."""
        return "; ".join(line for line in list(self.lines)[-3:] if line) or "it gave no reason"
