"""The engine of the gate runs under the settings of the one that serves."""

from pathlib import Path

from npc_server.config import EngineSection
from npc_server.engine.placement import Hardware
from npc_server.engine.protocol import Batching, KvType
from npc_server.engine.settings import EngineSettings
from npc_server.engine.worker import EngineConfig
from trainer.recipes.recipe import read_engine

WRITTEN = EngineSection(
    sequences=3,
    context_tokens=2048,
    threads=1,
    gpu_layers=7,
    device="CUDA1",
    main_gpu=0,
    kv_type=KvType.Q8_0,
    batching=Batching.GROUPED,
    max_rank=32,
)


def test_both_have_the_same_settings_with_the_same_defaults() -> None:
    assert EngineSection().settings == EngineSettings()


def test_they_travel_to_the_trainer_as_json() -> None:
    assert read_engine({"engine": WRITTEN.model_dump(mode="json")}) == WRITTEN.settings


def test_every_one_of_them_reaches_the_engine() -> None:
    plain, other = (EngineConfig.of(Path("m"), one) for one in (EngineSettings(), WRITTEN.settings))
    assert (other.shape.sequences, other.shape.context_tokens) == (3, 2048)
    assert (other.options.batching, other.options.max_rank) == (Batching.GROUPED, 32)
    assert (other.hardware, other.shape.kv_type) == (Hardware(7, "CUDA1", 0), KvType.Q8_0)
    assert plain.hardware == Hardware()
    assert plain.shape.threads > 0
