"""What is settled before a base is loaded."""

from pathlib import Path

import pytest

from npc_server.engine.errors import DeviceMissingError, KvTypeError, NoRoomError
from npc_server.engine.llama import ContextShape
from npc_server.engine.placement import Hardware, Placement
from npc_server.engine.planning import plan_placement
from npc_server.engine.protocol import EngineOptions, KvType

OPTIONS = EngineOptions()


def test_auto_is_the_cpu_where_there_is_no_gpu(tiny_model: Path) -> None:
    placement, plan = plan_placement(tiny_model, ContextShape(), OPTIONS, Hardware(device="CPU"))
    assert placement == Placement()
    assert [share.device for share in plan.shares] == ["CPU"]


def test_a_missing_device_is_told_before_loading(tiny_model: Path) -> None:
    with pytest.raises(DeviceMissingError, match="'CUDA9': no such device"):
        plan_placement(tiny_model, ContextShape(), OPTIONS, Hardware(device="CUDA9"))


def test_a_context_that_no_machine_holds_is_refused(tiny_model: Path) -> None:
    shape = ContextShape(sequences=64, context_tokens=1 << 30)
    with pytest.raises(NoRoomError, match=r"keys and values [\d,]+, .*context_tokens = \d+ would"):
        plan_placement(tiny_model, shape, OPTIONS, Hardware(device="CPU"))


def test_a_kv_type_that_does_not_fit_is_refused(tiny_model: Path) -> None:
    with pytest.raises(KvTypeError, match="a head of this base has 16; use 'f16'"):
        plan_placement(tiny_model, ContextShape(kv_type=KvType.Q8_0), OPTIONS, Hardware())
