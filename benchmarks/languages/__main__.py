"""Leaks found and false alarms in each language, and what a look costs.

Planted lines say a phrase in one of its forms; innocent lines say something like it. Every planted
line is looked at as written, in upper case, decomposed, in full width and with unseen signs between
its letters. All lines were written for this, by whoever wrote the rule: a figure tells what the
rule is able to, and a change of it, not how often the field will meet a form that is not here.
Run: python -m benchmarks.languages [--out DIR]
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.languages.lines import Lines, dressed, languages, read_lines
from benchmarks.machine import machine, versions
from benchmarks.options import RESULTS
from languages.phrases import mentioned
from languages.tags import language_of
from personas.checks import out_of_character
from personas.persona import Lore, Persona
from personas.unsafe import unsafe
from personas.word_lists import word_lists


def main() -> None:
    """Measure every language, print a table and write languages.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    out: Path = parser.parse_args().out
    found = {code: measure(code, read_lines(code)) for code in languages()}
    out.mkdir(parents=True, exist_ok=True)
    result = {"machine": machine(), "versions": versions(), "languages": found}
    path = out / "languages.json"
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print("\n".join(table(found)))
    print(f"\n{path}")


def measure(code: str, lines: Lines) -> dict[str, Any]:
    """What is found, missed and found by mistake in one language."""
    looks = [(dress, one.phrase, line) for one in lines.planted for dress, line in dressed(one)]
    missed = [(dress, p, line) for dress, p, line in looks if not mentioned(line, [p], code)]
    by_dress = Counter(dress for dress, _, _ in looks)
    lost = Counter(dress for dress, _, _ in missed)
    alarms = [line for line in lines.innocent if mentioned(line, lines.phrases, code)]
    nobody: dict[str, Any] = {
        "name": "",
        "role": "",
        "summary": "",
        "machine_talk": (),
        "unsafe": (),
    }
    lore = Lore.model_construct(facts=(), secrets=(), entries=())
    speaker = Persona.model_construct(language=code, lore=lore, **nobody)
    machines = [line for line in lines.machine if out_of_character(line, speaker)]
    wrong = [
        line for line in lines.innocent if out_of_character(line, speaker) or unsafe(line, speaker)
    ]
    return {
        "name": language_of(code).name,
        "planted": len(lines.planted),
        "found": {dress: by_dress[dress] - lost[dress] for dress in by_dress},
        "missed": sorted({line for dress, _, line in missed if dress == "as written"}),
        "innocent": len(lines.innocent),
        "false_alarms": alarms,
        "machine_talk": len(lines.machine) if word_lists(code) else None,
        "machine_talk_found": len(machines) if word_lists(code) else None,
        "machine_talk_missed": [line for line in lines.machine if line not in machines],
        "machine_talk_false_alarms": wrong,
        "us_per_first_look": _us(code, lines, again=False),
        "us_per_further_look": _us(code, lines, again=True),
    }


def _us(code: str, lines: Lines, again: bool) -> float:
    """Microseconds to look for all phrases in a line, for the first time or once more."""
    texts = [f"{line} {turn}" for turn in range(20) for line in lines.innocent]
    if again:
        _look(texts, lines.phrases, code)
    began = time.perf_counter()
    _look(texts, lines.phrases, code)
    return round((time.perf_counter() - began) / len(texts) * 1e6, 1)


def _look(texts: Sequence[str], phrases: tuple[str, ...], code: str) -> None:
    for text in texts:
        mentioned(text, phrases, code)


def table(found: dict[str, dict[str, Any]]) -> list[str]:
    """The figures as a table, one row per language."""
    rows = ["| language | leaks found | in other dress | false alarms | machine talk found |"]
    rows.append("|---|---|---|---|---|")
    for one in found.values():
        plain, planted = one["found"]["as written"], one["planted"]
        dress = [count for name, count in one["found"].items() if name != "as written"]
        alarms = f"{len(one['false_alarms'])} of {one['innocent']}"
        machines = (
            "no list"
            if one["machine_talk"] is None
            else (f"{one['machine_talk_found']} of {one['machine_talk']}")
        )
        share = f"{sum(dress)} of {planted * len(dress)}"
        rows.append(f"| {one['name']} | {plain} of {planted} | {share} | {alarms} | {machines} |")
    return rows


if __name__ == "__main__":
    main()
