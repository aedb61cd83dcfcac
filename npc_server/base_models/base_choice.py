"""Choosing which quantization of a fetched base serves: what `npc model pull` does.

A file is made beside its final name, in a process of its own, and renamed; the record is written
last. So whoever resolves the base meanwhile gets the old file or the new one, whole. Adapters fit
the exact file they were trained on: a file that cannot be made again bit by bit is never put in the
place of a recorded one unasked.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from npc_server.base_models import catalogue, own_process
from npc_server.base_models.catalogue import CatalogueModel, file_sha256
from npc_server.base_models.errors import ModelUnavailableError
from npc_server.base_models.own_process import Report
from npc_server.base_models.quantization import Choice, ModelFile, Quantization, Rule, Trial, decide
from npc_server.base_models.quantization_trial import measure
from npc_server.base_models.requantize import requantize

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Shelf:
    """A catalogue model in a cache, and the threads that work on it."""

    model: CatalogueModel
    cache_dir: Path
    threads: int

    def path(self, quantization: Quantization) -> Path:
        """Where a quantization lies."""
        return catalogue.quantized_path(self.model, self.cache_dir, quantization)


def keep(shelf: Shelf, report: Report) -> Path:
    """Fetch the base, and make the chosen quantization again if it is lost or damaged.

    Returns the file that serves. Raises ModelUnavailableError.
    """
    original = catalogue.pull(shelf.model, shelf.cache_dir, report)
    choice = catalogue.read_choice(shelf.model, shelf.cache_dir)
    if choice is None or choice.chosen is Quantization.ORIGINAL:
        return original
    path = shelf.path(choice.chosen)
    if not _is_intact(path, choice.file.sha256, report):
        _restore(shelf, choice, report)
    return path


def take(shelf: Shelf, quantization: Quantization, report: Report) -> Path:
    """Let a quantization serve, made first unless it is there intact.

    Returns its file. Raises ModelUnavailableError, RequantizeError, ProcessDiedError and the
    engine's errors; what served before then still does.
    """
    catalogue.pull(shelf.model, shelf.cache_dir, report)
    known = _known(shelf)
    with _scratch(shelf) as scratch:
        files = _ensure(shelf, [quantization], known, Path(scratch), report)
        _record(shelf, quantization, files[quantization], known, None)
    return shelf.path(quantization)


def take_best(shelf: Shelf, report: Report) -> Choice:
    """Measure all quantizations on this machine and let the rule's choice serve.

    Raises as `take` does.
    """
    catalogue.pull(shelf.model, shelf.cache_dir, report)
    known = _known(shelf)
    with _scratch(shelf) as scratch:
        files = _ensure(shelf, list(Quantization), known, Path(scratch), report)
        trial = _measured(files, shelf.threads, report)
        best = decide(trial.candidates, trial.rule).quantization
        return _record(shelf, best, files[best], known, trial)


def try_all(shelf: Shelf, report: Report) -> Trial:
    """Measure all quantizations on this machine and change nothing. Raises as `take` does."""
    catalogue.pull(shelf.model, shelf.cache_dir, report)
    with _scratch(shelf) as scratch:
        files = _ensure(shelf, list(Quantization), _known(shelf), Path(scratch), report)
        return _measured(files, shelf.threads, report)


def _measured(files: Mapping[Quantization, Path], threads: int, report: Report) -> Trial:
    candidates = own_process.run(measure, report, files, threads)
    return Trial(_now(), cpu_name(), threads, Rule(), candidates)


def _known(shelf: Shelf) -> Mapping[Quantization, ModelFile]:
    """Files on record; choosing anew must work when the record is damaged."""
    try:
        choice = catalogue.read_choice(shelf.model, shelf.cache_dir)
    except ModelUnavailableError:
        choice = None
    original = ModelFile(shelf.path(Quantization.ORIGINAL).name, shelf.model.sha256)
    return {**(choice.files if choice else {}), Quantization.ORIGINAL: original}


def _ensure(
    shelf: Shelf,
    wanted: Sequence[Quantization],
    known: Mapping[Quantization, ModelFile],
    scratch: Path,
    report: Report,
) -> Mapping[Quantization, Path]:
    """A file of each: the one in its place if it is intact, else one made in `scratch`."""
    there = {q for q in known if _is_intact(shelf.path(q), known[q].sha256, report)}
    missing = {q: scratch / shelf.path(q).name for q in wanted if q not in there}
    if missing:
        original = shelf.path(Quantization.ORIGINAL)
        own_process.run(requantize, report, original, missing, shelf.threads)
    return {q: missing.get(q) or shelf.path(q) for q in wanted}


def _is_intact(path: Path, sha256: str, report: Report) -> bool:
    return path.is_file() and file_sha256(path, report) == sha256


def _restore(shelf: Shelf, choice: Choice, report: Report) -> None:
    with _scratch(shelf) as scratch:
        made = _ensure(shelf, [choice.chosen], choice.files, Path(scratch), report)[choice.chosen]
        found = file_sha256(made, report)
        if found != choice.file.sha256:
            raise ModelUnavailableError(
                f"{choice.file.name} is lost, and made again it differs: sha256 {found[:16]}…, "
                f"recorded {choice.file.sha256[:16]}…. Adapters trained on the lost one will not "
                f"fit. Take the new one with: npc model pull --quantize {choice.chosen}"
            )
        os.replace(made, shelf.path(choice.chosen))  # noqa: PTH105 - atomic


def _record(
    shelf: Shelf,
    chosen: Quantization,
    file: Path,
    known: Mapping[Quantization, ModelFile],
    trial: Trial | None,
) -> Choice:
    place = shelf.path(chosen)
    made = ModelFile(place.name, file_sha256(file))
    if file != place:
        os.replace(file, place)  # noqa: PTH105 - atomic
    choice = Choice(chosen, {**known, chosen: made}, _now(), cpu_name(), trial)
    catalogue.write_choice(shelf.model, shelf.cache_dir, choice)
    return choice


def _scratch(shelf: Shelf) -> tempfile.TemporaryDirectory[str]:
    folder = shelf.path(Quantization.ORIGINAL).parent
    return tempfile.TemporaryDirectory(dir=folder, prefix=".quantize-")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def cpu_name() -> str:
    """The processor's name as its maker prints it, or what the platform knows."""
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
