"""`python -m benchmarks.gpu`: training on a CUDA GPU, in ten minutes at most.

    python -m benchmarks.gpu                         everything that is not measured yet
    python -m benchmarks.gpu --only qlora --again    one part, anew
    python -m benchmarks.gpu --tiny --device cpu     the same code on small shapes: whether it runs

Parts that the result file has are kept, so a run that was broken off goes on. Each part is child
processes with limits of time; one that breaks off, or for which no time is left, is a note.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import options, parts
from benchmarks.console import progress_line
from benchmarks.gpu import measurements
from benchmarks.gpu.figures import MARKS
from benchmarks.gpu.workspace import (
    LLAMA_8B,
    SMOLLM_135M,
    TINY,
    TINY_UNTIED,
    Extent,
    Workspace,
)
from benchmarks.parts import Part, PartResult
from trainer.errors import ConfigError
from trainer.hardware import find_hardware
from trainer.held import Device
from trainer.memory_plan import Hardware


@dataclass(frozen=True)
class Measurement:
    """A part, and the least time that it is worth beginning with."""

    run: Part[Extent]
    least_s: float


PARTS = {
    "agreement": Measurement(measurements.agreement, 30),
    "dpo": Measurement(measurements.dpo, 60),
    "qlora": Measurement(measurements.qlora, 150),
    "cards": Measurement(measurements.cards, 60),
    "serving": Measurement(measurements.serving, 30),
}
USAGE = 2
MOST_MINUTES = 10.0
EXAMPLES = "Examples:  python -m benchmarks.gpu  |  --tiny --device cpu  |  --only qlora --again"

console = Console()


def main(
    tiny: Annotated[
        bool, typer.Option("--tiny", help="Small shapes: shows that everything runs.")
    ] = False,
    device: Annotated[Device, typer.Option(help="What computes; cpu only with --tiny.")] = (
        Device.CUDA
    ),
    only: Annotated[list[str] | None, options.only(PARTS, "PART")] = None,
    again: Annotated[bool, typer.Option("--again", help="Measure anew what is known.")] = False,
    minutes: Annotated[
        float, typer.Option(min=0.1, max=MOST_MINUTES, help="The most that all may take.")
    ] = MOST_MINUTES,
    gguf: Annotated[Path | None, typer.Option(help="A served base, for the part serving.")] = None,
    out: options.Out = options.RESULTS,
    scratch: Annotated[
        Path | None, typer.Option(help="Keeps the random weights, 17 GB, for the next run.")
    ] = None,
) -> None:
    """Measure training on a GPU beside stock TRL, and whether plans of memory hold there."""
    begun = time.monotonic()
    names, hardware = options.choose(only, PARTS), _find(device, tiny)
    extent = _extent(hardware, tiny, gguf, begun + 60 * minutes)
    file = out / ("gpu.tiny.json" if tiny else "gpu.json")
    known = set() if again else _known(file, hardware)
    console.print(f"on {hardware.text}", highlight=False)
    with _folder(scratch) as folder, progress_line(console) as tell:
        workspace = Workspace(folder, folder, folder, extent, tell)
        for name in names:
            if name in known:
                console.print(f"{name}: kept, {file} has it; measure it anew with --again")
                continue
            result = {name: _measure(name, workspace, hardware)}
            parts.write(file, result, MARKS, folder)
            parts.show(result, [m for m in MARKS if m.key in parts.figures_of(result)], console)
    console.print(f"{file} written after {time.monotonic() - begun:.0f} s", highlight=False)


def _find(device: Device, tiny: bool) -> Hardware:
    try:
        hardware = find_hardware(device)
    except ConfigError as error:
        advice = "--tiny --device cpu shows that everything runs"
        console.print(f"{error}; {advice}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(USAGE) from error
    if hardware.device is not Device.CUDA and not tiny:
        raise typer.BadParameter(f"8B weights on {hardware.device} take hours; add --tiny")
    return hardware


def _extent(hardware: Hardware, tiny: bool, gguf: Path | None, ends_at: float) -> Extent:
    found = (hardware.device, hardware.has_bfloat16)
    if tiny:
        return Extent(*found, TINY, TINY_UNTIED, 12, 12, 1, (0.03, 2), gguf, ends_at)
    return Extent(*found, SMOLLM_135M, LLAMA_8B, 64, 24, 2, (12, 16, 24), gguf, ends_at)


def _known(file: Path, hardware: Hardware) -> set[str]:
    """The parts that were measured on this device and came to figures."""
    if not file.is_file():
        return set()
    written = json.loads(file.read_text("utf-8"))["parts"]
    return {name for name, part in written.items() if _of(hardware) in part["notes"]}


def _of(hardware: Hardware) -> str:
    return f"measured on {hardware.text}"


def _measure(name: str, workspace: Workspace, hardware: Hardware) -> PartResult:
    """Measure one part, or say why not; what came to figures names the device."""
    part, left = PARTS[name], workspace.extent.seconds_left
    if left < part.least_s:
        note = f"{name}: left out, {max(0, left):.0f} s are left and it takes {part.least_s:.0f}"
        return PartResult({}, notes=[f"{note} or more; run again, what is measured is kept"])
    result = asyncio.run(parts.run_part(name, part.run, workspace, console))
    if not result.figures:
        return result
    return replace(result, notes=[_of(hardware), *result.notes])


@contextmanager
def _folder(scratch: Path | None) -> Iterator[Path]:
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
        yield scratch
        return
    with tempfile.TemporaryDirectory(prefix="gpu-") as made:
        yield Path(made)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLES)(main)
    app()
