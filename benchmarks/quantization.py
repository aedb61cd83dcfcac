"""Quantizations of the default base side by side on this machine: what `npc model pull` measures.

Changes nothing in the cache. Run: python -m benchmarks.quantization [--cache DIR] [--out DIR]
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.options import CACHE, RESULTS
from benchmarks.results_file import replace_text
from npc_server.base_models.base_choice import ModelFiles, measure_all
from npc_server.base_models.catalogue import CATALOGUE, DEFAULT_MODEL
from npc_server.base_models.quantization import decide, perplexity_ratio, turn_ms


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write quantization.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--out", type=Path, default=RESULTS)
    flags = parser.parse_args(arguments)
    found = measure(ModelFiles(CATALOGUE[DEFAULT_MODEL], flags.cache, os.cpu_count() or 1))
    replace_text(flags.out / "quantization.json", json.dumps(found, indent=2) + "\n")


def measure(files: ModelFiles) -> dict[str, object]:
    """The trial, with what the rule makes of it."""
    doing: set[str] = set()

    def report(what: str, _done: int, _total: int) -> None:
        if what not in doing:
            doing.add(what)
            print(what, flush=True)

    trial = measure_all(files, report)
    weighed = {
        one.quantization: {
            "turn_ms": turn_ms(one, trial.rule),
            "perplexity_ratio": perplexity_ratio(one, trial.candidates),
        }
        for one in trial.candidates
    }
    chosen = decide(trial.candidates, trial.rule).quantization
    return {"base": files.model.name, "chosen": chosen, "weighed": weighed, "trial": asdict(trial)}


if __name__ == "__main__":
    main()
