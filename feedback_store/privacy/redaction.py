"""Personal data taken out of a text before anyone uses or keeps it.

What identifies a person outside the game becomes a placeholder such as `[email]`; the rest stays to
the byte. Placeholders split a text into pieces, and what stands between two findings is read again
as a piece of its own. So nothing can be found in what `redact` returns, and doing it twice changes
nothing. Findings never overlap; of two the category that stands first in `_FINDERS` wins.

What a policy knows as the game's own stays, whatever it looks like; and in its usual mode, so does
what the words around it make a code, a place or somebody's part.

It keeps no state and never raises. Names, street addresses and numbers in words stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from feedback_store.privacy.personal_addresses import credentials, emails, ips, likely_ips
from feedback_store.privacy.personal_handles import handles, likely_handles
from feedback_store.privacy.personal_numbers import cards, ibans, likely_phones, phones
from feedback_store.privacy.plain_signs import plain
from feedback_store.privacy.policy import CAREFUL, Mode, Policy


class Category(StrEnum):
    """What is taken out; its value is the word in the placeholder."""

    CREDENTIALS = "credentials"  # user and password in a URL, or the value of a token in its query
    EMAIL = "email"  # an e-mail address, spelled-out ones ("bob at example dot com") included
    CARD = "card"  # the number of a payment card
    IBAN = "iban"  # the number of a bank account
    IP = "ip"  # an IPv4 or IPv6 address
    PHONE = "phone"  # a telephone number
    HANDLE = "handle"  # a name on a social network or a chat: @name, name#1234


@dataclass(frozen=True, order=True)
class Finding:
    """Where personal data stands in a text."""

    start: int
    end: int
    category: Category


Finder = Callable[[str], Iterable[tuple[int, int]]]

_ALWAYS: tuple[tuple[Category, Finder], ...] = (
    (Category.CREDENTIALS, credentials),
    (Category.EMAIL, emails),
    (Category.CARD, cards),
    (Category.IBAN, ibans),
)
_FINDERS: Mapping[Mode, tuple[tuple[Category, Finder], ...]] = {
    Mode.ON: (
        *_ALWAYS,
        (Category.IP, likely_ips),
        (Category.PHONE, likely_phones),
        (Category.HANDLE, likely_handles),
    ),
    Mode.STRICT: (
        *_ALWAYS,
        (Category.IP, ips),
        (Category.PHONE, phones),
        (Category.HANDLE, handles),
    ),
    Mode.OFF: (),
}
_READINGS = 4  # a piece with findings after these is taken out whole; only hostile texts need more
# Every finding has one of these signs or words in it or beside it; most lines have none.
_HINT = re.compile(r"[\d@:=]|[(\[{<]at| (?:at|is|arobase|arroba) ", re.IGNORECASE)
# The @ after a URL's credentials belongs to them, or "@example.org" would read as a handle.
_SETTLED = re.compile(r"\[credentials\]@?|\[(?:" + "|".join(Category) + r")\]")


def redact(text: str, policy: Policy = CAREFUL) -> str:
    """The text with placeholders for personal data; the very same text if there is none."""
    found = findings(text, policy)
    if not found:
        return text
    pieces, done = [], 0
    for finding in found:
        pieces += [text[done : finding.start], f"[{finding.category}]"]
        done = finding.end
    return "".join([*pieces, text[done:]])


def has_placeholder(text: str) -> bool:
    """Whether a placeholder stands in the text, in any case."""
    return "[" in text and _SETTLED.search(text.casefold()) is not None


def findings(text: str, policy: Policy = CAREFUL) -> Sequence[Finding]:
    """Every piece of personal data, in order of place; a placeholder is none."""
    pieces = _between([match.span() for match in _SETTLED.finditer(text)], 0, len(text))
    return [
        finding
        for piece in pieces
        for finding in _in_piece(text, *piece, policy=policy, readings=_READINGS)
    ]


def _in_piece(text: str, start: int, end: int, policy: Policy, readings: int) -> list[Finding]:
    found = _read(text, start, end, policy)
    if not found:
        return []
    if readings == 1:
        return [Finding(start, end, found[0].category)]
    rest = _between([_extent(text, finding) for finding in found], start, end)
    return sorted(chain(found, *(_in_piece(text, *piece, policy, readings - 1) for piece in rest)))


def _read(text: str, start: int, end: int, policy: Policy) -> list[Finding]:
    """What is found in text[start:end] as if nothing stood around it, without overlaps."""
    piece = plain(text[start:end])
    if not _HINT.search(piece.text):
        return []
    found: list[Finding] = []
    taken = bytearray(end - start)  # 1 = found already
    for category, find in _FINDERS[policy.mode]:
        for first, last in (piece.original(*span) for span in find(piece.text)):
            known = policy.knows(text[start + first : start + last])
            if not known and taken.find(1, first, last) < 0:
                found.append(Finding(start + first, start + last, category))
                settled = _extent(text, found[-1])[1] - start
                taken[first:settled] = b"\1" * (settled - first)
    return sorted(found)


def _extent(text: str, finding: Finding) -> tuple[int, int]:
    at = finding.category is Category.CREDENTIALS and text.startswith("@", finding.end)
    return finding.start, finding.end + at


def _between(spans: Sequence[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The pieces of start..end that no span covers."""
    for span_start, span_end in spans:
        if start < span_start:
            yield start, span_start
        start = span_end
    if start < end:
        yield start, end
