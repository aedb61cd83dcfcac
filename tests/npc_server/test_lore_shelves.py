"""Shelves are built once a version of a file, and shared by all who are told from it."""

from __future__ import annotations

from npc_server.lore_shelves import Shelves
from personas.lore.entries import Entry
from personas.persona import Persona
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

CAST = load_characters(SAMPLE_CHARACTERS)
BENCH = Entry(id="bench", text="It is on your bench.", keys=("axle",))


def with_entry(persona: Persona, entry: Entry) -> Persona:
    lore = persona.lore.model_copy(update={"entries": (entry,)})
    return Persona.model_validate({**dict(persona), "lore": lore})


async def test_characters_of_a_world_share_its_shelf() -> None:
    shelves = Shelves()
    (mira,) = await shelves.shelves_of(CAST["mira"])
    (fenn,) = await shelves.shelves_of(CAST["fenn"])
    assert mira is fenn
    assert mira.name == "saltmere"


async def test_own_entries_come_after_those_of_the_world() -> None:
    shelves = Shelves()
    mira = with_entry(CAST["mira"], BENCH)
    assert [one.name for one in await shelves.shelves_of(mira)] == ["saltmere", "mira"]
    assert (await shelves.shelves_of(mira))[1] is (await shelves.shelves_of(mira))[1]


async def test_a_changed_file_has_a_shelf_of_its_own() -> None:
    shelves = Shelves()
    before = await shelves.shelves_of(with_entry(CAST["mira"], BENCH))
    changed = BENCH.model_copy(update={"keys": ("bench",)})
    after = await shelves.shelves_of(with_entry(CAST["mira"], changed))
    assert before[0] is after[0]
    assert after[1].found_in("my bench").phrases == {"bench"}


async def test_without_a_world_or_entries_there_is_nothing_to_search() -> None:
    alone = CAST["mira"].model_copy(update={"setting": None})
    assert await Shelves().shelves_of(alone) == ()
