"""`python -m benchmarks.conversation`: ten exchanges with each sample character, by setting.

A scripted player asks, asks again and follows up; the bare base answers through a real server. What
is counted: replies cut off, replies in mid-sentence, replies said before, faults that code finds,
facts told, and the tokens that it took. A setting that was measured replaces the one in the file.

Results are `conversation.json` and `conversation.png`; the talks themselves lie in the JSON, to be
read. Times mean something only on a machine that does nothing else.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from benchmarks import options
from benchmarks.conversation.figures import summary
from benchmarks.conversation.plot import draw
from benchmarks.conversation.script import SETTINGS
from benchmarks.conversation.talks import Played, play
from benchmarks.machine import CORES, machine, use_cores, versions
from npc_server.base_models.catalogue import DEFAULT_MODEL
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

QUICK_TIMES = 1
SHOWN = (
    "at_limit",
    "in_mid_sentence",
    "as_the_one_before",
    "as_any_before_when_asked_again",
    "phrases_again",
    "facts_told",
    "reply_tokens",
    "generated_tokens",
    "first_text_ms",
    "reply_ms",
)

console = Console()


def main(
    times: Annotated[int, typer.Option(min=1, help="Talks with each character.")] = 8,
    setting: Annotated[list[str] | None, options.only(SETTINGS, "SETTING")] = None,
    base: options.Base = DEFAULT_MODEL,
    out: options.Out = options.RESULTS,
    quick: options.Quick = False,
) -> None:
    """Talk under every setting, and write what it came to."""
    use_cores(CORES)
    name = "conversation.quick" if quick else "conversation"
    path = out / f"{name}.json"
    known = json.loads(path.read_text()) if path.is_file() else {}
    found: dict[str, Any] = known.get("settings", {})
    for chosen in options.choose(setting, SETTINGS):
        found[chosen] = _measure(chosen, base, QUICK_TIMES if quick else times)
        ordered = {name: found[name] for name in SETTINGS if name in found}
        _write(path, ordered, base)
    draw(path.with_suffix(".png"), ordered, f"three characters, bare base: {base}")
    console.print(_table(ordered))


def _measure(name: str, base: str, times: int) -> dict[str, Any]:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="troupe-talks-") as scratch:
        environment = {"NPC_MODEL_BASE": base}
        played = asyncio.run(play(SETTINGS[name], environment, Path(scratch), times))
    console.print(f"{name}: {time.monotonic() - begun:.0f} s")
    setting = {
        **asdict(SETTINGS[name]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
    }
    return {
        **setting,
        **_rounded(summary(played, load_characters(SAMPLE_CHARACTERS))),
        **_talks(played),
    }


def _talks(played: Played) -> dict[str, Any]:
    """What was said, as `line > reply (how it ended)`."""
    return {
        "talks": {
            f"{talk.character} {talk.seed}": [
                f"{line} > {reply.text} ({reply.finish_reason})"
                for line, reply in zip(talk.lines, talk.replies, strict=True)
            ]
            for talk in played.talks
        }
    }


def _rounded(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _rounded(value) if isinstance(value, Mapping) else round(value, 4)
        for key, value in found.items()
    }


def _write(path: Path, settings: Mapping[str, Any], base: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"base": base, "settings": settings}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _table(settings: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(Column("setting", no_wrap=True), *SHOWN, "some fault", box=None)
    for name, found in settings.items():
        values = [*(found[key] for key in SHOWN), found["faults"]["any"]]
        table.add_row(name, *(f"{value:.3g}" for value in values))
    return table


if __name__ == "__main__":
    typer.run(main)
