"""Cards for tests, all of them written here: one of each spec, and any that hypothesis makes up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from personas.cards.card import Card, card_of

Object = dict[str, Any]

SMITH: Object = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": {
        "name": "Tamsin Vane",
        "description": (
            "{{char}} is the harbour mistress of Saltmere. She is {{random:forty,fifty}} and keeps"
            " the ledgers of every ship. Her left eye is made of green glass.\n\nShe owns a grey"
            " cat called Ballast. She trusts {{user}} as far as the tide."
        ),
        "personality": "dry, exact, slow to anger",
        "scenario": "{{user}} has come to the harbour office at dusk.",
        "first_mes": "*{{char}} looks up from her ledger.* Name and cargo, {{user}}?",
        "alternate_greetings": ["Closed. Unless you bring {{random:salt,iron}}.", "You again."],
        "mes_example": (
            "<START>\n{{user}}: Is the harbour open?\n{{char}}: It is open to those who pay.\n"
            "<START>\n{{user}}: Whose cat is that?\n"
            "{{char}}: Ballast is nobody's. He lets me feed him."
        ),
        "system_prompt": "{{original}} Never leave the harbour.",
        "post_history_instructions": "Keep to the hour of the day.",
        "creator_notes": "For the harbour quest.",
        "tags": ["harbour"],
        "creator": "us",
        "character_version": "3",
        "extensions": {"depth_prompt": {"prompt": "Dusk.", "depth": 4}, "fav": True},
        "character_book": {
            "name": "Harbour",
            "extensions": {"x": [1, 2]},
            "entries": [
                {
                    "keys": ["lighthouse", "/lamp(s|light)/i"],
                    "secondary_keys": ["keeper"],
                    "selective": True,
                    "content": "@@depth 2\n@@@role user\nThe lighthouse has been dark for a year.",
                    "extensions": {"sticky": 4, "probability": 60, "weight": 7},
                    "enabled": True,
                    "insertion_order": 30,
                    "comment": "The lighthouse",
                    "position": "after_char",
                },
                {
                    "keys": ["smugglers"],
                    "content": "",
                    "extensions": {},
                    "enabled": False,
                    "insertion_order": 5,
                },
            ],
        },
    },
}


def smith(**fields: Any) -> Card:
    """The harbour mistress, with other fields."""
    content: Object = json.loads(json.dumps(SMITH))
    content["data"] |= fields
    return card_of(content, "smith")


def write_json(file: Path, content: Any) -> Path:
    """A file of JSON."""
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return file


_WORDS = st.sampled_from(
    [
        "{{char}}",
        "{{user}}",
        "is",
        "the",
        "a",
        "smith",
        "harbour.",
        "Ballast!",
        "mill?",
        "{{random:a,b}}",
        "{{time}}",
        "'aye'",
        "—",
        "Ü",
        "\n",
        "\u200b",
        "<START>",
        "@@depth",
        "ミラは鍛冶屋です。",
        "{{//",
        "note}}",
        ":",
        "/",
        "it's",
        "12",
        "[x]",
        "*nods*",
        "yes:",
        "null",
        "#",
    ]
)
TEXTS = st.lists(_WORDS, max_size=14).map(" ".join) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=12
)
NAMES = st.sampled_from(["Mira", "Tamsin Vane", "O'Neil {x}", "Zoë ‍the\nSmith", "Ada: 1"])
_VALUES = st.none() | st.booleans() | st.integers(-5, 5) | TEXTS
_EXTENSIONS = st.dictionaries(st.sampled_from(["depth_prompt", "fav", "world"]), _VALUES)
_ENTRY_EXTENSIONS = st.fixed_dictionaries(
    {},
    optional={
        "selectiveLogic": st.integers(0, 3),
        "probability": st.integers(0, 100),
        "useProbability": st.booleans(),
        "sticky": st.none() | st.integers(0, 9),
        "cooldown": st.integers(0, 9),
        "delay": st.integers(0, 9),
        "vectorized": st.booleans(),
        "exclude_recursion": st.booleans(),
        "group": TEXTS,
        "foreign": _VALUES,
    },
)
_KEYS = st.lists(TEXTS | st.sampled_from(["/lamp(s)?/i", "/(?=x)y/", "mill", "/a*/"]), max_size=4)
_ENTRIES = st.fixed_dictionaries(
    {
        "keys": _KEYS,
        "content": TEXTS | TEXTS.map(lambda text: f"@@depth 4\n@@activate\n{text}"),
        "extensions": _ENTRY_EXTENSIONS,
        "enabled": st.booleans(),
        "insertion_order": st.integers(-200, 400),
    },
    optional={
        "use_regex": st.booleans(),
        "constant": st.booleans() | st.none(),
        "selective": st.booleans(),
        "secondary_keys": _KEYS,
        "comment": TEXTS,
        "priority": st.integers(-5, 5),
        "unknown": _VALUES,
    },
)
_BOOKS = st.fixed_dictionaries(
    {"entries": st.lists(_ENTRIES, max_size=4)},
    optional={"name": TEXTS, "scan_depth": st.integers(0, 9), "extensions": _EXTENSIONS},
)
_DATA = st.fixed_dictionaries(
    {
        "name": NAMES,
        "description": TEXTS,
        "personality": TEXTS,
        "scenario": TEXTS,
        "first_mes": TEXTS,
        "mes_example": TEXTS
        | st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(
            lambda pairs: "".join(
                f"<START>\n{{{{user}}}}: {a}\n{{{{char}}}}: {b}\n" for a, b in pairs
            )
        ),
        "creator_notes": TEXTS,
        "system_prompt": TEXTS,
        "post_history_instructions": TEXTS,
        "alternate_greetings": st.lists(TEXTS, max_size=3),
        "tags": st.lists(TEXTS, max_size=2),
        "creator": TEXTS,
        "character_version": TEXTS,
        "extensions": _EXTENSIONS,
    },
    optional={"character_book": _BOOKS, "unknown": _VALUES},
)
_ONLY_V3 = st.fixed_dictionaries(
    {"group_only_greetings": st.lists(TEXTS, max_size=2)},
    optional={
        "nickname": NAMES,
        "source": st.lists(TEXTS, max_size=2),
        "creation_date": st.integers(0, 2**40),
        "assets": st.just([{"type": "icon", "uri": "ccdefault:", "name": "main", "ext": "png"}]),
    },
)
V2_CARDS = _DATA.map(
    lambda data: card_of({"spec": "chara_card_v2", "spec_version": "2.0", "data": data}, "any")
)
V3_CARDS = st.builds(
    lambda data, more: card_of(
        {"spec": "chara_card_v3", "spec_version": "3.0", "data": data | more}, "any"
    ),
    _DATA,
    _ONLY_V3,
)
#: Any card, written for another program.
CARDS = V2_CARDS | V3_CARDS
_NATIVE_ENTRIES = st.fixed_dictionaries(
    {"uid": st.integers(0, 9), "key": _KEYS, "content": TEXTS},
    optional={
        "keysecondary": _KEYS,
        "comment": TEXTS,
        "constant": st.booleans(),
        "selective": st.booleans(),
        "selectiveLogic": st.integers(0, 3),
        "disable": st.booleans(),
        "order": st.integers(0, 400),
        "probability": st.integers(0, 100),
        "useProbability": st.booleans(),
        "sticky": st.none() | st.integers(0, 9),
        "position": st.integers(0, 7),
        "vectorized": st.booleans(),
        "characterFilterNames": st.lists(NAMES, max_size=1),
        "unknown": _VALUES,
    },
)
_NATIVE = st.fixed_dictionaries(
    {"entries": st.dictionaries(st.integers(0, 20).map(str), _NATIVE_ENTRIES, max_size=4)},
    optional={"name": TEXTS, "extensions": _EXTENSIONS.filter(bool), "originalData": _VALUES},
)
#: World Info in either form.
WORLD_INFOS = _NATIVE | _BOOKS.map(lambda book: {"spec": "lorebook_v3", "data": book})
