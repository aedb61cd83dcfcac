"""llama.cpp's models and contexts; samplers and graph nodes have seams of their own.

`Llama` owns one model and one context and must be used from one thread. It takes rows (a token, its
position, its sequence, whether logits are wanted) and hides ctypes. `Vocab` opens the vocabulary
alone, for token ids without weights.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import llama_cpp as lc
import numpy as np
import numpy.typing as npt

from npc_server.engine.chat_template import (
    START,
    STOP,
    THOUGHTS,
    ChatFormat,
    read_template,
)
from npc_server.engine.errors import AdapterRejectedError, DecodeError, ModelLoadError
from npc_server.engine.gguf_header import UNREADABLE, HeaderReader

logger = logging.getLogger(__name__)

#: Last lines llama.cpp logged, kept to explain a failure: its calls only return null.
_recent_log: deque[str] = deque(maxlen=30)
#: Ways to scale rotary positions that llama.cpp knows.
ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")
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
    _require_known_scaling(path)
    _init_library()
    params = lc.llama_model_default_params()
    params.n_gpu_layers = 0
    params.vocab_only = vocab_only
    model = lc.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise ModelLoadError(f"llama.cpp cannot load {path}: {_explain()}")
    return model


def _require_known_scaling(path: Path) -> None:
    """Raise ModelLoadError for a scaling that llama.cpp would end the process for."""
    try:
        header = HeaderReader(path)
    except UNREADABLE:
        return  # llama.cpp says what is wrong with the file
    architecture = header.text("general.architecture")
    kind = header.text(f"{architecture}.rope.scaling.type")
    if kind is not None and kind not in ROPE_SCALINGS:
        raise ModelLoadError(
            f"{path} scales its rotary positions by {kind!r}, which llama.cpp does not know;"
            f" known are {', '.join(ROPE_SCALINGS)}"
        )


class Vocab:
    """The token vocabulary of a GGUF file, without its weights."""

    def __init__(self, path: Path) -> None:
        self._model = _load_model(path, vocab_only=True)
        self._vocab = lc.llama_model_get_vocab(self._model)
        self.chat_template = model_metadata(self._model, "tokenizer.chat_template") or ""
        self._marks = _user_marks(self._vocab)
        self.trained_tokens = _trained_tokens(self._model)  # the context of training; 0 = unknown

    @cached_property
    def chat_format(self) -> ChatFormat:
        """What the chat template asks for."""
        bos = lc.llama_vocab_bos(self._vocab)
        spelling = lc.llama_vocab_get_text(self._vocab, bos) or b"" if bos >= 0 else b""
        return read_template(
            self.chat_template,
            bos=spelling.decode("utf-8", "replace"),
            thinks=bool(_thought_ids(self._vocab)),
        )

    @property
    def misfit(self) -> str:
        """Why this base cannot be prompted in ChatML; "" = it can."""
        missing = [mark for mark in (START, STOP) if mark_id(self._vocab, mark) is None]
        if missing:
            return f"has no {' and no '.join(missing)} token: its chat format is not ChatML"
        if self.chat_format.misfit:
            return f"is not ChatML: {self.chat_format.misfit}"
        return ""

    @cached_property
    def beginning(self) -> tuple[int, ...]:
        """Ids before everything: BOS, if the GGUF or its template asks for it, else none."""
        bos = lc.llama_vocab_bos(self._vocab)
        asked = lc.llama_vocab_get_add_bos(self._vocab) or self.chat_format.begins_with_bos
        # Some files call the mark of a turn BOS: a prompt begins with that anyway.
        return (bos,) if asked and bos >= 0 and bos != mark_id(self._vocab, START) else ()

    @cached_property
    def before_reply(self) -> tuple[int, ...]:
        """Ids between the assistant's mark and a reply: an empty thought, or none."""
        return tuple(tokenize(self._vocab, self.chat_format.after_assistant, parse_special=True))

    def metadata(self, key: str) -> str | None:
        """A value that the GGUF states of its model, as text, or None."""
        return model_metadata(self._model, key)

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text: a control token's spelling in it stays ordinary text."""
        if self._marks is None:
            return tokenize(self._vocab, text, parse_special=False)
        pieces = _pieces(text, self._marks)
        return [i for one in pieces for i in tokenize(self._vocab, one, parse_special=False)]

    def control(self, spelling: str) -> int:
        """Id of the control token with this spelling. Raises KeyError.

        Files that store the marks of a turn as other tokens of their own are taken, too.
        """
        found = mark_id(self._vocab, spelling)
        if found is None:
            raise KeyError(f"{spelling!r} is no control token of this model")
        return found

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, control tokens left out."""
        return b"".join(token_bytes(self._vocab, i) for i in ids).decode("utf-8", "replace")

    def close(self) -> None:
        """Free the vocabulary; the object is of no use afterwards."""
        lc.llama_model_free(self._model)


def mark_id(vocab: Any, spelling: str) -> int | None:
    """Id of the special token with this spelling; None when it is ordinary text."""
    ids = tokenize(vocab, spelling, parse_special=True)
    special = lc.LLAMA_TOKEN_ATTR_CONTROL | lc.LLAMA_TOKEN_ATTR_USER_DEFINED
    if len(ids) != 1 or not lc.llama_vocab_get_attr(vocab, ids[0]) & special:
        return None
    return ids[0]


def _thought_ids(vocab: Any) -> frozenset[int]:
    """Ids of the marks of a thought; none unless a thought can begin and end with a token."""
    for pair in THOUGHTS:
        ids = [mark_id(vocab, mark) for mark in pair]
        if None not in ids:
            return frozenset(i for i in ids if i is not None)
    return frozenset()


def _user_marks(vocab: Any) -> re.Pattern[str] | None:
    """Spellings in angle brackets that llama.cpp would read as a token in plain text, too."""
    spellings = []
    for token in range(lc.llama_vocab_n_tokens(vocab)):
        if lc.llama_vocab_get_attr(vocab, token) & lc.LLAMA_TOKEN_ATTR_USER_DEFINED:
            text = (lc.llama_vocab_get_text(vocab, token) or b"").decode("utf-8", "replace")
            if text.startswith("<") and text.endswith(">") and len(text) > 2:
                spellings.append(text)
    longest_first = sorted(spellings, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if spellings else None


def _pieces(text: str, marks: re.Pattern[str]) -> Iterator[str]:
    """The text in pieces, so that no piece holds a whole mark."""
    while found := marks.search(text):
        cut = found.start() + 1
        yield text[:cut]
        text = text[cut:]
    yield text


def tokenize(vocab: Any, text: str, *, parse_special: bool) -> list[int]:
    """Token ids of `text`, without BOS or EOS."""
    data = text.encode()
    room = len(data) + 8  # a token covers at least one byte
    buffer = (lc.llama_token * room)()
    count = lc.llama_tokenize(vocab, data, len(data), buffer, room, False, parse_special)
    return list(buffer[:count])


def token_bytes(vocab: Any, token: int, *, spell: bool = False) -> bytes:
    """The bytes a token stands for; control tokens stand for none unless `spell`."""
    buffer = ctypes.create_string_buffer(256)
    count = lc.llama_token_to_piece(vocab, token, buffer, len(buffer), 0, spell)
    return buffer.raw[: max(count, 0)]


def model_metadata(model: Any, key: str) -> str | None:
    """A GGUF metadata value as text, or None."""
    size = lc.llama_model_meta_val_str(model, key.encode(), ctypes.create_string_buffer(1), 1)
    if size < 0:
        return None
    buffer = ctypes.create_string_buffer(size + 1)
    lc.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace")


def cpu_kernels() -> frozenset[str]:
    """The instructions that llama.cpp was compiled to use on this CPU, such as "AVX2"."""
    _, _, listed = lc.llama_print_system_info().decode().partition("CPU : ")
    pairs = (part.partition(" = ") for part in listed.split(" | "))
    return frozenset(name.strip() for name, _, used in pairs if used.strip() == "1")


def _trained_tokens(model: Any) -> int:
    """Tokens of context that the model was made for, scaled positions included."""
    prefix = model_metadata(model, "general.architecture") or ""
    trained = _number(model, f"{prefix}.context_length")
    scaling = f"{prefix}.rope.scaling"
    if model_metadata(model, f"{scaling}.type") == "none":
        return int(trained)
    older = _number(model, f"{prefix}.rope.scale_linear")  # how older files give the factor
    factor = _number(model, f"{scaling}.factor") or older
    original = _number(model, f"{scaling}.original_context_length") or trained
    return int(max(trained, original * factor))


def _number(model: Any, key: str) -> float:
    """A number of the metadata; 0 where there is none."""
    try:
        return float(model_metadata(model, key) or 0)
    except ValueError:
        return 0.0


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
        self._thought_ids = _thought_ids(self.vocab)
        self._turn_mark = mark_id(self.vocab, START)

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
        if token in self._thought_ids:
            return False
        eog = lc.llama_vocab_is_eog(self.vocab, token)
        control = lc.llama_vocab_is_control(self.vocab, token)
        return bool(eog or control or token == self._turn_mark)

    def token_bytes(self, token: int) -> bytes:
        """The bytes a token stands for; the marks of a thought are spelled out."""
        return token_bytes(self.vocab, token, spell=token in self._thought_ids)

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
        handle = lc.llama_adapter_lora_init(self._model, os.fsencode(path))
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
