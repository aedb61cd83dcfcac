"""`npc persona import` and `export`: what people see, what scripts read, and adapters that ride."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from npc_server.base_models.model_files import file_sha256
from npc_server.commands.exit_codes import Exit, exit_of
from npc_server.commands.main import app
from npc_server.engine.errors import AdapterRejectedError
from npc_server.errors import AdapterMisfitError, ConfigError
from personas.adapter_repo import AdapterRepo, Draft
from personas.errors import CardError
from personas.persona_files import SAMPLE_CHARACTERS
from personas.world_files import worlds_beside
from tests.support import tiny_gguf
from tests.support.broken_cards import zip_with
from tests.support.cards import SMITH, write_json


@pytest.fixture(autouse=True)
def cast(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cast of Mira on the tiny base, configured by an npc.toml in the working folder."""
    shutil.copytree(SAMPLE_CHARACTERS / "mira", tmp_path / "cast" / "mira")
    shutil.copytree(worlds_beside(SAMPLE_CHARACTERS), tmp_path / "worlds")
    (tmp_path / "npc.toml").write_text(
        f'[model]\nbase = "{tiny_model}"\n[paths]\ncharacters = "cast"\ndata = "data"\n'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cast"


def npc(*arguments: str) -> str:
    """What a command prints that ends well; what it raises is raised."""
    result = CliRunner().invoke(app, ["persona", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


def publish(cast: Path, base_sha256: str) -> str:
    """An adapter of Mira that is live."""
    lora = tiny_gguf.write_adapter(cast.parent / "lora", seed=1)
    repo = AdapterRepo(cast.parent / "data" / "adapters")
    draft = Draft("mira", None, base_sha256, "dpo", {}, "", ("p1", "p2"), {}, license="CC0-1.0")
    return repo.promote("mira", repo.publish(draft, lora).version).live or ""


def test_a_card_goes_in_and_comes_out(tmp_path: Path, cast: Path) -> None:
    said = npc("import", str(write_json(tmp_path / "a.json", SMITH)))
    assert "tamsin-vane: Tamsin Vane, imported to" in said
    assert "creator_notes: is for people, and in no prompt" in said
    assert "tamsin-vane: Tamsin Vane" in npc("check")
    npc("export", "tamsin-vane", "--to", "b.json")
    assert json.loads((tmp_path / "b.json").read_text()) == SMITH


def test_a_script_reads_what_was_imported(tmp_path: Path) -> None:
    file = write_json(tmp_path / "a.json", SMITH)
    said = json.loads(npc("import", str(file), "--name", "tamsin", "--json"))
    assert (said["id"], said["adapter"]) == ("tamsin", None)
    assert {"unused", "chosen", "written"} == {one["kind"] for one in said["remarks"]}


def test_nothing_is_imported_over_a_character(tmp_path: Path, cast: Path) -> None:
    with pytest.raises(CardError, match="is there already; give another id with --name") as refused:
        npc("import", str(write_json(tmp_path / "a.json", SMITH)), "--name", "mira")
    assert exit_of(refused.value) is Exit.USAGE
    assert [one.name for one in cast.iterdir()] == ["mira"]


def test_a_broken_card_leaves_nothing_behind(tmp_path: Path, cast: Path) -> None:
    (tmp_path / "a.json").write_text('{"name": "x", "name": "y"}')
    with pytest.raises(CardError, match="key 'name' is given twice"):
        npc("import", "a.json")
    assert [one.name for one in cast.iterdir()] == ["mira"]


def test_a_file_is_not_replaced_unless_asked(tmp_path: Path) -> None:
    npc("export", "mira", "--to", "mira.png")
    before = (tmp_path / "mira.png").read_bytes()
    with pytest.raises(ConfigError, match="replace it with --overwrite"):
        npc("export", "mira", "--to", "mira.png", "--spec", "v2")
    npc("export", "mira", "--to", "mira.png", "--spec", "v2", "--overwrite")
    assert (tmp_path / "mira.png").read_bytes() != before


def test_a_card_is_written_of_a_character_in_another_folder(tmp_path: Path, cast: Path) -> None:
    cast.rename(tmp_path / "other")
    npc("export", "mira", "--to", "mira.json", "--in", "other")
    assert json.loads((tmp_path / "mira.json").read_text())["data"]["name"] == "Mira Holt"
    with pytest.raises(ConfigError, match=r"no folder others; did you mean other\?"):
        npc("export", "mira", "--to", "b.json", "--in", "others")


def test_an_adapter_rides_in_a_charx_without_its_players(
    tmp_path: Path, cast: Path, tiny_model: Path
) -> None:
    version = publish(cast, file_sha256(tiny_model))
    npc("export", "mira", "--to", "mira.charx", "--adapter", "live")
    assert b'"p1"' not in (tmp_path / "mira.charx").read_bytes()
    said = json.loads(npc("import", "mira.charx", "--name", "mara", "--no-gate", "--json"))
    repo = AdapterRepo(tmp_path / "data" / "adapters")
    (brought,) = repo.versions("mara")
    assert brought.version == said["adapter"]
    assert brought.content_hash == repo.manifest("mira", version).content_hash
    assert (brought.source, brought.license) == (f"mira.charx, {version}", "CC0-1.0")
    assert not list((cast / "mara").rglob("*.safetensors"))


def test_an_adapter_of_another_base_is_refused_and_the_character_with_it(
    tmp_path: Path, cast: Path
) -> None:
    publish(cast, "ab" * 32)
    npc("export", "mira", "--to", "mira.charx", "--adapter", "live")
    with pytest.raises(AdapterMisfitError, match=r"nothing was imported: .* --no-adapter"):
        npc("import", "mira.charx", "--name", "mara", "--no-gate")
    assert [one.name for one in cast.iterdir()] == ["mira"]
    npc("import", "mira.charx", "--name", "mara", "--no-adapter")
    assert (cast / "mara" / "persona.yaml").is_file()


def test_a_damaged_adapter_takes_the_character_out_again(
    tmp_path: Path, cast: Path, tiny_model: Path
) -> None:
    lora = tiny_gguf.write_adapter(tmp_path / "lora", seed=1)
    (lora / "adapter_model.safetensors").write_bytes(b"no weights")
    card = {"card.json": json.dumps(SMITH).encode()}
    files = {f"assets/x/ai/{one.name}": one.read_bytes() for one in lora.iterdir()}
    zip_with(tmp_path / "a.charx", card | files)
    with pytest.raises(AdapterRejectedError):
        npc("import", "a.charx", "--no-gate", "--same-base")
    assert [one.name for one in cast.iterdir()] == ["mira"]


def test_an_adapter_rides_in_nothing_but_a_charx(cast: Path) -> None:
    with pytest.raises(ConfigError, match=r"rides in a \.charx alone, not in mira\.png"):
        npc("export", "mira", "--to", "mira.png", "--adapter", "live")
    with pytest.raises(ConfigError, match="mira speaks with the bare base"):
        npc("export", "mira", "--to", "mira.charx", "--adapter", "live")


def test_world_info_becomes_a_world_that_characters_can_name(tmp_path: Path, cast: Path) -> None:
    entry = {"uid": 0, "key": ["lighthouse"], "content": "It is dark.", "disable": False}
    file = write_json(tmp_path / "harbour.json", {"entries": {"0": entry}})
    assert "harbour: harbour, a world of 1 entry, imported to" in npc("import", str(file))
    text = (cast / "mira" / "persona.yaml").read_text()
    (cast / "mira" / "persona.yaml").write_text(text.replace("world: saltmere", "world: harbour"))
    npc("export", "harbour", "--world", "--to", "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == {"entries": {"0": entry}}
    with pytest.raises(ConfigError, match="no world 'harbor'"):
        npc("export", "harbor", "--world", "--to", "b.json")


def test_a_character_whose_world_is_not_here_is_refused_with_the_world(tmp_path: Path) -> None:
    npc("export", "mira", "--to", "mira.json")
    shutil.rmtree(tmp_path / "worlds")
    with pytest.raises(CardError, match="no world 'saltmere'"):
        npc("import", "mira.json", "--name", "mara")


def test_the_sample_characters_are_not_added_to(tmp_path: Path) -> None:
    (tmp_path / "npc.toml").unlink()
    write_json(tmp_path / "a.json", SMITH)
    with pytest.raises(ConfigError, match="no folder of your own is set up"):
        npc("import", "a.json")
    npc("import", "a.json", "--in", "new/cast")
    text = (tmp_path / "new/cast/tamsin-vane/persona.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=../.schemas/persona.schema.json")
    assert (tmp_path / "new/cast/.schemas/persona.schema.json").is_file()


def test_what_the_disk_refuses_is_told_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(CardError, match=r"folder\.json: Is a directory; nothing was changed"):
        npc("import", "folder.json")
