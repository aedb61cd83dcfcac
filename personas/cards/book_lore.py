"""A whole lorebook as lore, and back, entry by entry. Pure.

What each entry of a book became is kept with a hash of the entry (`Source`), so that the book goes
out with the entries it came with, and comes in again without touching those that nobody changed.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Protocol

from personas.cards.book import Book, entry_of, unused_of
from personas.cards.card import Object
from personas.cards.entries import lore_fields, lore_parts, new_entry, retold
from personas.cards.entry_ids import EntryIds


class Render(Protocol):
    """Fills in the macros of a text; `about` says what it is of."""

    def __call__(self, text: str, about: str) -> str: ...


@dataclass(frozen=True)
class Source:
    """An entry of a book: its hash, and the ids of the entries of lore that it became."""

    entry: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class BookLore:
    """The lore that a book becomes, and where each entry comes from, in the book's order."""

    entries: tuple[Object, ...]
    sources: tuple[Source, ...]
    unused: tuple[tuple[str, str], ...] = ()  # what has no place: where it stands, and what it is


@dataclass(frozen=True)
class Retelling:
    """A book's entries as the lore tells them now, by their keys in it, and their sources."""

    entries: Mapping[str, Object]
    sources: tuple[Source, ...]


def lore_of(book: Book, what: str, render: Render) -> BookLore:
    """The entries of a book as entries of lore. Raises CardError for values of a wrong kind."""
    made: list[Object] = []
    sources: list[Source] = []
    unused: list[tuple[str, str]] = []
    ids = EntryIds()
    for key, raw in book.entries.items():
        about = f"{what}: entries[{key}]"
        entry = entry_of(book, key, what)
        why, fields = lore_fields(entry, partial(render, about=about))
        unused += [(about, f"nothing here follows {name}") for name in unused_of(book, key)]
        unused += [(about, one) for one in why]
        parts = lore_parts(entry, fields, ids)
        sources.append(Source(_hash(raw), tuple(part["id"] for part in parts)))
        made += parts
    return BookLore(tuple(made), tuple(sources), tuple(unused))


def taken_up(drafted: BookLore, before: Iterable[Source], lore: Mapping[str, Object]) -> BookLore:
    """The lore of a book where entries that are as before stay what they are in `lore`."""
    unchanged: defaultdict[str, deque[list[Object]]] = defaultdict(deque)
    for source in before:
        unchanged[source.entry].append([lore[one] for one in source.ids if one in lore])
    drafts = {one["id"]: one for one in drafted.entries}
    waiting = (unchanged[one.entry] for one in drafted.sources)
    parts = [parts.popleft() if parts else None for parts in waiting]
    ids = EntryIds(part["id"] for kept in parts if kept for part in kept)
    made = [
        [drafts[one] | {"id": ids.take(one)} for one in source.ids] if kept is None else kept
        for source, kept in zip(drafted.sources, parts, strict=True)
    ]
    sources = (
        Source(source.entry, tuple(part["id"] for part in of_one))
        for source, of_one in zip(drafted.sources, made, strict=True)
    )
    return BookLore(tuple(chain.from_iterable(made)), tuple(sources), drafted.unused)


def retelling(
    book: Book,
    sources: tuple[Source, ...],
    before: Mapping[str, Object],
    now: Mapping[str, Object],
) -> Retelling:
    """The book with what is new in its lore, by id: changed, deleted and added entries."""
    told: dict[str, Object] = {}
    found: list[Source] = []
    for (key, raw), source in zip(book.entries.items(), sources, strict=True):
        left = [now[one] for one in source.ids if one in now]
        if source.ids and not left:
            continue  # the author deleted it
        told[key] = retold(raw, book.dialect, [before[i] for i in source.ids if i in before], left)
        found.append(Source(_hash(told[key]), tuple(one["id"] for one in left)))
    known = {one for source in sources for one in source.ids}
    first = 1 + max((int(key) for key in book.entries if key.isdecimal()), default=-1)
    for number, one in enumerate((e for i, e in now.items() if i not in known), first):
        told[str(number)] = new_entry(one, book.dialect, number)
        found.append(Source(_hash(told[str(number)]), (one["id"],)))
    return Retelling(told, tuple(found))


def _hash(raw: Object) -> str:
    text = json.dumps(raw, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
