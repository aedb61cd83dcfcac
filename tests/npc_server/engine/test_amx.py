"""Layouts of weights that are not trusted."""

import ctypes

import pytest

from npc_server.engine import amx
from npc_server.engine.amx import layouts, leave_out_amx
from npc_server.engine.llama_log import init_library


def test_no_weights_lie_as_amx_wants_them() -> None:
    init_library()
    assert "AMX" not in layouts()
    before = layouts()
    init_library()
    assert layouts() == before


@pytest.mark.parametrize("names", [["AMX", "A", "B"], ["A", "AMX", "B"], ["A", "AMX"], ["AMX"]])
def test_the_other_layouts_stay_in_their_order(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = (ctypes.c_void_p * (len(names) + 1))(*range(1, len(names) + 1), None)
    monkeypatch.setattr(amx, "_list", lambda: listed)
    monkeypatch.setattr(amx, "_name", lambda layout: names[layout - 1])
    leave_out_amx()
    assert layouts() == [name for name in names if name != "AMX"]
