"""The parts of the benchmark: what each measures, with how much time it may take."""

from __future__ import annotations

import shutil
from typing import Any

from benchmarks.errors import PeerMissingError
from benchmarks.gpu.children import ensure_random_base, run_child
from benchmarks.gpu.random_base import Width
from benchmarks.gpu.workspace import Workspace
from benchmarks.measures import estimate, ratio
from benchmarks.parts import PartResult
from benchmarks.training.workspace import OURS, STOCK
from trainer.held import Optimizer, Weights

BASE_S, TRAINING_S = 120, 120  # the most that making a base, or one training, may take
NO_OFFLOAD = (
    "serving: left out, llama-cpp-python is built without a GPU here; build it with"
    " CMAKE_ARGS=-DGGML_CUDA=on"
)
DISK_SHARE = 1.2  # of a base's size, to be free


async def agreement(workspace: Workspace) -> PartResult:
    """Whether the device computes what a CPU computes."""
    workspace.tell("compare with the CPU", 0, 1)
    folder = await ensure_random_base(workspace, workspace.extent.small, BASE_S)
    device = f"--device={workspace.extent.device}"
    found = await run_child(workspace, "agreement", str(folder), device, limit_s=TRAINING_S)
    figures = {
        "forward_difference": estimate([found["forward"]]),
        "nf4_kl": estimate([found["nf4_kl"]]),
    }
    if found["bfloat16_kl"] is None:
        return PartResult(
            figures, notes=["bfloat16: left out, the device does not compute with it"]
        )
    return PartResult(figures | {"bfloat16_kl": estimate([found["bfloat16_kl"]])})


async def dpo(workspace: Workspace) -> PartResult:
    """DPO on a small dense base: ours and stock TRL in turns."""
    extent = workspace.extent
    folder = await ensure_random_base(workspace, extent.small, BASE_S)
    base = Weights.BFLOAT16 if extent.has_bfloat16 else Weights.FLOAT32
    held = (f"--base={base}", f"--pairs={extent.pairs}")
    sides = await _in_turns(workspace, str(folder), extent.rounds, *held)
    return PartResult(_compared("dpo", sides), _samples(sides), _notes(sides))


async def qlora(workspace: Workspace) -> PartResult:
    """DPO on a large base in four bits: ours and stock TRL, held alike."""
    extent = workspace.extent
    folder = await _large_base(workspace)
    held = (
        "--base=nf4",
        f"--optimizer={Optimizer.PAGED_ADAMW_8BIT}",
        "--checkpointing",
        f"--pairs={extent.large_pairs}",
    )
    sides = await _in_turns(workspace, folder, 1, *held)
    figures = _compared("qlora", sides) | {
        "qlora_tokens_per_s": estimate([one["tokens_per_s"] for one in sides[OURS]]),
        "qlora_gib": estimate([one["peak_gib"] for one in sides[OURS]]),
    }
    return PartResult(figures, _samples(sides), _notes(sides))


async def cards(workspace: Workspace) -> PartResult:
    """Whether the plans for smaller GPUs hold: the large base under a limit of memory."""
    extent = workspace.extent
    folder = await _large_base(workspace)
    found = []
    for at, size in enumerate(extent.cards_gib):
        workspace.tell(f"a card of {size} GiB", at, len(extent.cards_gib))
        asked = (OURS, folder, "--pairs=8", f"--card-gib={size}", f"--device={extent.device}")
        found.append(await run_child(workspace, "one_training", *asked, limit_s=TRAINING_S))
    kept = [one["peak_gib"] / one["planned_gib"] for one in found]
    notes = [
        f"{size} GiB: {one['held']}; planned {one['planned_gib']:.1f}, took"
        f" {one['peak_gib']:.1f} GiB"
        for size, one in zip(extent.cards_gib, found, strict=True)
    ]
    return PartResult({"peak_over_plan": estimate(kept)}, {"peak_over_plan": kept}, notes)


async def serving(workspace: Workspace) -> PartResult:
    """One reply of llama.cpp with all layers on the GPU, and with none."""
    gguf = workspace.extent.gguf
    if gguf is None:
        return PartResult({}, notes=["serving: left out, no GGUF is here; name one with --gguf"])
    found = {}
    for at, layers in enumerate((0, -1)):
        workspace.tell("serve", at, 2)
        asked = (str(gguf), f"--layers={layers}")
        found[layers] = await run_child(workspace, "bare_serving", *asked, limit_s=TRAINING_S)
        if not found[layers]["offload"]:
            return PartResult({}, notes=[NO_OFFLOAD])
    gains = {
        f"serving_{name}_gain": ratio([found[-1][key]], [found[0][key]])
        for name, key in (("prompt", "prompt_tokens_per_s"), ("reply", "reply_tokens_per_s"))
    }
    speed = estimate([found[-1]["reply_tokens_per_s"]])
    return PartResult({**gains, "serving_reply_tokens_per_s": speed}, notes=[gguf.name])


async def _large_base(workspace: Workspace) -> str:
    width: Width = workspace.extent.large
    free = shutil.disk_usage(workspace.scratch).free
    there = (workspace.scratch / width.name).is_dir()
    if not there and free < DISK_SHARE * width.disk_bytes:
        raise PeerMissingError(
            f"{width.name} takes {width.disk_bytes / 2**30:.0f} GiB of disk, and"
            f" {free / 2**30:.0f} are free in {workspace.scratch}; name a folder with --scratch"
        )
    workspace.tell(f"write {width.name}", 0, 1)
    return str(await ensure_random_base(workspace, width, BASE_S))


async def _in_turns(
    workspace: Workspace, folder: str, rounds: int, *arguments: str
) -> dict[str, list[dict[str, Any]]]:
    """Train both sides in turn."""
    device = f"--device={workspace.extent.device}"
    found: dict[str, list[dict[str, Any]]] = {OURS: [], STOCK: []}
    for number in range(rounds):
        for side, of_side in found.items():
            workspace.tell(side, 2 * number + (side == STOCK), 2 * rounds)
            asked = (side, folder, device, *arguments)
            of_side.append(await run_child(workspace, "one_training", *asked, limit_s=TRAINING_S))
    return found


def _compared(name: str, sides: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    ours, stock = sides[OURS], sides[STOCK]

    def of(key: str) -> tuple[list[float], list[float]]:
        return [one[key] for one in ours], [one[key] for one in stock]

    apart = [
        max(abs(a - b) for a, b in zip(one["losses"], other["losses"], strict=True))
        for one, other in zip(ours, stock, strict=True)
    ]
    return {
        f"{name}_speedup": ratio(*of("pairs_per_s")),
        f"{name}_memory": ratio(*of("peak_gib")),
        f"{name}_loss_difference": estimate(apart),
        f"{name}_first_reward": estimate([abs(one["first_reward"] or 0.0) for one in ours]),
    }


def _samples(sides: dict[str, list[dict[str, Any]]]) -> dict[str, list[float]]:
    keys = ("pairs_per_s", "tokens_per_s", "peak_gib", "planned_gib", "load_s")
    samples = {
        f"{side}_{key}": [one[key] for one in found]
        for side, found in sides.items()
        for key in keys
    }
    return samples | {f"{side}_losses": found[-1]["losses"] for side, found in sides.items()}


def _notes(sides: dict[str, list[dict[str, Any]]]) -> list[str]:
    return [f"{side}: {found[-1]['held']}" for side, found in sides.items()]
