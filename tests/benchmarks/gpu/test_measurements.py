"""Every part of the GPU benchmark runs on small shapes on a CPU, and keeps to its time."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.errors import PeerBrokeError
from benchmarks.gpu import measurements
from benchmarks.gpu.children import ensure_random_base, last_error, run_child
from benchmarks.gpu.workspace import LLAMA_8B, TINY, TINY_UNTIED, Extent, Workspace
from benchmarks.parts import Part
from trainer.held import Device

TRAINED = ("pairs_per_s", "tokens_per_s", "peak_gib", "planned_gib", "load_s", "losses")


def quiet(what: str, done: int, total: int) -> None:
    assert done <= total


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    ends_at = time.monotonic() + 500
    extent = Extent(Device.CPU, True, TINY, TINY_UNTIED, 8, 8, 1, (0.03,), None, ends_at)
    return Workspace(tmp_path, tmp_path, tmp_path, extent, quiet)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dpo", "qlora"])
async def test_both_sides_learn_the_same_held_alike(name: str, workspace: Workspace) -> None:
    part: Part[Extent] = {"dpo": measurements.dpo, "qlora": measurements.qlora}[name]
    found = await part(workspace)
    assert found.figures[f"{name}_first_reward"].value == 0.0
    assert found.figures[f"{name}_loss_difference"].value < 0.1
    assert set(found.samples) == {f"{side}_{key}" for side in ("ours", "stock") for key in TRAINED}
    held = {note.partition(": ")[2] for note in found.notes}
    assert len(held) == 1
    assert ("bfloat16" if name == "dpo" else "nf4") in held.pop()


@pytest.mark.slow
async def test_a_small_card_is_planned_for(workspace: Workspace) -> None:
    found = await measurements.cards(workspace)
    assert "activations computed again" in found.notes[0]
    assert found.figures["peak_over_plan"].value > 0


@pytest.mark.slow
async def test_the_cpu_agrees_with_itself(workspace: Workspace) -> None:
    figures = (await measurements.agreement(workspace)).figures
    assert figures["forward_difference"].value < 1e-4
    assert 0 < figures["bfloat16_kl"].value < figures["nf4_kl"].value


async def test_without_a_gguf_serving_says_so(workspace: Workspace) -> None:
    found = await measurements.serving(workspace)
    assert not found.figures
    assert "name one with --gguf" in found.notes[0]


async def test_a_child_that_takes_too_long_is_ended(workspace: Workspace) -> None:
    with pytest.raises(PeerBrokeError, match="random_base took longer than 0 s"):
        await ensure_random_base(workspace, TINY, limit_s=0.05)
    assert not list(workspace.scratch.glob("random-*"))


async def test_a_child_that_fails_tells_why(workspace: Workspace) -> None:
    with pytest.raises(
        PeerBrokeError, match=r"agreement: trainer\.errors\.BaseModelError: nowhere cannot"
    ):
        await run_child(workspace, "agreement", "nowhere", "--device=cpu", limit_s=100)


def test_of_a_traceback_the_error_is_told() -> None:
    said = "Traceback:\n  File x\n    raise\nValueError: first\n\nmore.OutOfMemoryError: no\nroom\n"
    assert last_error(said) == "more.OutOfMemoryError: no room"
    assert last_error("killed\n") == "killed"


def test_no_child_begins_when_the_time_is_over(workspace: Workspace) -> None:
    over = replace(workspace, extent=replace(workspace.extent, ends_at=0.0))
    with pytest.raises(PeerBrokeError, match="time of the whole run is over"):
        asyncio.run(run_child(over, "agreement", limit_s=100))


def test_eight_billion_weights_take_sixteen_gigabytes() -> None:
    assert 16e9 < LLAMA_8B.disk_bytes < 16.2e9
