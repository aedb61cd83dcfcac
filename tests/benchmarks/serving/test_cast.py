"""Made-up characters and their adapters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.serving.cast import Adapters, Base, open_base, publish, write_cast
from npc_server.engine.lora.lora_gguf import read_peft
from personas.adapter_repo import AdapterRepo
from personas.render import system_text


@pytest.fixture(scope="module")
def base(real_model: Path) -> Base:
    return open_base(real_model)


@pytest.mark.real_model
@pytest.mark.parametrize("tokens", [130, 400, 600])
def test_a_persona_has_about_the_wanted_length(base: Base, tmp_path: Path, tokens: int) -> None:
    adapters = Adapters(tmp_path / "adapters", base)
    cast = write_cast(tmp_path, base, adapters, 2, tokens)
    lengths = [len(base.vocab.encode(system_text(member.persona))) for member in cast.members]
    assert lengths == pytest.approx([tokens] * 2, abs=12)


def test_adapters_fit_the_base_and_differ(tiny_model: Path, tmp_path: Path) -> None:
    base = open_base(tiny_model)
    adapters = Adapters(tmp_path, base)
    one, other = (read_peft(adapters.peft(i), base.shape).tensors for i in range(2))
    assert {name.rpartition(".")[0] for name in one} == set(base.shape.linears)
    assert not any(np.array_equal(one[name], other[name]) for name in one)


def test_adapters_have_the_rank_that_is_wanted(tiny_model: Path, tmp_path: Path) -> None:
    base = open_base(tiny_model)
    loras = [
        read_peft(Adapters(tmp_path / str(rank), base, rank).peft(0), base.shape)
        for rank in (8, 16)
    ]
    assert [(lora.rank, lora.scale) for lora in loras] == [(8, 2), (16, 2)]


def test_a_cast_is_live_under_its_adapters(tiny_model: Path, tmp_path: Path) -> None:
    base = open_base(tiny_model)
    cast = write_cast(tmp_path, base, Adapters(tmp_path / "a", base), 3, 500)
    repo = AdapterRepo(cast.data / "adapters")
    live = [repo.manifest(m.id, repo.aliases(m.id).live or "") for m in cast.members]
    assert len({manifest.content_hash for manifest in live}) == 3
    assert {manifest.base_sha256 for manifest in live} == {base.sha256}


def test_publishing_leaves_the_live_version_alone(tiny_model: Path, tmp_path: Path) -> None:
    base = open_base(tiny_model)
    adapters = Adapters(tmp_path / "a", base)
    cast = write_cast(tmp_path, base, adapters, 1, 500)
    repo = AdapterRepo(cast.data / "adapters")
    before = repo.aliases(cast.members[0].id)
    version = publish(cast.data, base, cast.members[0], adapters.peft(9))
    assert repo.aliases(cast.members[0].id) == before
    assert version.startswith("v0002-")
