"""`npc train`, `npc nightly` and `npc runs`: what they start, show and end with."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from feedback_store.store import Store
from npc_server.commands.main import app
from npc_server.commands.training.night_clock import next_start
from npc_server.commands.training.trainer_process import (
    base_check_flags,
    base_trainer_flags,
    trainer_flags,
)
from npc_server.config import Config, ModelSection
from tests.support.paths import ROOT

BERLIN = ZoneInfo("Europe/Berlin")
THREE = time_of_day(3)
PERSONA = """\
id: bo
name: Bo
role: a guard
summary: You are brief.
voice: {style: You bark.}
"""
LORE = "facts: [{id: gate, fact: The gate is north., keywords: [north]}]\n"
PROBES = "probes: [{id: where, kind: fact, about: gate, ask: 'Where?'}]\n"


@pytest.fixture
def cast(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two characters, one of them broken, and a base; the store is empty."""
    Store.open(tmp_path / "data" / "feedback.db").close()
    for name, text in (("bo", PERSONA), ("fenn", "{")):
        (tmp_path / "cast" / name).mkdir(parents=True)
        (tmp_path / "cast" / name / "persona.yaml").write_text(text)
        (tmp_path / "cast" / name / "lore.yaml").write_text(LORE)
        (tmp_path / "cast" / name / "probes.yaml").write_text(PROBES)
    monkeypatch.setenv("NPC_PATHS_CHARACTERS", str(tmp_path / "cast"))
    monkeypatch.setenv("NPC_MODEL_BASE", str(tiny_model))
    return tmp_path / "cast"


def npc(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize("flags", [base_check_flags, base_trainer_flags, trainer_flags])
def test_every_trainer_is_told_the_template_that_serves(
    flags: Callable[[Config, Path], list[str]],
) -> None:
    own, other = Config(), Config(model=ModelSection(chat_template=Path("other.jinja")))
    assert "--chat-template=other.jinja" in flags(other, Path("base.gguf"))
    assert not any("template" in flag for flag in flags(own, Path("base.gguf")))


def test_the_next_night_is_today_or_tomorrow() -> None:
    assert next_start(at("2026-06-01T02:59"), THREE, BERLIN) == at("2026-06-01T03:00")
    assert next_start(at("2026-06-01T03:00"), THREE, BERLIN) == at("2026-06-02T03:00")


def test_summer_and_winter_change_the_length_of_a_day_and_not_the_time() -> None:
    spring, autumn = at("2026-03-28T03:00"), at("2026-10-24T03:00")
    assert next_start(spring, THREE, BERLIN) - spring == timedelta(hours=23).total_seconds()
    assert next_start(autumn, THREE, BERLIN) - autumn == timedelta(hours=25).total_seconds()


def test_a_time_that_comes_twice_counts_once() -> None:
    half_past_two = time_of_day(2, 30)
    first = next_start(at("2026-10-24T12:00"), half_past_two, BERLIN)
    assert next_start(first, half_past_two, BERLIN) == at("2026-10-26T02:30")


def test_a_time_that_is_skipped_comes_later_that_day() -> None:
    moment = next_start(at("2026-03-28T12:00"), time_of_day(2, 30), BERLIN)
    assert datetime.fromtimestamp(moment, BERLIN).isoformat() == "2026-03-29T03:30:00+02:00"


def test_one_characters_failure_is_named_and_stops_nobody(cast: Path) -> None:
    """Of the two, only fenn's files are broken; bo lacks feedback."""
    done = npc("train", "--all", "--json")
    rows = json.loads(done.stdout)
    assert [(row["character"], row["state"]) for row in rows] == [
        ("bo", "waiting"),
        ("fenn", "failed"),
    ]
    assert "failed: fenn" in done.stderr
    assert done.exit_code == 1


def test_a_wrong_setting_is_wrong_usage(cast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPC_NIGHT_MIN_PEARS", "3")
    done = npc("train", "--all", "--json")
    assert "did you mean min_pairs?" in json.loads(done.stdout)[0]["reason"]
    assert npc("train", "bo").exit_code == 2


def test_train_wants_one_character_or_all(cast: Path) -> None:
    assert npc("train").exit_code != 0
    assert npc("train", "bo", "--all").exit_code != 0


def test_runs_are_listed_and_shown_without_any(cast: Path) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "npc_server.commands.main", "runs", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert json.loads(listed.stdout) == []


def test_the_daemon_tells_its_next_night_and_ends_when_told(cast: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "npc_server.commands.main", "nightly", "--every", "03:00"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as daemon:
        assert daemon.stderr is not None
        assert daemon.stderr.readline().startswith("next night: ")
        time.sleep(0.2)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(10) == 0


def test_a_time_that_is_none_is_refused(cast: Path) -> None:
    result = npc("nightly", "--every", "25:00")
    assert "write it as 03:00" in str(result.exception)
