"""World Info becomes a world, and comes out as it went in."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from personas.cards.world_folder import admit_world, staged_world, world_info_from
from personas.errors import CardError
from personas.persona_files import SAMPLE_CHARACTERS
from personas.world_files import read_world, worlds_beside
from tests.support.cards import WORLD_INFOS, write_json

SAMPLE = worlds_beside(SAMPLE_CHARACTERS) / "saltmere"


def import_into(worlds: Path, file: Path, name: str = "harbour") -> Path:
    with staged_world(file, worlds, name) as staged:
        return admit_world(staged, worlds)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WORLD_INFOS)
def test_world_info_comes_out_as_it_went_in(content: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = import_into(Path(folder) / "worlds", write_json(Path(folder) / "a.json", content))
        assert world_info_from(home).content == content


def test_a_world_of_ours_comes_back_file_by_file(tmp_path: Path) -> None:
    file = write_json(tmp_path / "a.json", world_info_from(SAMPLE).content)
    home = import_into(tmp_path / "worlds", file, "saltmere")
    for name in ("world.yaml", "lore.yaml"):
        assert (home / name).read_bytes() == (SAMPLE / name).read_bytes()


def test_what_the_designer_changed_is_in_the_file_that_it_came_in(tmp_path: Path) -> None:
    entry = {"uid": 3, "key": ["mill"], "content": "It stands.", "depth": 9, "order": 100}
    content = {"entries": {"3": entry}, "name": "Harbour", "other": 1}
    home = import_into(tmp_path / "worlds", write_json(tmp_path / "a.json", content))
    lore = yaml.safe_load((home / "lore.yaml").read_text())
    lore["entries"][0] |= {"text": "It turns."}
    lore["entries"].append({"id": "pier", "keys": ["pier"], "text": "It rots."})
    (home / "lore.yaml").write_text(yaml.safe_dump(lore))
    told = world_info_from(home).content
    assert told["entries"]["3"] == entry | {"content": "It turns."}
    assert (told["entries"]["4"]["key"], told["entries"]["4"]["uid"]) == (["pier"], 4)
    assert told["other"] == 1


def test_what_another_program_changed_leaves_the_rest_of_a_world_alone(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "saltmere")
    info = world_info_from(tmp_path / "saltmere").content
    first = next(iter(info["entries"]))
    info["entries"][first]["content"] = "Nobody knows."
    home = import_into(tmp_path / "worlds", write_json(tmp_path / "a.json", info), "saltmere")
    (world, _), (before, _) = read_world(home, home.parent), read_world(SAMPLE, SAMPLE.parent)
    assert world is not None
    assert before is not None
    assert world.entries[0].text == "Nobody knows."
    assert world.entries[1:] == before.entries[1:]
    assert world.card == before.card


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"entries": {"0": 5}}, r"entries\[0\]: expected an object, got 5"),
        ({"spec": "lorebook_v3", "data": {"entries": {}}}, "entries: expected a list"),
        ({"spec": "lorebook_v3"}, "data: expected an object"),
        ({"name": "x"}, "no World Info"),
        ({"entries": {}, "extensions": {"troupe": 5}}, "troupe: of another format"),
    ],
)
def test_what_is_no_world_info_is_refused(tmp_path: Path, content: Any, why: str) -> None:
    with pytest.raises(CardError, match=why):
        import_into(tmp_path / "worlds", write_json(tmp_path / "a.json", content))
    assert not (tmp_path / "worlds" / "harbour").exists()
