"""What Python users are shown runs as it stands."""

import ast
import asyncio
import re
import textwrap
from collections.abc import Iterator

import pytest

import troupe
from tests.support.paths import DOCS, ROOT

pytestmark = pytest.mark.service


def examples() -> Iterator[str]:
    """The code blocks that import `troupe`, and the example of its own docstring."""
    for path in (ROOT / "README.md", DOCS / "game-programmers.md"):
        blocks = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
        yield from (block for block in blocks if "from troupe import" in block)
    indented = re.findall(r"^(?: {4}.*)?\n", str(troupe.__doc__), re.MULTILINE)
    yield textwrap.dedent("".join(indented))


@pytest.mark.parametrize("example", list(examples()))
def test_an_example_runs(example: str, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = compile(
        example.replace("127.0.0.1:7749", address),
        "example",
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
    )
    running = eval(code, {"player_id": "p1", "show": print})
    if running is not None:
        asyncio.run(running)
    assert "reply" in capsys.readouterr().out
