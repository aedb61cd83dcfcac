"""llama.cpp's models and contexts; samplers and graph nodes have seams of their own.

`Llama` owns one model and one context and must be used from one thread. It takes rows (a token, its
position, its sequence, whether logits are wanted) and hides ctypes. `Vocab` opens the vocabulary
alone, for token ids without weights.
"""

from __future__ import annotations

import ctypes
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp as lc
import numpy as np
import numpy.typing as npt

from npc_server.engine.errors import AdapterRejectedError, DecodeError, ModelLoadError

logger = logging.getLogger(__name__)

#: Last lines llama.cpp logged, kept to explain a failure: its calls only return null.
_recent_log: deque[str] = deque(maxlen=30)
_WARNING_LEVEL = 3  # GGML_LOG_LEVEL_WARN


def _on_log(level: int, text: bytes, _user_data: object) -> None:
    if level >= _WARNING_LEVEL:
        _recent_log.append(text.decode("utf-8", "replace").strip())


_log_callback = lc.llama_log_callback(_on_log)  # must outlive the library's use of it


def _init_library() -> None:
    lc.llama_log_set(_log_callback, ctypes.c_void_p(0))
    lc.llama_backend_init()


def _explain() -> str:
    lines = [line for line in _recent_log if line and line != "."]
    _recent_log.clear()
    return "; ".join(lines[-3:]) or "llama.cpp gave no reason"


def _load_model(path: Path, *, vocab_only: bool) -> Any:
    if not path.is_file():
        raise ModelLoadError(f"no model file at {path}; `npc model pull` fetches the default one")
    _init_library()
    params = lc.llama_model_default_params()
    params.n_gpu_layers = 0
    params.vocab_only = vocab_only
    model = lc.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        raise ModelLoadError(f"llama.cpp cannot load {path}: {_explain()}")
    return model


class Vocab:
    """The token vocabulary of a GGUF file, without its weights."""

    def __init__(self, path: Path) -> None:
        self._model = _load_model(path, vocab_only=True)
        self._vocab = lc.llama_model_get_vocab(self._model)
        self.chat_template = model_metadata(self._model, "tokenizer.chat_template") or ""

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text: a control token's spelling in it stays ordinary text."""
        return tokenize(self._vocab, text, parse_special=False)

    def control(self, spelling: str) -> int:
        """Id of the control token with this spelling. Raises KeyError."""
        ids = tokenize(self._vocab, spelling, parse_special=True)
        if len(ids) != 1 or not lc.llama_vocab_is_control(self._vocab, ids[0]):
            raise KeyError(f"{spelling!r} is no control token of this model")
        return ids[0]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, control tokens left out."""
        return b"".join(token_bytes(self._vocab, i) for i in ids).decode("utf-8", "replace")

    def close(self) -> None:
        """Free the vocabulary; the object is of no use afterwards."""
        lc.llama_model_free(self._model)


def tokenize(vocab: Any, text: str, *, parse_special: bool) -> list[int]:
    """Token ids of `text`, without BOS or EOS."""
    data = text.encode()
    room = len(data) + 8  # a token covers at least one byte
    buffer = (lc.llama_token * room)()
    count = lc.llama_tokenize(vocab, data, len(data), buffer, room, False, parse_special)
    return list(buffer[:count])


def token_bytes(vocab: Any, token: int) -> bytes:
    """The bytes a token stands for; control tokens stand for none."""
    buffer = ctypes.create_string_buffer(256)
    count = lc.llama_token_to_piece(vocab, token, buffer, len(buffer), 0, False)
    return buffer.raw[: max(count, 0)]


def model_metadata(model: Any, key: str) -> str | None:
    """A GGUF metadata value as text, or None."""
    buffer = ctypes.create_string_buffer(64 * 1024)
    count = lc.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if count >= 0 else None


@dataclass(frozen=True)
class BatchRow:
    """One token of a batch."""

    token: int
    position: int
    sequence: int
    wants_logits: bool


@dataclass(frozen=True)
class ContextShape:
    """Memory and threads of a context."""

    sequences: int = 8
    context_tokens: int = 1024  # per sequence
    batch_tokens: int = 512  # rows of one decode at most
    threads: int = 2


class Llama:
    """One model with one context; every call from the same thread."""

    def __init__(self, path: Path, shape: ContextShape, eval_callback: Any = None) -> None:
        self.shape = shape
        self._model = _load_model(path, vocab_only=False)
        self.vocab = lc.llama_model_get_vocab(self._model)
        self.vocab_size = lc.llama_vocab_n_tokens(self.vocab)
        params = _context_params(shape, eval_callback)
        self._context = lc.llama_init_from_model(self._model, params)
        if not self._context:
            raise ModelLoadError(f"no context of {shape} for {path}: {_explain()}")
        self._memory = lc.llama_get_memory(self._context)
        self._batch = lc.llama_batch_init(shape.batch_tokens, 0, 1)
        self._adapter: Any = None

    @property
    def architecture(self) -> str:
        """GGUF architecture name, such as "llama"."""
        return model_metadata(self._model, "general.architecture") or "unknown"

    @property
    def description(self) -> str:
        """llama.cpp's one-line description: size and quantization."""
        buffer = ctypes.create_string_buffer(256)
        lc.llama_model_desc(self._model, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    @property
    def heads(self) -> int:
        """Attention heads per layer."""
        return int(lc.llama_model_n_head(self._model))

    @property
    def kv_heads(self) -> int:
        """Key and value heads per layer."""
        return int(lc.llama_model_n_head_kv(self._model))

    @property
    def can_cut(self) -> bool:
        """Whether a sequence, saved ones included, can be cut to any shorter length.

        A recurrent state cannot, and a sliding window is saved without what has left it.
        """
        recurrent = lc.llama_model_is_recurrent(self._model) or lc.llama_model_is_hybrid(
            self._model
        )
        return not recurrent and lc.llama_model_n_swa(self._model) == 0

    @property
    def context(self) -> Any:
        """The raw context, for samplers."""
        return self._context

    def is_end(self, token: int) -> bool:
        """Whether the token ends a turn. A model that opens another turn has ended its own."""
        eog = lc.llama_vocab_is_eog(self.vocab, token)
        return bool(eog or lc.llama_vocab_is_control(self.vocab, token))

    def token_bytes(self, token: int) -> bytes:
        """The bytes a token stands for."""
        return token_bytes(self.vocab, token)

    def decode(self, rows: Sequence[BatchRow]) -> None:
        """Compute `rows` and keep their keys and values. Raises DecodeError."""
        batch = self._batch
        for i, row in enumerate(rows):
            batch.token[i] = row.token
            batch.pos[i] = row.position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = row.sequence
            batch.logits[i] = row.wants_logits
        batch.n_tokens = len(rows)
        status = lc.llama_decode(self._context, batch)
        if status != 0:
            raise DecodeError(f"llama_decode of {len(rows)} rows returned {status}: {_explain()}")

    def logits(self, row: int) -> npt.NDArray[np.float32]:
        """Logits after the row with this index in the last batch, [vocab_size].

        They are the library's own memory, good until the next decode.
        """
        pointer = lc.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(pointer, shape=(self.vocab_size,))

    def save(self, sequence: int) -> npt.NDArray[np.uint8]:
        """A copy of a sequence's keys and values; only cells in use are copied."""
        size = lc.llama_state_seq_get_size(self._context, sequence)
        blob = np.empty(size, np.uint8)
        target = blob.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        written = lc.llama_state_seq_get_data(self._context, target, size, sequence)
        if written != size:
            raise DecodeError(f"saved {written} of {size} bytes of sequence {sequence}")
        return blob

    def restore(self, sequence: int, blob: npt.NDArray[np.uint8]) -> None:
        """Make a sequence hold what was saved, and nothing else. Raises DecodeError."""
        self.clear(sequence)
        source = blob.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        read = lc.llama_state_seq_set_data(self._context, source, blob.nbytes, sequence)
        if read != blob.nbytes:
            raise DecodeError(f"restored {read} of {blob.nbytes} bytes: {_explain()}")

    def trim(self, sequence: int, tokens: int) -> bool:
        """Forget everything of a sequence past its first `tokens` positions.

        Returns False, the sequence unchanged, for models that cannot forget a part.
        """
        return bool(lc.llama_memory_seq_rm(self._memory, sequence, tokens, -1))

    def clear(self, sequence: int) -> None:
        """Forget a sequence."""
        lc.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def load_adapter(self, path: Path) -> Any:
        """Load a GGUF adapter and return its handle. Raises AdapterRejectedError."""
        handle = lc.llama_adapter_lora_init(self._model, str(path).encode())
        if not handle:
            raise AdapterRejectedError(f"the adapter does not fit this base model: {_explain()}")
        return handle

    def free_adapter(self, handle: Any) -> None:
        """Free an adapter that is not set on the context."""
        if self._adapter is handle:
            self.set_adapter(None)
        lc.llama_adapter_lora_free(handle)

    def set_adapter(self, handle: Any, scale: float = 1.0) -> None:
        """Run the following decodes under this adapter; None is the bare base."""
        count = 0 if handle is None else 1
        handles = (lc.llama_adapter_lora_p_ctypes * 1)(handle)
        scales = (ctypes.c_float * 1)(scale)
        if lc.llama_set_adapters_lora(self._context, handles, count, scales) != 0:
            raise DecodeError(f"llama.cpp refused to switch adapters: {_explain()}")
        self._adapter = handle

    def drop_graph(self) -> None:
        """Have the next decode build its graph anew."""
        adapter = self._adapter
        self.set_adapter(None)
        self.set_adapter(adapter)

    @contextmanager
    def adapter(self, path: Path) -> Iterator[None]:
        """Run the decodes of a block under a GGUF adapter, then restore the one set before."""
        before = self._adapter
        handle = self.load_adapter(path)
        self.set_adapter(handle)
        try:
            yield
        finally:
            self.set_adapter(before)
            lc.llama_adapter_lora_free(handle)

    def close(self) -> None:
        """Free context and model."""
        lc.llama_batch_free(self._batch)
        lc.llama_free(self._context)
        lc.llama_model_free(self._model)


def _context_params(shape: ContextShape, eval_callback: Any) -> Any:
    params = lc.llama_context_default_params()
    params.n_ctx = shape.sequences * shape.context_tokens
    params.n_batch = params.n_ubatch = shape.batch_tokens
    params.n_seq_max = shape.sequences
    params.n_threads = params.n_threads_batch = shape.threads
    # One KV stream per sequence: a token attends over its own sequence only, so idle sequences cost
    # nothing per step. Flash attention on F16 was the fastest of what was measured with streams.
    params.kv_unified = False
    params.flash_attn_type = lc.LLAMA_FLASH_ATTN_TYPE_ENABLED
    params.no_perf = True
    if eval_callback is not None:
        params.cb_eval = eval_callback
    return params
