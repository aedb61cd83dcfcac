"""Addresses, found in plain text: e-mail, IP, credentials in URLs.

Each finder yields spans. Patterns are bounded or possessive, so that no text makes them slow, and
reject what games say in the same signs: versions, clock times, `std::vector`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from feedback_store.privacy.number_meaning import Meaning, meaning, speaks_of_machines

Span = tuple[int, int]

_LOCAL = r"(?<!\w)\w(?:[\w.+'&-]{0,62}[\w+-])?"
_LABEL = r"\w(?:[\w-]{0,61}\w)?"
_TLD = (
    r"(?:com|org|net|edu|gov|info|io|gg|tv|me|co|uk|de|fr|es|it|nl|be|se|no|dk|fi|pl|cz|ru|ua|eu|us"
    r"|ca|au|nz|ch|at|br|mx|jp|kr|cn|in|example|test)\b"
)
_DOT_WORD = r"(?: ?[(\[{]dot[)\]}] ?| (?:dot|point|punto|punkt) )"
_PROVIDER = r"(?:gmail|hotmail|yahoo|outlook|icloud|proton|protonmail|gmx|aol)\b"
_EMAILS = (
    re.compile(
        rf"@?{_LOCAL}(?:@|%40)(?:(?:{_LABEL}\.)+(?:xn--[\w-]{{2,59}}|[^\W\d_]{{2,24}})|{_PROVIDER})",
        re.IGNORECASE,
    ),
    re.compile(
        rf"{_LOCAL}(?: ?@ ?| ?[(\[{{<](?:at|@)[)\]}}>] ?)"
        rf"(?:{_LABEL}(?:\.|{_DOT_WORD})){{1,4}}{_TLD}",
        re.IGNORECASE,
    ),
    # "look at the dot com bubble" is not an address.
    re.compile(
        rf"{_LOCAL} (?:at|arobase|arroba) (?!(?:the|a|this|that|my|your) )"
        rf"(?:(?:{_LABEL}{_DOT_WORD}){{1,4}}|{_PROVIDER}\.){_TLD}",
        re.IGNORECASE,
    ),
)


_AT = re.compile(r"@|%40|[(\[{<]at[)\]}>]| (?:at|arobase|arroba) ", re.IGNORECASE)


def emails(text: str) -> Iterator[Span]:
    """Addresses, plain, with words for signs, or with gaps around the @."""
    if _AT.search(text):
        for pattern in _EMAILS:
            yield from (match.span() for match in pattern.finditer(text))


_IPV4_DOT = r"(?:\.|\[\.\]|\(\.\)| \. | dot )"
_IPV4 = re.compile(rf"(?<![\w.])\d{{1,3}}(?:{_IPV4_DOT}\d{{1,3}}){{3}}(?!\w|\.\d)", re.IGNORECASE)
_IPV6 = re.compile(r"(?<![\w:.])(?:[\da-f]{0,4}:){2,8}[\da-f.]{0,15}(?![\w:])", re.IGNORECASE)
_EDITION = (
    r"(?:version|ver|v|build|patch|release|update|rev|revision|firmware|client|mod|section|chapter"
    r"|rule|clause|article|step|paragraph)"
)
_EDITION_BEFORE = re.compile(
    rf"\b{_EDITION}\b[\s.:#=(]*+(?:(?:is|was|number|notes|of|to|from|the|v)\b[\s.:#]*+){{0,3}}"
    r"(?:\d++(?:\.\d++)++[\s,/]*+(?:(?:to|and|or|->|-)\s*+)?+)*+$",
    re.IGNORECASE,
)
_EDITION_AFTER = re.compile(rf"\s*{_EDITION}\b", re.IGNORECASE)
_EDITION_REACH = 48  # signs before an address in which a word may make it a version
_HOSTS_V6 = tuple(map(ipaddress.IPv6Network, ("2000::/3", "fe80::/10", "fc00::/7")))


def ips(text: str) -> Iterator[Span]:
    """Addresses of machines; not versions, and not addresses that everybody has."""
    for match in _IPV4.finditer(text):
        if _is_somebodys_v4(match[0]) and not _is_edition(text, *match.span()):
            yield match.span()
    if text.count(":") > 1:
        for match in _IPV6.finditer(text):
            address = match[0].rstrip(".")
            if _is_somebodys_v6(address):
                yield match.start(), match.start() + len(address)


def likely_ips(text: str) -> Iterator[Span]:
    """Addresses of machines that the words around do not make a place or a code."""
    for start, end in ips(text):
        said = meaning(text, start, end)
        other = said in (Meaning.OTHER, Meaning.PERHAPS_OTHER)
        if not other or ":" in text[start:end] or speaks_of_machines(text, start, end):
            yield start, end


def _is_somebodys_v4(written: str) -> bool:
    try:
        address = ipaddress.IPv4Address(re.sub(r"\D+", ".", written))
    except ValueError:
        return False
    return address.packed[0] not in {0, 127} and address.packed[0] < 224


def _is_somebodys_v6(written: str) -> bool:
    """Ranges that hosts use: everything else is C++, a clock or a ratio."""
    try:
        address = ipaddress.IPv6Address(written)
    except ValueError:
        return False
    mapped = address.ipv4_mapped
    if mapped is not None:
        return _is_somebodys_v4(str(mapped))
    return any(address in network for network in _HOSTS_V6)


def _is_edition(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - _EDITION_REACH) : start]
    return bool(_EDITION_BEFORE.search(before) or _EDITION_AFTER.match(text, end))


_USERINFO = re.compile(r"://:?([^\s/?#]+)@")
_PARAMETER = re.compile(
    r"[?&#;](?:[\w-]{0,24}(?:token|secret|password|passwd|api[_-]?key)|key|access_key|pwd|pass|auth"
    r"|sig|signature|session_?id|sid|jwt)=([^\s&#;\"'<>]*[^\s&#;\"'<>.,!?:)\]])",
    re.IGNORECASE,
)
_URL_START = re.compile(r"\W*+(?:[\w-]++\.)++[a-z]{2,24}[/?:]|\S*?://", re.IGNORECASE)


def credentials(text: str) -> Iterator[Span]:
    """User and password of a URL, and query values that open something; the rest of it stays."""
    if "://" in text:
        yield from (match.span(1) for match in _USERINFO.finditer(text))
    if "=" in text:
        for word in re.finditer(r"\S+", text):
            if _URL_START.match(word[0]):
                yield from (match.span(1) for match in _PARAMETER.finditer(text, *word.span()))
