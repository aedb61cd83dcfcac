"""What becomes of saved files, however they are saved; each step is called by hand."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from npc_server import reloading
from npc_server.adapters import Adapters, Purpose
from npc_server.admission import Admission
from npc_server.engine.fake import FakeEngine
from npc_server.live_cast import Cast, CastFolder
from npc_server.reloading import Reloading
from npc_server.sessions import Sessions
from npc_server.turns import Model
from personas.adapter_repo import AdapterRepo
from personas.cast_stamps import stamps
from personas.chat_ids import chat_of
from personas.fake import FakeTokenizer
from personas.persona_files import load_characters
from personas.world_files import Worlds, worlds_beside
from tests.support.saved_casts import cast_in, copy_as, save


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reloading, "PATIENCE_S", 0.01)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return cast_in(tmp_path, "mira", "fenn")


@pytest.fixture
def cast(root: Path) -> Cast:
    return Cast(load_characters(root))


@pytest.fixture
def follower(root: Path, cast: Cast, tmp_path: Path) -> Reloading:
    model = Model(FakeEngine(), FakeTokenizer(), "b" * 64)
    chat, engine = chat_of(model.tokenizer), model.engine
    voices = Adapters(AdapterRepo(tmp_path / "adapters"), engine, "b" * 64, tuple(cast), chat=chat)
    repo = AdapterRepo(tmp_path / "heads")
    heads = Adapters(repo, engine, "b" * 64, (), None, Purpose.HEAD, chat=chat)
    admission = Admission(model, voices, heads, Sessions())
    worlds = Worlds(worlds_beside(root))
    return Reloading(cast, CastFolder(root, worlds, stamps(root, worlds)), admission)


async def test_what_was_saved_is_served(follower: Reloading, cast: Cast, root: Path) -> None:
    save(root, "mira", "Mira Holt\n", "Zelda\n")
    await follower.catch_up()
    assert (cast["mira"].name, cast["fenn"].name) == ("Zelda", "Fenn Tarrow")
    assert cast.standing("mira").current


async def test_a_broken_file_keeps_the_last_good_version(
    follower: Reloading, cast: Cast, root: Path
) -> None:
    before = cast["mira"].version
    save(root, "mira", "name:", "nmae:")
    await follower.catch_up()
    standing = cast.standing("mira")
    assert (cast["mira"].version, standing.version) == (before, before)
    assert standing.problems[0].endswith(
        "persona.yaml:4:1: nmae: unknown key; did you mean 'name'?"
    )


async def test_what_was_mended_is_served_again(follower: Reloading, cast: Cast, root: Path) -> None:
    save(root, "mira", "name:", "nmae:")
    await follower.catch_up()
    save(root, "mira", "nmae: Mira Holt", "name: Zelda")
    await follower.catch_up()
    assert cast.standing("mira").current
    assert cast["mira"].name == "Zelda"


async def test_one_broken_character_holds_up_nobody_else(
    follower: Reloading, cast: Cast, root: Path
) -> None:
    save(root, "mira", "name:", "nmae:")
    save(root, "fenn", "Fenn Tarrow\n", "Gunn\n")
    await follower.catch_up()
    assert (cast["mira"].name, cast["fenn"].name) == ("Mira Holt", "Gunn")


async def test_who_is_added_comes_and_who_is_deleted_leaves(
    follower: Reloading, cast: Cast, root: Path
) -> None:
    copy_as(root, "fenn", "gunn")
    shutil.rmtree(root / "mira")
    await follower.catch_up()
    assert sorted(cast) == ["fenn", "gunn"]


async def test_who_is_added_broken_is_told_of_and_not_served(
    follower: Reloading, cast: Cast, root: Path
) -> None:
    (root / "bo").mkdir()
    await follower.catch_up()
    assert "bo" not in cast
    assert cast.standing("bo").problems[0].endswith("persona.yaml: file is missing")


async def test_who_grew_too_large_for_the_context_keeps_the_last_good_version(
    follower: Reloading, cast: Cast, root: Path
) -> None:
    before = cast["mira"].version
    goals = "\n".join(f"  - You want {'more and ' * 60}more." for _ in range(8))
    save(root, "mira", "summary:", f"goals:\n{goals}\nsummary:")
    await follower.catch_up()
    assert cast["mira"].version == before
    assert "mira is too large" in cast.standing("mira").problems[0]


async def test_a_file_that_is_written_in_two_steps_is_never_told_to_be_broken(
    follower: Reloading, cast: Cast, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = root / "mira" / "persona.yaml"
    text = file.read_text().replace("Mira Holt\n", "Zelda\n")
    file.write_text(text[: len(text) // 2])
    reading = asyncio.create_task(follower.catch_up())
    await asyncio.sleep(0)
    file.write_text(text)
    await reading
    await follower.catch_up()
    assert cast["mira"].name == "Zelda"
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_folder_that_is_gone_for_a_moment_is_not_missed(
    follower: Reloading, cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "mira").rename(root / ".mira")

    async def come_back(_: float) -> None:
        if (root / ".mira").exists():
            (root / ".mira").rename(root / "mira")

    monkeypatch.setattr(asyncio, "sleep", come_back)
    await follower.catch_up()
    assert sorted(cast) == ["fenn", "mira"]


async def test_a_cast_that_cannot_be_read_stays_as_it_was(
    follower: Reloading, cast: Cast, root: Path
) -> None:
    root.rename(root.with_name("elsewhere"))
    await follower.catch_up()
    assert sorted(cast) == ["fenn", "mira"]
    assert "cannot be read as a folder of characters" in cast.folder_problem
    root.with_name("elsewhere").rename(root)
    await follower.catch_up()
    assert cast.folder_problem == ""


async def test_a_file_that_was_saved_without_a_change_is_nothing_new(
    follower: Reloading, cast: Cast, root: Path
) -> None:
    since, changes = cast.standing("mira").since, cast.changes
    save(root, "mira", "# Mira Holt", "# Of Mira Holt")
    await follower.catch_up()
    assert cast.standing("mira").since == since
    assert cast["mira"].version == load_characters(root)["mira"].version
    assert changes <= cast.changes


async def test_a_saved_world_is_served_to_its_characters(
    follower: Reloading, cast: Cast, root: Path
) -> None:
    lore = root.parent / "worlds" / "saltmere" / "lore.yaml"
    lore.write_text("entries: [{id: sea, text: The sea is near., keys: [sea]}]")
    await follower.catch_up()
    assert {one.setting.entries[0].id for one in cast.values() if one.setting} == {"sea"}
    assert cast["mira"].setting is cast["fenn"].setting


async def test_a_world_that_was_saved_broken_keeps_the_last_good_one(
    follower: Reloading, cast: Cast, root: Path
) -> None:
    lore = root.parent / "worlds" / "saltmere" / "lore.yaml"
    lore.write_text("entries: [{id: sea, text: The sea is near., keys: [sea], when: tide}]")
    await follower.catch_up()
    setting = cast["mira"].setting
    assert setting is not None
    assert len(setting.entries) > 1
    (problem,) = cast.standing("mira").problems
    assert "worlds/saltmere/lore.yaml" in problem
    assert "no variable 'tide'" in problem


ENTRY = "entries: [{{id: sea, text: The sea is near., {}}}]"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (ENTRY.format("keys: [s\u00e9a]").encode("latin-1"), "not UTF-8 text; save the file as"),
        (ENTRY.format("keys: [sea]").encode("utf-16"), "UTF-16 text; save the file as UTF-8"),
        (ENTRY.format("patterns: ['(a+)+(?=b)']").encode(), "(?= looks around"),
        (ENTRY.format("patterns: ['((a{9,999}){9,999}){9,999}']").encode(), "repeats too much"),
        (ENTRY.format("keys: [sea], when: weathr == 1").encode(), "Did you mean 'weather'?"),
    ],
    ids=["latin-1", "utf-16", "look-around", "explodes", "undeclared name"],
)
async def test_lore_that_cannot_be_used_keeps_the_last_good_one(
    follower: Reloading, cast: Cast, root: Path, content: bytes, why: str
) -> None:
    before = cast["mira"].version
    (root.parent / "worlds" / "saltmere" / "lore.yaml").write_bytes(content)
    await follower.catch_up()
    (problem,) = cast.standing("mira").problems
    assert cast["mira"].version == before
    assert why in problem


async def test_of_two_with_one_id_the_folder_of_that_name_stays(
    follower: Reloading, cast: Cast, root: Path
) -> None:
    shutil.copytree(root / "mira", root / "mara")
    await follower.catch_up()
    assert set(cast) == {"mira", "fenn"}
    assert "id: 'mira' differs from the folder's name 'mara'" in cast.standing("mara").problems[0]
    assert cast.standing("mira").current


async def test_an_action_whose_arguments_cannot_be_keeps_the_last_good_version(
    follower: Reloading, cast: Cast, root: Path
) -> None:
    before = cast["mira"].version
    save(root, "mira", "kind: int, least: 1", "kind: int, least: 13")
    await follower.catch_up()
    assert cast["mira"].version == before
    assert "least 13 is above most 12" in cast.standing("mira").problems[0]
