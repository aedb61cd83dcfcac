"""Worlds and the characters in them: read from files, with every problem told at its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from personas.errors import PersonaError
from personas.persona import Persona
from personas.persona_files import SAMPLE_CHARACTERS, load_character, load_characters
from tests.support.casts import copy_cast

WORLD = """\
id: saltmere
name: Saltmere
variables:
  - {name: quest.mill, kind: int, default: 0, least: 0, most: 2}
  - {name: weather, kind: one_of, choices: [clear, foggy], default: clear}
"""
LORE = """\
entries:
  - {id: mill, text: The mill stands still., keys: [mill], when: quest.mill < 2}
"""

Write = Callable[..., Path]


@pytest.fixture
def cast(tmp_path: Path) -> Write:
    """Writes the files of Mira's world anew, and of her own lore; returns her folder."""

    def write(world: str = WORLD, lore: str | bytes = LORE, own: str = "") -> Path:
        mira = copy_cast(tmp_path, "mira") / "mira"
        folder = tmp_path / "worlds" / "saltmere"
        (folder / "world.yaml").write_text(world)
        (folder / "lore.yaml").write_bytes(lore if isinstance(lore, bytes) else lore.encode())
        with (mira / "lore.yaml").open("a") as file:
            file.write(own)
        return mira

    return write


def problems(folder: Path) -> list[str]:
    with pytest.raises(PersonaError) as refused:
        load_character(folder)
    return [str(problem) for problem in refused.value.problems]


def test_a_character_is_in_the_world_that_it_names(cast: Write) -> None:
    persona = load_character(cast())
    assert persona.setting is not None
    assert persona.setting.defaults == {"quest.mill": 0, "weather": "clear"}
    assert [entry.id for entry in persona.setting.entries] == ["mill"]


def test_a_world_is_one_for_all_its_characters() -> None:
    fenn, mira, _ = load_characters(SAMPLE_CHARACTERS).values()
    assert fenn.setting is mira.setting is not None


def test_a_world_needs_no_lore(cast: Write) -> None:
    mira = cast()
    (mira.parents[1] / "worlds" / "saltmere" / "lore.yaml").unlink()
    setting = load_character(mira).setting
    assert setting is not None
    assert setting.entries == ()


@pytest.mark.parametrize(
    ("lore", "what"),
    [
        (
            "when: quest.mil < 2",
            "2:60: entries[0].when: no variable 'quest.mil'; known: quest.",
        ),
        ("when: quest.mil < 2", "Did you mean 'quest.mill'?"),
        ("when: quest.mill < ", "entries[0].when: 'quest.mill <' ends where a variable"),
        ('when: weather == "fogy"', "did you mean 'foggy'?"),
        ("when: quest.mill", "quest.mill is int, which is neither true nor false"),
        ("patterns: ['(mill']", "entries[0].patterns[0]: '(mill' cannot be looked for: missing )"),
        ("patterns: ['(a)\\1']", "refers back, which is not possible here"),
        ("stiky: 2", "entries[0].stiky: unknown key; did you mean 'sticky'?"),
        ("contradictions: [still]", "the entry itself says 'still'"),
        ("secondary_keys: [x], keys: []", "never fires"),
    ],
)
def test_what_is_wrong_with_an_entry_is_told_at_its_place(
    cast: Write, lore: str, what: str
) -> None:
    keys = "" if "keys: []" in lore else "keys: [mill], "
    written = f"entries:\n  - {{id: mill, text: The mill stands still., {keys}{lore}}}\n"
    (told,) = problems(cast(lore=written))
    assert "worlds/saltmere/lore.yaml:2" in told
    assert what in told


@pytest.mark.parametrize(
    ("world", "what"),
    [
        (WORLD.replace("id: saltmere", "id: salt"), "world.yaml:1:1: id: 'salt' differs"),
        (WORLD.replace("quest.mill", "weather"), "variables[1].name: 'weather' is declared twice"),
        (WORLD.replace("default: 0", "default: 3"), "at least 0, at most 2; got 3"),
        (WORLD.replace("kind: int", "kind: integer"), "did you mean 'int'?"),
        (WORLD.replace("most: 2", 'most: 2, tell: "{x}"'), "`tell` fills in {value}"),
    ],
)
def test_what_is_wrong_with_a_declaration_is_told_at_its_place(
    cast: Write, world: str, what: str
) -> None:
    assert any(what in told for told in problems(cast(world=world)))


def test_lore_of_another_encoding_is_told(cast: Write) -> None:
    (told,) = problems(cast(lore="entries: []".encode("utf-16")))
    assert told.endswith("worlds/saltmere/lore.yaml: UTF-16 text; save the file as UTF-8")
    (told,) = problems(cast(lore="# caf\xe9\nentries: []".encode("latin-1")))
    assert told.endswith("lore.yaml:1: not UTF-8 text; save the file as UTF-8")


def test_a_missing_world_is_told_where_it_is_named(cast: Write) -> None:
    mira = cast()
    card = mira / "persona.yaml"
    card.write_text(card.read_text().replace("world: saltmere", "world: saltmeer"))
    (told,) = problems(mira)
    assert "mira/persona.yaml:6:1: world: no world 'saltmeer'; known: saltmere." in told
    assert "Did you mean 'saltmere'?" in told


OWN = "entries:\n  - {id: axle, text: It is on your bench., keys: [axle], when: quest.mill < 1}\n"


def test_a_characters_own_entries_ask_of_its_world(cast: Write) -> None:
    assert load_character(cast(own=OWN)).lore.entries[0].id == "axle"
    (told,) = problems(cast(own=OWN.replace("quest.mill", "quest.mil")))
    assert "mira/lore.yaml:" in told
    assert "entries[0].when: no variable 'quest.mil'" in told


def test_a_condition_without_a_world_says_that_there_is_none(cast: Write) -> None:
    mira = cast(own=OWN)
    card = mira / "persona.yaml"
    card.write_text(card.read_text().replace("world: saltmere\n", ""))
    told = problems(mira)
    assert told
    assert all(one.endswith("there is none, as the persona names no world") for one in told)


def test_an_entry_does_not_give_a_secret_away(cast: Write) -> None:
    (told,) = problems(cast(own=OWN.replace("on your bench", "behind the locking pin")))
    assert "entries[0].text: gives away secret 'sluice-key': leak word 'locking pin'" in told


def test_a_secret_may_depend_on_the_world(cast: Write) -> None:
    mira = cast()
    lore = mira / "lore.yaml"
    first = "  - id: sluice-key\n"
    lore.write_text(lore.read_text().replace(first, f"{first}    when: quest.mill < 2\n"))
    persona = load_character(mira)
    assert ids(persona, 1) == ids(persona, None) == ["sluice-key"]
    assert ids(persona, 2) == []


def ids(persona: Persona, mill: int | None) -> list[str]:
    state = None if mill is None else {"quest.mill": mill}
    return [secret.id for secret in persona.secrets_at(state)]


def test_the_version_of_a_world_names_what_it_says(cast: Write) -> None:
    worlds = [load_character(cast(lore=lore)).setting for lore in (LORE, "# \n" + LORE)]
    other = load_character(cast(lore=LORE.replace("still", "open"))).setting
    same, again, different = (one.version if one else "" for one in (*worlds, other))
    assert same == again != different


PROBE = "  - {id: the-mill, kind: fact, about: mill, ask: What of the mill?}\n"


def test_a_probe_may_be_about_an_entry_of_the_world(cast: Write) -> None:
    mira = cast(lore=LORE.replace("keys:", "keywords: [still], contradictions: [turns], keys:"))
    with (mira / "probes.yaml").open("a") as file:
        file.write(PROBE)
    assert load_character(mira).known_facts["mill"].contradictions == ("turns",)


def test_a_probe_about_an_entry_that_cannot_be_heard_is_told(cast: Write) -> None:
    mira = cast()  # whose entry has no keywords
    with (mira / "probes.yaml").open("a") as file:
        file.write(PROBE)
    (told,) = problems(mira)
    assert "mira/probes.yaml:" in told
    assert "about: no fact, or entry with keywords, 'mill'; known: forge, iron" in told
