"""Files that are made to use up time or memory are refused before they do."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from npc_server import config
from npc_server.engine.errors import AdapterRejectedError
from npc_server.engine.lora.lora_gguf import BaseShape, linear_shapes, read_peft
from npc_server.errors import ConfigError
from personas import yaml_file
from personas.cards.card_files import read_value
from personas.cards.png import MAX_CHUNKS
from personas.errors import CardError
from tests.support import tiny_gguf
from tests.support.broken_cards import picture_with, raw_chunk

MIB = 1 << 20


def peak_of(call: Callable[[], object]) -> int:
    """The most bytes that Python had taken at once during a call, above what it had before."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def problem_of(text: str) -> str:
    """The first thing that is wrong with a persona file's text."""
    return yaml_file.parse(Path("persona.yaml"), text).problems[0].what


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &a [x]\nb: [*a, *a]", "anchors and aliases"),
        ("[" * 5000, "nested deeper than 12 levels"),
        ("? " * 5000, "nested deeper than 12 levels"),
        ("[" + "a," * 600_000 + "]", "more than 500,000 values"),
        ("{" + "a: 1, " * 1000 + "}", "more than 200 problems"),
        ("a: 1" + ":1" * 60_000, "120,001 signs, more than any number or date"),
        ("a: 1" + ":1" * 25 + ".0", None),
        ("a: !!int ''", "its tag does not fit it"),
        ("a: !!timestamp soon", "its tag does not fit it"),
        ("a: !!python/object/apply:os.system [x]", None),
    ],
    ids=["aliases", "lists", "keys", "values", "twice", "sixties", "float", "int", "date", "code"],
)
def test_yaml_is_read_in_bounded_time_or_refused(text: str, why: str | None) -> None:
    document = yaml_file.parse(Path("persona.yaml"), text)
    assert [one.what for one in document.problems if why and why in one.what] or why is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = " + "[" * 1500, "nested too deeply"),
        ("a" + ".a" * 1500 + " = 1", "line 1 has 3,005 signs; at most 2,000"),
        ("# padding\n" * 7000, "larger than 64 KiB"),
        ("[server]\nport = " + "9" * 1900, "server.port"),
        ("server = 1", "server"),
    ],
    ids=["lists", "dots", "size", "number", "no table"],
)
def test_a_configuration_is_refused_in_one_sentence(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "npc.toml").write_text(text)
    with pytest.raises(ConfigError, match=why):
        config.load(tmp_path / "npc.toml", {"NPC_SERVER_HOST": "::1"})


def long_list(entries: int) -> bytes:
    """A zip that holds nothing but the list of its entries."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", *([0] * 6), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    size = entries * len(entry)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFE, 0xFFFE, size, 4, 0)
    return b"PK\3\4" + entry * entries + end


def test_a_zip_of_a_million_entries_takes_little_memory(tmp_path: Path) -> None:
    file = tmp_path / "bomb.charx"
    file.write_bytes(long_list(1_000_000))

    def read() -> None:
        with pytest.raises(CardError, match="list of entries is longer than 2 MiB"):
            read_value(file, tmp_path)

    assert peak_of(read) < 16 * MIB


def test_a_picture_of_endless_chunks_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "chunks.png"
    file.write_bytes(picture_with(raw_chunk(b"teXt", b"") * (MAX_CHUNKS + 1)))
    with pytest.raises(CardError, match="more than 65,536 chunks"):
        read_value(file, tmp_path)


def test_packed_text_of_a_picture_is_never_unpacked(tmp_path: Path) -> None:
    packed = zlib.compress(b"x" * (64 * MIB))
    (tmp_path / "bomb.png").write_bytes(picture_with(raw_chunk(b"zTXt", b"chara\0\0" + packed)))

    def read() -> None:
        with pytest.raises(CardError, match="chara is in a zTXt chunk"):
            read_value(tmp_path / "bomb.png", tmp_path)

    assert peak_of(read) < 4 * MIB


@pytest.fixture
def base(tiny_model: Path) -> BaseShape:
    return BaseShape("llama", tiny_gguf.HEADS, tiny_gguf.KV_HEADS, linear_shapes(tiny_model))


def test_weights_far_larger_than_the_base_has_are_not_read(tmp_path: Path, base: BaseShape) -> None:
    folder = tiny_gguf.write_adapter(tmp_path / "a", seed=1)
    with (folder / "adapter_model.safetensors").open("r+b") as stream:
        stream.truncate(1 << 40)  # sparse
    with pytest.raises(AdapterRejectedError, match="larger than"):
        read_peft(folder, base, 16)


def test_a_header_that_claims_more_than_there_is_is_refused(
    tmp_path: Path, base: BaseShape
) -> None:
    folder = tiny_gguf.write_adapter(tmp_path / "a", seed=1)
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", (1 << 64) - 1) + b"{}")
    with pytest.raises(AdapterRejectedError, match="unreadable"):
        read_peft(folder, base, 16)


@pytest.mark.parametrize("pattern", [".?" * 60 + "x", "(.|.)" * 39, "(?i)q_proj"])
def test_patterns_of_an_adapter_are_looked_for_at_once(
    tmp_path: Path, base: BaseShape, pattern: str
) -> None:
    assert read_peft(with_pattern(tmp_path / "a", pattern), base, 16).rank == tiny_gguf.RANK


@pytest.mark.parametrize("pattern", ["\ud800", "a{900}{900}", "x" * 201])
def test_what_cannot_be_looked_for_quickly_is_refused(
    tmp_path: Path, base: BaseShape, pattern: str
) -> None:
    with pytest.raises(AdapterRejectedError, match="alpha_pattern has"):
        read_peft(with_pattern(tmp_path / "a", pattern), base, 16)


def with_pattern(folder: Path, pattern: str) -> Path:
    """A good adapter but for a pattern of its config."""
    folder = tiny_gguf.write_adapter(folder, seed=1)
    config_file = folder / "adapter_config.json"
    settings = json.loads(config_file.read_text()) | {"alpha_pattern": {pattern: 1}}
    config_file.write_text(json.dumps(settings))
    return folder
