"""`npc devices` lists what the build computes on, and which of it the settings use."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from npc_server.commands.main import app
from npc_server.engine import devices
from npc_server.engine.devices import Device, DeviceKind
from npc_server.engine.errors import DeviceMissingError

CARDS = (
    Device("CPU", "a processor", "CPU", DeviceKind.CPU, 7 << 30, 8 << 30),
    Device("CUDA0", "a card", "CUDA", DeviceKind.GPU, 23 << 30, 24 << 30),
    Device("CUDA1", "a second card", "CUDA", DeviceKind.GPU, 0, 0),
)


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["devices", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_machine_it_runs_on_is_listed() -> None:
    (cpu,) = [row for row in json.loads(printed("--json")) if row["kind"] == "cpu"]
    assert cpu["name"] == "CPU"
    assert 0 < cpu["free_bytes"] <= cpu["total_bytes"]
    assert "CPU" in printed()


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "list_devices", lambda: CARDS)


@pytest.mark.usefixtures("two_cards")
def test_what_the_settings_use_is_marked(tmp_path: Path) -> None:
    config = tmp_path / "npc.toml"
    config.write_text('[engine]\ndevice = "CUDA1"\n')
    used = {row["name"]: row["used"] for row in json.loads(printed("--json", "-c", str(config)))}
    assert used == {"CPU": False, "CUDA0": False, "CUDA1": True}
    assert "23,552" in printed()


@pytest.mark.usefixtures("two_cards")
def test_a_setting_that_names_no_device_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPC_ENGINE_DEVICE", "CUDA7")
    result = CliRunner().invoke(app, ["devices"])
    assert isinstance(result.exception, DeviceMissingError)
    assert "did you mean CUDA" in str(result.exception)
