"""What follows from what was found of a base."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from npc_server.base_models.base_report import BaseReport, Training, settings_to_use
from npc_server.base_models.catalogue import CATALOGUE
from npc_server.base_models.speed_trial import Speed, SpeedTrial
from npc_server.engine.protocol import Batching
from npc_server.engine.settings import EngineSettings

LISTED = CATALOGUE["qwen3-1.7b"]
assert LISTED.shape
QUICK = tuple(Speed(n, 30.0, 100) for n in (1, 8, 16))
GOOD = BaseReport(
    base="qwen3-1.7b",
    path=Path("q.gguf"),
    file_bytes=1_000_000_000,
    sha256="0" * 64,
    weights=LISTED.shape.weights,
    figures=LISTED.shape.figures(1_000_000_000),
    settings=EngineSettings(),
    trained_tokens=32768,
    prompts=("in ChatML",),
    thought_tokens=0,
    chat_fault="",
    doubts=(),
    trial=SpeedTrial("", "qwen3", Batching.MIXED, "", QUICK),
    engine_fault="",
    room_fault="",
    free_bytes=16 << 30,
    training=Training(True, ""),
    quantizable=True,
)


def lines(report: BaseReport) -> list[str]:
    """What is advised."""
    return [setting.line for setting in settings_to_use(report)]


def test_a_base_without_faults_needs_its_name_alone() -> None:
    assert GOOD.faults == ()
    assert lines(GOOD) == ['[model] base = "qwen3-1.7b"']


def test_a_context_is_no_longer_than_in_training() -> None:
    assert "[engine] context_tokens = 512" in lines(replace(GOOD, trained_tokens=512))
    assert len(lines(replace(GOOD, trained_tokens=0))) == 1


def test_what_does_not_fit_as_configured_is_a_fault() -> None:
    assert replace(GOOD, room_fault="sequences = 4 would fit").faults == (
        "sequences = 4 would fit",
    )


def test_nobody_is_told_to_serve_more_turns_than_players_can_read_along_with() -> None:
    speeds = (Speed(1, 20.0, 9), Speed(8, 5.0, 9), Speed(16, 3.0, 9))
    trial = SpeedTrial("", "qwen3", Batching.MIXED, "", speeds)
    many = replace(GOOD, trial=trial, settings=EngineSettings(sequences=16))
    assert "[engine] sequences = 8" in lines(many)
    assert len(lines(replace(GOOD, trial=trial))) == 1


def test_a_base_of_many_bits_is_worth_a_try_in_fewer() -> None:
    large = replace(GOOD, file_bytes=LISTED.size_bytes)
    advice = "npc model pull qwen3-1.7b --quantize auto"
    assert advice in lines(large)
    assert advice not in lines(replace(large, quantizable=False))


def test_an_engine_that_does_not_run_it_is_a_fault() -> None:
    assert replace(GOOD, trial=None, engine_fault="no").faults == ("no",)
    unprompted = replace(GOOD, chat_fault="no template")
    assert (unprompted.faults, lines(unprompted)) == (("no template",), [])
