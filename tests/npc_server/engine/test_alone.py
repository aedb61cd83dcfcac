"""The engine serves without the rest of the project, as its guide shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support import tiny_gguf
from tests.support.paths import DOCS


def program() -> str:
    """The one program in the guide."""
    guide = (DOCS / "engine.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    return str(block)


def run(folder: Path, *arguments: Path) -> str:
    """What the program prints."""
    script = folder / "reply.py"
    script.write_text(program(), encoding="utf-8")
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_program_of_the_guide_streams_replies(tiny_model: Path, tmp_path: Path) -> None:
    adapter = tiny_gguf.write_adapter(tmp_path / "adapter", seed=1)
    plain, voiced = run(tmp_path, tiny_model), run(tmp_path, tiny_model, adapter)
    for output in (plain, voiced):
        assert re.search(r"\n\d+ tokens, ended by (stop|length)\n$", output)
    assert plain != voiced
