"""Choosing which quantization of a fetched base serves: what `npc model pull` does.

A file is made beside its final name, in a process of its own, and renamed; the record is written
last. So whoever resolves the base meanwhile gets the old file or the new one, whole. Adapters fit
the exact file they were trained on: a file that cannot be made again bit by bit is never put in the
place of a recorded one unasked, and unasked nothing is chosen once anything was trained.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from npc_server.base_models import fetching, model_files, own_process
from npc_server.base_models.catalogue import DEFAULT_MODEL, NamedModel
from npc_server.base_models.errors import (
    BaseModelError,
    ModelUnavailableError,
    RequantizeError,
)
from npc_server.base_models.model_files import file_sha256
from npc_server.base_models.own_process import Report
from npc_server.base_models.quantization import (
    Choice,
    Quantization,
    RecordedFile,
    Rule,
    Trial,
    decide,
    usual,
)
from npc_server.base_models.quantization_trial import measure
from npc_server.base_models.requantize import requantize
from npc_server.engine.errors import EngineError
from npc_server.engine.llama import cpu_kernels

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class ModelFiles:
    """The files of a model in a cache, and the threads that work on them."""

    model: NamedModel
    cache_dir: Path
    threads: int

    def path(self, quantization: Quantization) -> Path:
        """Where a quantization lies."""
        return model_files.quantized_path(self.model, self.cache_dir, quantization)


def ensure_chosen(files: ModelFiles, trained_on: Set[str], report: Report) -> Path:
    """Fetch the base, and make the chosen quantization again if it is lost or damaged.

    Where none was ever chosen and nothing was trained, the usual one of this CPU is chosen for the
    embedded base, which is the one it was measured on; others stay as they were fetched.
    `trained_on` has the sha256 of every base that adapters of the data folder fit.

    Returns the file that serves. Raises as `choose` does.
    """
    original = fetching.pull(files.model, files.cache_dir, report)
    choice = model_files.read_choice(files.model, files.cache_dir)
    is_measured = files.model.name == DEFAULT_MODEL
    if choice is None and is_measured and not _was_trained(files, trained_on):
        return _choose_usual(files, report)
    if choice is None or choice.chosen is Quantization.ORIGINAL:
        return original
    path = files.path(choice.chosen)
    if not _is_intact(path, choice.file.sha256, report):
        _restore(files, choice, report)
    return path


def _was_trained(files: ModelFiles, trained_on: Set[str]) -> bool:
    """Whether a training has begun on the file as fetched, in this data folder or another."""
    return files.model.sha256 in trained_on or model_files.is_unpacked(files.model, files.cache_dir)


def _choose_usual(files: ModelFiles, report: Report) -> Path:
    best = usual(cpu_kernels())
    if best is Quantization.ORIGINAL:
        return files.path(best)
    try:
        return choose(files, best, report)
    except (BaseModelError, EngineError) as error:
        raise RequantizeError(
            f"{files.model.name} is here, and could not be made quicker: {error}\n"
            f"Serve it as fetched with: {files.model.pull_command} --quantize original"
        ) from error


def choose(files: ModelFiles, quantization: Quantization, report: Report) -> Path:
    """Let a quantization serve, and make it first unless it is there intact.

    Returns its file. Raises ModelUnavailableError, RequantizeError, ProcessDiedError and the
    engine's errors; what served before then still does.
    """
    fetching.pull(files.model, files.cache_dir, report)
    known = _files_on_record(files)
    with _scratch(files) as scratch:
        paths = _ensure(files, [quantization], known, Path(scratch), report)
        _record(files, quantization, paths[quantization], known, None)
    return files.path(quantization)


def choose_best(files: ModelFiles, report: Report) -> Choice:
    """Measure all quantizations on this machine and let the rule's choice serve.

    Raises as `choose` does.
    """
    fetching.pull(files.model, files.cache_dir, report)
    known = _files_on_record(files)
    with _scratch(files) as scratch:
        paths = _ensure(files, list(Quantization), known, Path(scratch), report)
        trial = _run_trial(paths, files.threads, report)
        best = decide(trial.candidates, trial.rule).quantization
        return _record(files, best, paths[best], known, trial)


def measure_all(files: ModelFiles, report: Report) -> Trial:
    """Measure all quantizations on this machine and change nothing. Raises as `choose` does."""
    fetching.pull(files.model, files.cache_dir, report)
    with _scratch(files) as scratch:
        paths = _ensure(files, list(Quantization), _files_on_record(files), Path(scratch), report)
        return _run_trial(paths, files.threads, report)


def _run_trial(paths: Mapping[Quantization, Path], threads: int, report: Report) -> Trial:
    candidates = own_process.run(measure, report, paths, threads)
    return Trial(_now(), cpu_name(), threads, Rule(), candidates)


def _files_on_record(files: ModelFiles) -> Mapping[Quantization, RecordedFile]:
    """Files on record; choosing anew must work when the record is damaged."""
    try:
        choice = model_files.read_choice(files.model, files.cache_dir)
    except ModelUnavailableError:
        choice = None
    original = RecordedFile(files.path(Quantization.ORIGINAL).name, files.model.sha256)
    return {**(choice.files if choice else {}), Quantization.ORIGINAL: original}


def _ensure(
    files: ModelFiles,
    wanted: Sequence[Quantization],
    known: Mapping[Quantization, RecordedFile],
    scratch: Path,
    report: Report,
) -> Mapping[Quantization, Path]:
    """A file of each: the one in its place if it is intact, else one made in `scratch`."""
    there = {q for q in known if _is_intact(files.path(q), known[q].sha256, report)}
    missing = {q: scratch / files.path(q).name for q in wanted if q not in there}
    if missing:
        original = files.path(Quantization.ORIGINAL)
        own_process.run(requantize, report, original, missing, files.threads)
    return {q: missing.get(q) or files.path(q) for q in wanted}


def _is_intact(path: Path, sha256: str, report: Report) -> bool:
    return path.is_file() and file_sha256(path, report) == sha256


def _restore(files: ModelFiles, choice: Choice, report: Report) -> None:
    with _scratch(files) as scratch:
        made = _ensure(files, [choice.chosen], choice.files, Path(scratch), report)[choice.chosen]
        found = file_sha256(made, report)
        if found != choice.file.sha256:
            raise ModelUnavailableError(
                f"{choice.file.name} is lost, and made again it differs: sha256 {found[:16]}…, "
                f"recorded {choice.file.sha256[:16]}…. Adapters trained on the lost one will not "
                f"fit. Take the new one with: {files.model.pull_command} --quantize {choice.chosen}"
            )
        made.replace(files.path(choice.chosen))


def _record(
    files: ModelFiles,
    chosen: Quantization,
    file: Path,
    known: Mapping[Quantization, RecordedFile],
    trial: Trial | None,
) -> Choice:
    place = files.path(chosen)
    made = RecordedFile(place.name, file_sha256(file))
    if file != place:
        file.replace(place)
    choice = Choice(chosen, {**known, chosen: made}, _now(), cpu_name(), trial)
    model_files.write_choice(files.model, files.cache_dir, choice)
    return choice


def _scratch(files: ModelFiles) -> tempfile.TemporaryDirectory[str]:
    folder = model_files.model_folder(files.model, files.cache_dir)
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=folder, prefix=".quantize-")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def cpu_name() -> str:
    """The processor's name as its maker prints it, or what the platform knows."""
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
