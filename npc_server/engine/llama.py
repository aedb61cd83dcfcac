"""llama.cpp's models and contexts; samplers and graph nodes have seams of their own.

`Llama` owns one model and one context and must be used from one thread. It takes rows (a token, its
position, its sequence, whether logits are wanted) and hides ctypes.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp as lc
import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType

from npc_server.engine.errors import AdapterRejectedError, DecodeError, ModelLoadError
from npc_server.engine.llama_log import last_words
from npc_server.engine.model_file import load_model, model_metadata
from npc_server.engine.placement import Placement
from npc_server.engine.protocol import NO_CHAT_TOKENS, ChatTokens, KvType
from npc_server.engine.vocab import adds_space, thought_ids, token_bytes


def cpu_kernels() -> frozenset[str]:
    """The instructions that llama.cpp was compiled to use on this CPU, such as "AVX2"."""
    _, _, listed = lc.llama_print_system_info().decode().partition("CPU : ")
    pairs = (part.partition(" = ") for part in listed.split(" | "))
    return frozenset(name.strip() for name, _, used in pairs if used.strip() == "1")


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
    kv_type: KvType = KvType.F16
    logit_rows: int = 0  # rows of one decode that want logits at most; 0 = all of them


class Llama:
    """One model with one context; every call from the same thread."""

    def __init__(
        self,
        path: Path,
        shape: ContextShape,
        eval_callback: Any = None,
        placement: Placement | None = None,
        *,
        chat: ChatTokens = NO_CHAT_TOKENS,
    ) -> None:
        """Load a model; `placement` None is the CPU alone.

        `chat`: what its chat format makes of special tokens.
        """
        self.shape = shape
        self.chat = chat
        self._model = load_model(path, placement or Placement())
        self.vocab = lc.llama_model_get_vocab(self._model)
        self.vocab_size = lc.llama_vocab_n_tokens(self.vocab)
        params = _context_params(shape, eval_callback)
        self._context = lc.llama_init_from_model(self._model, params)
        if not self._context:
            raise ModelLoadError(f"no context of {shape} for {path}: {last_words()}")
        self._memory = lc.llama_get_memory(self._context)
        self._batch = lc.llama_batch_init(shape.batch_tokens, 0, 1)
        self._adapter: Any = None
        self._thought_ids = thought_ids(self.vocab)
        self._adds_space = adds_space(self.vocab)

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
    def rotates_pairs(self) -> bool:
        """Whether positions rotate neighbouring rows of q and k; else one half with the other."""
        return bool(lc.llama_model_rope_type(self._model) == lc.LLAMA_ROPE_TYPE_NORM)

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
        if token in self._thought_ids:
            return False
        eog = lc.llama_vocab_is_eog(self.vocab, token)
        control = lc.llama_vocab_is_control(self.vocab, token)
        return bool(eog or control or token in self.chat.ends)

    def token_bytes(self, token: int, *, begins: bool = False) -> bytes:
        """The bytes a token stands for; the marks of a thought are spelled out.

        `begins`: the token is the first of a text, whose space SentencePiece has put there.
        """
        skipped = 1 if begins and self._adds_space else 0
        return token_bytes(self.vocab, token, spell=token in self._thought_ids, skipped=skipped)

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
        room = self.shape.logit_rows or self.shape.batch_tokens
        if sum(row.wants_logits for row in rows) > room:  # llama.cpp would end the process
            raise DecodeError(f"more than {room} of {len(rows)} rows want logits")
        status = lc.llama_decode(self._context, batch)
        if status != 0:
            raise DecodeError(f"llama_decode of {len(rows)} rows returned {status}: {last_words()}")

    def logits(self, row: int) -> npt.NDArray[np.float32]:
        """Logits after the row with this index in the last batch, [vocab_size].

        They are the library's own memory, good until the next decode.
        """
        pointer = lc.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(pointer, shape=(self.vocab_size,))

    def settle(self) -> None:
        """Wait until all that was decoded is computed."""
        lc.llama_synchronize(self._context)

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
            raise DecodeError(f"restored {read} of {blob.nbytes} bytes: {last_words()}")

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
        handle = lc.llama_adapter_lora_init(self._model, os.fsencode(path))
        if not handle:
            raise AdapterRejectedError(f"the adapter does not fit this base model: {last_words()}")
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
            raise DecodeError(f"llama.cpp refused to switch adapters: {last_words()}")
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
    params.type_k = params.type_v = GGMLQuantizationType[shape.kv_type.name]
    params.n_outputs_max = shape.logit_rows
    params.no_perf = True
    if eval_callback is not None:
        params.cb_eval = eval_callback
        # For large batches weights that the CPU holds are copied to a GPU, under other names, by
        # which mixing would not know those of an adapter.
        params.op_offload = False
    return params
