"""An entry of a lorebook and an entry of `lore.yaml`: one made of the other. Pure.

Times are messages there and turns here, two messages each. Order is priority here, with the usual
100 as 0. What an author changed of an entry since is put into the entry that it came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from languages.visibility import hidden_sign, unwanted_sign
from personas.cards.book import (
    Dialect,
    Entry,
    Logic,
    changed_entry,
)
from personas.cards.decorators import decorators_of
from personas.cards.entry_ids import EntryIds, place_id, slug
from personas.cards.passages import passages, pieces, plain
from personas.lore.patterns import PatternRefusedError, check_pattern
from personas.words import words

Object = dict[str, Any]


MAX_TEXT = 4000  # characters of an entry's text
MAX_KEYS = 64
MAX_PATTERNS = 8
MAX_KEY = 80
_MAX_PATTERN = 500
_MAX_PRIORITY = 10_000
_MAX_TURNS = 10_000
_MAX_LINES = 32
_USUAL_ORDER = 100
_MESSAGES = 2  # of a turn
_PRIORITY = {
    "post_history_instructions": 3000,
    "system_prompt": 2000,
    "scenario": 1000,
    "personality": 500,
}
_LOGIC = {
    Logic.AND_ANY: "any",
    Logic.AND_ALL: "all",
    Logic.NOT_ANY: "not_any",
    Logic.NOT_ALL: "not_all",
}
_PATTERN = re.compile(r"/(.+)/([a-z]*)", re.DOTALL)
_OPTIONS = re.compile(r"\(\?([ms]*)(-i)?\)")


def always_told(place: str, text: str) -> list[Object]:
    """The entries that a field of a card becomes which is told with every line."""
    told = enumerate(_texts(text), 1)
    return [
        {"id": place_id(place, n), "text": part, "constant": True, "priority": _PRIORITY[place]}
        for n, part in told
    ]


def told_by_key(place: str, number: int, text: str, keys: list[str]) -> Object:
    """The entry that a part of a field becomes; it is told when a key is said, if there is any."""
    asked = {"keys": keys} if keys else {"constant": True}
    return {"id": place_id(place, number), "text": text, **asked}


def retold(raw: Object, dialect: Dialect, before: list[Object], now: list[Object]) -> Object:
    """The entry of a book with what changed between the entries that it became, and these."""
    joined = _whole(now)
    old = _whole(before)
    changed = {k for k in joined.keys() | old.keys() if joined.get(k) != old.get(k)}
    if not changed:
        return raw
    fields = {name: value for name, value in _fields_from(joined).items() if _FROM[name] & changed}
    if "content" in fields and isinstance(raw.get("content"), str):
        fields["content"] = decorators_of(raw["content"], ()).head + fields["content"]
    return changed_entry(raw, dialect, fields)


def new_entry(entry: Object, dialect: Dialect, number: int) -> Object:
    """An entry of lore as one of a book, in which it is the `number`th."""
    empty: Object = {} if dialect.off_by else {"extensions": {}}
    fields = {"enabled": True, "selective": False, "id": number, "comment": entry["id"]}
    return changed_entry(empty, dialect, fields | _fields_from(entry))


def lore_fields(entry: Entry, render: Callable[[str], str]) -> tuple[list[str], Object]:
    """What has no place, and the fields of the entry of lore; no fields = it is never told."""
    text = plain(render(entry.content.text))
    if not entry.enabled or not text or entry.probability < 1:
        return [_why_never(entry, text)], {}
    why, fields = _keys(entry, render)
    constant = {"constant": True} if entry.constant else {}
    if not (constant or fields or entry.by_meaning):
        return [*why, "it has no usable key, so it is never told"], {}
    return why, {"text": text} | fields | constant | _settings(entry)


def _why_never(entry: Entry, text: str) -> str:
    if not entry.enabled:
        return "it is switched off"
    return "its probability is 0" if text else "it tells nothing"


def _keys(entry: Entry, render: Callable[[str], str]) -> tuple[list[str], Object]:
    why: list[str] = []
    patterns: list[str] = []
    phrases: list[str] = []
    for key in entry.keys:
        if pattern := _pattern_of(key, entry):
            if reason := _why_no_pattern(pattern):
                why.append(f"key {key!r} {reason}")
            else:
                patterns.append(pattern)
        else:
            phrases.append(plain(render(key)))
    secondary = [plain(render(key)) for key in entry.secondary_keys]
    fields: Object = {
        "keys": _usable(phrases, MAX_KEYS, why),
        "patterns": _at_most(patterns, MAX_PATTERNS, why),
        "secondary_keys": _usable(secondary, MAX_KEYS, why),
    }
    if not (fields["keys"] or fields["patterns"]):
        fields["secondary_keys"] = []
    elif fields["secondary_keys"] and entry.logic is not Logic.AND_ANY:
        fields["logic"] = _LOGIC[entry.logic]
    return why, {name: value for name, value in fields.items() if value}


def _usable(phrases: list[str], most: int, why: list[str]) -> list[str]:
    """The phrases that can be looked for; of the others is said why not."""
    usable: list[str] = []
    for phrase in dict.fromkeys(phrases):
        if words(phrase) and len(phrase) <= MAX_KEY and not hidden_sign(phrase):
            usable.append(phrase)
        else:
            why.append(f"key {phrase!r} has no letter or digit, or is longer than {MAX_KEY}")
    return _at_most(usable, most, why)


def _at_most(keys: list[str], most: int, why: list[str]) -> list[str]:
    if len(keys) > most:
        why.append(f"{len(keys)} keys of a kind; the first {most} are used")
    return keys[:most]


def _pattern_of(key: str, entry: Entry) -> str:
    """The pattern that a key is, in our spelling; "" = it is a phrase."""
    found = _PATTERN.fullmatch(key)
    if found is None and not entry.regex:
        return ""
    body, flags = (found[1], found[2]) if found else (key, "" if entry.case_sensitive else "i")
    kept = "".join(sorted({flag for flag in flags if flag in "sm"}))
    options = f"(?{kept}{'' if 'i' in flags else '-i'})"
    return body if options == "(?)" else f"{options}{body}"


def _key_of(pattern: str) -> str:
    """The pattern as other programs spell it, with its options behind it."""
    found = _OPTIONS.match(pattern)
    if found is None:
        return f"/{pattern}/i"
    return f"/{pattern[found.end() :]}/{found[1]}{'' if found[2] else 'i'}"


def _why_no_pattern(pattern: str) -> str:
    if len(pattern) > _MAX_PATTERN:
        return f"is a pattern of more than {_MAX_PATTERN} characters"
    if sign := unwanted_sign(pattern):
        return f"holds {sign}, which is in no text"
    try:
        check_pattern(pattern)
    except PatternRefusedError as error:
        return str(error)
    return ""


def _settings(entry: Entry) -> Object:
    """What an entry says besides text and keys, where it says anything."""
    priority = entry.priority or entry.order - _USUAL_ORDER
    usual_or_said = {
        "priority": (0, max(-_MAX_PRIORITY, min(_MAX_PRIORITY, priority))),
        "by_meaning": (False, entry.by_meaning),
        "scan_lines": (0, min(_MAX_LINES, entry.scan_depth)),
        "sticky": (0, _turns(entry.sticky)),
        "cooldown": (0, _turns(entry.cooldown)),
        "delay": (0, max(_turns(entry.delay), min(_MAX_TURNS, entry.delay_turns))),
        "probability": (100, round(entry.probability)),
        "exclude_recursion": (False, entry.exclude_recursion),
        "prevent_recursion": (False, entry.prevent_recursion),
    }
    return {name: said for name, (usual, said) in usual_or_said.items() if said != usual}


def _turns(messages: int) -> int:
    return min(_MAX_TURNS, -(-messages // _MESSAGES))


def lore_parts(entry: Entry, fields: Object, ids: EntryIds) -> list[Object]:
    """The entry of lore, or several where its text is too long for one; takes their ids."""
    if not fields:
        return []
    name = slug(entry.title) or slug(next(iter(entry.keys), "")) or "entry"
    return [{"id": ids.take(name), **fields, "text": text} for text in _texts(fields["text"])]


def _texts(text: str) -> list[str]:
    line = plain(text)
    if len(line) <= MAX_TEXT:
        return [line] if line else []
    return passages(pieces(line, MAX_TEXT), MAX_TEXT)


def _whole(parts: Iterable[Object]) -> Object:
    """Several entries that one was split into, as that one."""
    listed = list(parts)
    if not listed:
        return {}
    return {**listed[0], "text": " ".join(part["text"] for part in listed)}


#: The fields of an entry of a book, and what of an entry of lore each comes from.
_FROM: Mapping[str, frozenset[str]] = {
    "content": frozenset({"text"}),
    "keys": frozenset({"keys", "patterns"}),
    "secondary_keys": frozenset({"secondary_keys"}),
    "selective": frozenset({"secondary_keys"}),
    "logic": frozenset({"logic"}),
    "constant": frozenset({"constant"}),
    "order": frozenset({"priority"}),
    "priority": frozenset({"priority"}),
    "vectorized": frozenset({"by_meaning"}),
    "scan_depth": frozenset({"scan_lines"}),
    "sticky": frozenset({"sticky"}),
    "cooldown": frozenset({"cooldown"}),
    "delay": frozenset({"delay"}),
    "probability": frozenset({"probability"}),
    "use_probability": frozenset({"probability"}),
    "exclude_recursion": frozenset({"exclude_recursion"}),
    "prevent_recursion": frozenset({"prevent_recursion"}),
}


def _fields_from(entry: Object) -> Object:
    """An entry of lore under the names of `book`."""
    patterns = map(_key_of, entry.get("patterns", ()))
    secondary = list(entry.get("secondary_keys", ()))
    logic = entry.get("logic", "any")
    priority = entry.get("priority", 0)
    return {
        "content": entry.get("text", ""),
        "keys": [*entry.get("keys", ()), *patterns],
        "secondary_keys": secondary,
        "selective": bool(secondary),
        "logic": int(next(ours for ours, theirs in _LOGIC.items() if theirs == logic)),
        "constant": entry.get("constant", False),
        "order": priority + _USUAL_ORDER,
        "priority": priority,
        "vectorized": entry.get("by_meaning", False),
        "scan_depth": entry.get("scan_lines"),
        "sticky": entry.get("sticky", 0) * _MESSAGES,
        "cooldown": entry.get("cooldown", 0) * _MESSAGES,
        "delay": entry.get("delay", 0) * _MESSAGES,
        "probability": entry.get("probability", 100),
        "use_probability": True,
        "exclude_recursion": entry.get("exclude_recursion", False),
        "prevent_recursion": entry.get("prevent_recursion", False),
    }
