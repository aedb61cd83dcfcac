"""Reading a general text under an adapter, in the engine that serves."""

import math
from pathlib import Path

import pytest

from benchmarks.learning.perplexity import perplexity
from npc_server.engine.errors import AdapterRejectedError
from tests.support import tiny_gguf
from tests.support.watching import ignore


def test_a_random_model_guesses_among_its_tokens(tiny_model: Path) -> None:
    found = perplexity(ignore, tiny_model, None)
    assert math.e < found < 100 * tiny_gguf.VOCABULARY


def test_an_adapter_changes_how_a_text_is_read(tiny_model: Path, tmp_path: Path) -> None:
    adapter = tiny_gguf.write_adapter(tmp_path / "adapter", seed=1)
    bare = perplexity(ignore, tiny_model, None)
    assert perplexity(ignore, tiny_model, adapter) != pytest.approx(bare, rel=1e-3)
    assert perplexity(ignore, tiny_model, None) == pytest.approx(bare, rel=1e-6)


def test_what_is_no_adapter_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(AdapterRejectedError):
        perplexity(ignore, tiny_model, tmp_path)
