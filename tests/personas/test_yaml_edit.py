"""Edits change one value and leave the rest of the file as its author wrote it."""

from __future__ import annotations

import pytest

from personas.persona_files import FILES
from personas.starter import starter
from personas.yaml_edit import EditError, with_value
from personas.yaml_file import Loc

TEXT = """\
# About Ada.
id: ada   # the folder
name: 'Ada'

voice:
    style: "You speak softly."   # very
words: [one, two]
facts:
  # the oven
  - {id: oven, fact: Yours.}
"""


def difference(before: str, after: str) -> tuple[list[str], list[str]]:
    old, new = before.splitlines(), after.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.mark.parametrize(
    ("loc", "value", "gone", "come"),
    [
        (("id",), "eve", ["id: ada   # the folder"], ["id: eve   # the folder"]),
        (("words", 2), "three", ["words: [one, two]"], ["words: [one, two, three]"]),
        (
            ("facts", 0, "fact"),
            "Mine.",
            ["  - {id: oven, fact: Yours.}"],
            ["  - {id: oven, fact: Mine.}"],
        ),
        (("language",), "de", [], ["language: de"]),
        (("sampling", "top_k"), 3, [], ["sampling:", "  top_k: 3"]),
    ],
    ids=["a value", "one more", "inside a list", "a new key", "a new section"],
)
def test_only_what_was_meant_changes(
    loc: Loc, value: object, gone: list[str], come: list[str]
) -> None:
    text = TEXT.replace("    style", "  style")
    assert difference(text, with_value(text, loc, value)) == (gone, come)


@pytest.mark.parametrize("file", FILES)
def test_a_commented_file_survives_being_written_again(file: str) -> None:
    text = starter("wanda")[file]
    key: dict[str, tuple[Loc, object]] = {
        "persona.yaml": (("role",), "the innkeeper of Millford"),
        "lore.yaml": (("facts", 0, "id"), "inn"),
        "probes.yaml": (("probes", 0, "id"), "inn-name"),
    }
    gone, come = difference(text, with_value(text, *key[file]))
    comments = [line for line in gone if "#" in line and line.split("#")[1] not in "".join(come)]
    assert comments == []


@pytest.mark.parametrize(
    ("file", "loc", "value"),
    [
        ("persona.yaml", ("goals",), ["You want to rest."]),
        ("persona.yaml", ("goals",), []),
        ("persona.yaml", ("taboos",), [{"id": "a", "rule": "You never b.", "words": ["b"]}]),
        ("persona.yaml", ("examples",), [{"player": "Hi.", "reply": "Ho."}]),
        ("lore.yaml", ("facts",), [{"id": "a", "fact": "You b.", "keywords": ["b"]}]),
    ],
    ids=["a list", "no list", "one that ends in a list", "before a comment", "facts"],
)
def test_what_stands_below_a_replaced_list_stays(file: str, loc: Loc, value: object) -> None:
    text = starter("wanda")[file]
    gone, _ = difference(text, with_value(text, loc, value))
    assert [line for line in gone if line.startswith("#")] == []


def test_a_list_in_one_line_stays_in_one() -> None:
    before = "words: [one, two]   # some\nname: Ada\n"
    after = "words: [three]      # some\nname: Ada\n"
    assert with_value(before, ("words",), ["three"]) == after


@pytest.mark.parametrize(
    "loc", [("name", "first"), ("words", 5), ("facts", 3, "id"), ("words", "x")]
)
def test_a_place_that_cannot_be_is_refused(loc: Loc) -> None:
    with pytest.raises(EditError, match="there is no"):
        with_value(TEXT, loc, "x")
