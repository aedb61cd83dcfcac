"""What goes into a character comes out of it: cards of other programs, and characters of ours."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from personas.cards.card import TEXTS, Card, Spec
from personas.cards.card_files import write_card
from personas.cards.character_export import card_from, card_of_files
from personas.cards.character_import import admit, import_of, staged_character
from personas.cards.draft import Wishes
from personas.cards.stored_card import FOLDER, StoredCard
from personas.errors import CardError
from personas.persona_files import SAMPLE_CHARACTERS, load_character
from personas.world_files import worlds_beside
from tests.support.broken_cards import refusal
from tests.support.cards import CARDS, smith, write_json

SAMPLE_WORLDS = worlds_beside(SAMPLE_CHARACTERS)
BOUNDED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def sent_on(card: Card, spec: Spec | None = None) -> Card:
    """The card after an import and an export."""
    imported = import_of(card, Wishes("mira"), "card")
    return card_of_files(imported.texts, StoredCard(imported.card, imported.snapshot), spec)


def import_into(cast: Path, file: Path, character: str = "mira") -> Path:
    """Import a file as a character."""
    with staged_character(file, cast, Wishes(character)) as staged:
        return admit(staged, cast)


@BOUNDED
@given(CARDS)
def test_a_card_comes_out_as_it_went_in(card: Card) -> None:
    assert sent_on(card).content == card.content


@BOUNDED
@given(CARDS)
def test_what_is_imported_is_a_character(card: Card) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file, cast = write_json(Path(folder) / "card.json", card.content), Path(folder) / "cast"
        why = refusal(lambda: import_into(cast, file))
        if not why:
            assert card_from(cast / "mira", None).content == card.content
        else:  # half of it in one language and half in another
            assert "language: " in why
            assert list(cast.iterdir()) == []


def test_a_character_of_ours_comes_back_file_by_file(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE_WORLDS, tmp_path / "worlds")
    for kind in (".json", ".png", ".charx"):
        file = tmp_path / f"mira{kind}"
        write_card(file, card_from(SAMPLE_CHARACTERS / "mira", None), tmp_path / "none", {})
        home = import_into(tmp_path / f"cast{kind}", file)
        for name in ("persona.yaml", "lore.yaml", "probes.yaml"):
            assert (home / name).read_bytes() == (SAMPLE_CHARACTERS / "mira" / name).read_bytes()
        assert card_from(home, None).content == card_from(SAMPLE_CHARACTERS / "mira", None).content


def test_a_card_of_ours_tells_other_programs_what_the_files_say() -> None:
    card = card_from(SAMPLE_CHARACTERS / "mira", Spec.V2)
    assert card.name == "Mira Holt"
    assert card.text("description").startswith("{{char}} is the blacksmith of Saltmere.")
    assert "{{user}}: Good morning!\n{{char}}: Morning. Mind the sparks." in card.text(
        "mes_example"
    )
    assert "locking pin" not in "".join(map(card.text, TEXTS))  # a secret's truth


def test_what_the_author_changed_wins_and_all_else_stays(tmp_path: Path) -> None:
    home = import_into(tmp_path, write_json(tmp_path / "a.json", smith().content))
    edit(home / "persona.yaml", "Closed. Unless you bring", "Shut. Bring")
    edit(home / "lore.yaml", "has been dark for a year", "burns again")
    card = card_from(home, None)
    before = smith().data
    changed = {name for name in card.data if card.data[name] != before.get(name)}
    assert changed == {"alternate_greetings", "character_book"}
    assert card.texts("alternate_greetings")[0].startswith("Shut. Bring ")
    assert card.texts("alternate_greetings")[1] == "You again."
    lighthouse, off = card.book["entries"]
    assert lighthouse == before["character_book"]["entries"][0] | {
        "content": "@@depth 2\n@@@role user\nThe lighthouse burns again."
    }
    assert off == before["character_book"]["entries"][1]


def test_an_edited_character_comes_back_with_its_edits(tmp_path: Path) -> None:
    home = import_into(tmp_path, write_json(tmp_path / "a.json", smith().content))
    edit(home / "persona.yaml", "name: Tamsin Vane", "name: Tamsin Vane  # of Saltmere")
    write_card(tmp_path / "b.charx", card_from(home, None), home / FOLDER, {})
    again = import_into(tmp_path / "other", tmp_path / "b.charx", "tamsin")
    text = (again / "persona.yaml").read_text()
    assert "name: Tamsin Vane  # of Saltmere" in text
    assert text.replace("id: tamsin", "id: mira") == (home / "persona.yaml").read_text()


def test_what_another_program_changed_since_is_taken_in(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE_WORLDS, tmp_path / "worlds")
    card = card_from(SAMPLE_CHARACTERS / "mira", None)
    described = card.with_data({"description": "Mira is the last smith of Saltmere. She is old."})
    home = import_into(tmp_path / "cast", write_json(tmp_path / "a.json", described.content))
    persona = load_character(home)
    assert (persona.role, persona.summary) == ("the last smith of Saltmere", "She is old.")
    assert persona.taboos == load_character(SAMPLE_CHARACTERS / "mira").taboos
    assert persona.voice == load_character(SAMPLE_CHARACTERS / "mira").voice


def test_a_deleted_and_a_new_entry_of_lore_are_so_in_the_book(tmp_path: Path) -> None:
    home = import_into(tmp_path, write_json(tmp_path / "a.json", smith().content))
    lore = yaml.safe_load((home / "lore.yaml").read_text())
    lore["entries"] = [one for one in lore["entries"] if one["id"] != "the-lighthouse"]
    lore["entries"].append({"id": "pier", "keys": ["pier"], "text": "It rots.", "sticky": 2})
    (home / "lore.yaml").write_text(yaml.safe_dump(lore))
    off, new = card_from(home, None).book["entries"]
    assert off["keys"] == ["smugglers"]
    assert (new["keys"], new["content"], new["extensions"]["sticky"]) == (["pier"], "It rots.", 4)
    assert new["insertion_order"] == 100


def test_an_id_that_a_card_brings_does_not_lead_out_of_the_cast(tmp_path: Path) -> None:
    content = card_from(SAMPLE_CHARACTERS / "mira", None).content
    files = content["data"]["extensions"]["troupe"]["files"]
    files["persona.yaml"] = files["persona.yaml"].replace("\nid: mira\n", "\nid: ../out\n")
    with pytest.raises(CardError, match=r"'\.\./out' is not an id"):
        import_into(tmp_path / "cast", write_json(tmp_path / "a.json", content), "")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (5, "of another format than 1"),
        ({"format": 1, "files": {}, "fields": {}, "book": []}, "files: persona.yaml, "),
        ({"format": 1, "files": {"persona.yaml": 5}}, "files: persona.yaml: "),
    ],
)
def test_files_that_a_card_brings_are_read_like_any_others(
    tmp_path: Path, kept: object, why: str
) -> None:
    file = write_json(tmp_path / "a.json", smith(extensions={"troupe": kept}).content)
    with pytest.raises(CardError, match=rf"a\.json: extensions\.troupe: {why}"):
        import_into(tmp_path / "cast", file)
    assert list((tmp_path / "cast").iterdir()) == []


def test_broken_files_that_a_card_brings_are_refused(tmp_path: Path) -> None:
    content = card_from(SAMPLE_CHARACTERS / "mira", None).content
    content["data"]["extensions"]["troupe"]["files"]["lore.yaml"] = "facts: &a [*a]"
    with pytest.raises(CardError, match=r"troupe: lore\.yaml: anchors and aliases"):
        import_into(tmp_path / "cast", write_json(tmp_path / "a.json", content))
    assert list((tmp_path / "cast").iterdir()) == []


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text of a file that is there once."""
    text = " ".join(file.read_text().split(" "))
    assert text.count(old) == 1, text
    file.write_text(text.replace(old, new))
