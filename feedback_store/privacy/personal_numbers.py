"""Payment cards and telephone numbers, found in plain text.

A card must be one by its issuer's prefix, its length and its check digit, a bank account (IBAN) by
its country's length and its check digits. A telephone number must look like one from abroad
(+44 …), from North America (202-555-0123) or from a country that dials a 0 first (020 7946 0123);
any other number of 7 to 13 digits is one only where the words around it say so ("call me at
555-0123"), because games are full of scores, prices, seeds and years.

`likely_phones` are those of them that the words around do not make a code, a dial or a place, and
that have more of the form than groups of digits: those need to be called a telephone number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, pairwise

from feedback_store.privacy.game_words import UNSPACED
from feedback_store.privacy.number_meaning import Meaning, is_counted, meaning

Span = tuple[int, int]

_LEAST_DIGITS = re.compile(r"\d(?:\D*\d){6}")  # a text with fewer has neither
_CARD_GAP = r"(?: ?[-./_] ?| {1,2})"
_SAME_GAP = rf"(?P<gap>{_CARD_GAP})"
_FOURS = rf"\d{{4}}{_CARD_GAP}\d{{4}}{_CARD_GAP}\d{{4}}{_CARD_GAP}"
_CARDS = tuple(
    re.compile(rf"(?<!\w)(?<!\d\.){shape}(?!\w)")
    for shape in (
        r"\d{13,19}",
        rf"{_FOURS}\d{{4}}{_CARD_GAP}\d{{3}}",  # read first: 3 digits after 16 may be a CVV
        rf"{_FOURS}\d{{1,4}}",
        rf"\d{{4}}{_SAME_GAP}\d{{6}}(?P=gap)\d{{4,5}}",
        rf"\d{_SAME_GAP}\d(?:(?P=gap)\d){{11,17}}",
        rf"\d\d{_SAME_GAP}\d\d(?:(?P=gap)\d\d){{4,7}}(?:(?P=gap)\d)?",
    )
)
_ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|(?:6011|64[4-9]\d|65\d\d|62\d\d|81\d\d)\d{12,15}"  # Discover, UnionPay
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|220[0-4]\d{12,15}"  # Mir
    r"|(?:50[1-9]\d|5[6-8]\d\d|6(?:304|390|7\d\d))\d{12,15}"  # Maestro
)


def cards(text: str) -> Iterator[Span]:
    """Card numbers: solid, in groups, or digit by digit."""
    shapes = _CARDS if _LEAST_DIGITS.search(text) else ()
    for match in chain.from_iterable(shape.finditer(text) for shape in shapes):
        digits = _digits(match[0])
        if _ISSUED.fullmatch(digits) and _passes_luhn(digits):
            yield match.span()


def _passes_luhn(digits: str) -> bool:
    single = sum(map(int, digits[-1::-2]))
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (single + doubled) % 10 == 0


_IBAN = re.compile(
    r"(?<!\w)[a-z]{2}\d{2}(?:[ -]?[a-z\d]{4}){2,7}(?:[ -]?[a-z\d]{1,3})?(?!\w)", re.I
)
_IBAN_LENGTHS = (
    "15NO 16BE 18DK 18FO 18FI 18GL 18NL 18SD 19MK 19SI 20AT 20BA 20EE 20KZ 20LT 20LU 20XK 20MN 21CH"
    " 21HR 21LI 21LV 22BG 22BH 22CR 22DE 22GB 22GE 22IE 22ME 22RS 23AE 23IL 23IQ 23OM 23SO 23TL"
    " 24AD 24CZ 24ES 24MD 24PK 24RO 24SA 24SE 24SK 24TN 24VG 25LY 25PT 25ST 26IS 26TR 27FR 27GR"
    " 27IT 27MC 27MR 27SM 28AL 28AZ 28BY 28CY 28DO 28GT 28HU 28LB 28NI 28PL 28SV 29BR 29EG 29PS"
    " 29QA 29UA 30JO 30KW 30MU 30YE 31MT 31SC 32LC 33RU"
)
_IBAN_SIGNS = {pair[2:]: int(pair[:2]) for pair in _IBAN_LENGTHS.split()}


def ibans(text: str) -> Iterator[Span]:
    """Numbers of bank accounts that are valid for their country."""
    for match in _IBAN.finditer(text):
        signs = re.sub(r"[ -]", "", match[0]).upper()
        if len(signs) == _IBAN_SIGNS.get(signs[:2]) and _passes_97(signs):
            yield match.span()


def _passes_97(signs: str) -> bool:
    moved = signs[4:] + signs[:4]
    return int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1


_GAP = r"[ .\-/()_]{0,3}"
_WORD = rf"[^\W{UNSPACED}]"  # a sign of a word that is set apart by spaces
_START = rf"(?<!{_WORD})(?<!\+)(?<!\d[.,:/-])"
_END = rf"(?=\W|\Z|x\d|[{UNSPACED}])"  # x: an extension
_ABROAD = re.compile(
    rf"(?:(?<!{_WORD})(?<!\+)\(?\+ ?|{_START}\(?00)(?=[1-9])\d(?:{_GAP}\d){{7,16}}{_END}"
)
_NORTH_AMERICAN = re.compile(
    rf"(?<!{_WORD})(?<!\+)(?:1[ .-]?)?(?:\([2-9]\d\d\)[ .-]?[2-9]\d\d[ .-]?"
    rf"|[2-9]\d\d(?P<gap> ?[._/-] ?| )[2-9]\d\d(?P=gap))\d{{4}}{_END}"
)
_TRUNK = re.compile(
    rf"{_START}\(?0[1-9]\d{{0,4}}(?:\)[ ./-]{{0,3}}|[ ./-]{{1,3}})\d{{2,9}}"
    rf"(?:[ ./-]{{1,3}}\d{{2,8}}){{0,4}}(?!{_WORD})"
)
_TRUNK_SOLID = re.compile(rf"{_START}0[1-9]\d{{8,9}}(?!{_WORD})")
_ANY = re.compile(rf"{_START}\(?\d(?:[ .\-/()_]{{0,2}}\d){{6,12}}(?!{_WORD}|:|[.,-]\d)")

_CALLING_CODE = re.compile(
    r"1|7|2(?:[07]|1[1-368]|[2346]\d|5[0-8]|9[01789])|3(?:[0-469]|[57]\d|8[0-35-79])"
    r"|4(?:[013-9]|2[013])|5(?:[1-8]|[09]\d)|6(?:[0-6]|7[02-9]|8[0-35-9]|9[0-2])"
    r"|8(?:[1246]|5[02356]|80|86)|9(?:[0-58]|6[0-8]|7[0-79]|9[2-68])"
)
_NORTH_AMERICAN_DIGITS = re.compile(r"[2-9]\d\d[2-9]\d{6}")
# Others drop the 0 after their calling code.
_KEEP_THE_0 = frozenset({"39", "225", "229", "241", "242", "378"})
_KEYPAD = "01234567890123456789"
_DATE = re.compile(r"(?<!\d)(?:\d{1,2}([./-])\d{1,2}\1[12]\d{3}|[12]\d{3}([./-])\d\d\2\d\d)(?!\d)")

_AMOUNT_AFTER = re.compile(
    r"\s*(?:more |of )?(?:gold|coins?|points?|pts|xp|exp|hp|mp|dmg|damage|silver|coppers?|credits?"
    r"|gp|times|dollars|euros?|years?|miles|met(?:er|re)s|people|orcs|gems?|souls|mana)\b",
    re.IGNORECASE,
)
_CALL = (
    r"(?:(?:call|text|phone|dial|sms|whats ?app|tel|telefon|téléphone|tél|mobile|handy|contact"
    r"|appelle|appelez|joindre|ruf|anrufen|rufnummer|hit me up|my digits|numéro|número|móvil)\b"
    r"|(?:ring|reach) (?:me|him|her|us)\b|cell(?= ?(?:phone|is\b|num|:))"
    r"|(?:my|his|her|their|our|your|\w{1,20}'s) (?:\w{1,12} )?(?:number|num|no|nr|nummer|#)(?!\w)"
    r"|(?:num|number|nummer|nr) ?:)"
)
_CALL_BEFORE = re.compile(
    rf"(?<!\w){_CALL}[^\d\n]{{0,24}}(?:[\d .()-]{{7,20}}(?:or|and|,|/|oder|ou|et|und) ?)?$",
    re.IGNORECASE,
)
_CALL_AFTER = re.compile(
    r"\W{0,3}(?:is )?(?:(?:my|his|her|the) )?"
    r"(?:(?:phone|mobile|cell|handy|whatsapp|sms|tel)\b|(?:call|text|ring) me\b)",
    re.IGNORECASE,
)
_OTHER_NUMBER_BEFORE = re.compile(
    r"\b(?:code|password|combination|order|seed|id|isbn|score|serial|account|key|quest|item|room|gold"
    r"|coordinates|year|version|lock|vault)\b[^\d\n]{0,16}$",
    re.IGNORECASE,
)
_REACH = 56  # signs before a number in which words may say what it is


def phones(text: str) -> Iterator[Span]:
    """Telephone numbers."""
    if not _LEAST_DIGITS.search(text):
        return
    north_american = (match.span() for match in _NORTH_AMERICAN.finditer(text))
    found = chain(_abroad(text), north_american, _trunk(text), _by_words_around(text))
    for start, end in found:
        date = "+" not in text[start:end] and _DATE.search(text, start, end)
        if not date and not _AMOUNT_AFTER.match(text, end):
            lone_bracket = text[start] == "(" and ")" not in text[start:end]
            yield start + lone_bracket, end


def likely_phones(text: str) -> Iterator[Span]:
    """Telephone numbers that are not more likely a code, a dial, a place or an amount."""
    for start, end in phones(text):
        if _is_likely(text[start:end], meaning(text, start, end)) and not is_counted(text, end):
            yield start, end


def _is_likely(written: str, said: Meaning) -> bool:
    match said:
        case Meaning.CALLED:
            return True
        case Meaning.OTHER:
            return False
        case Meaning.PERHAPS_OTHER:
            return "+" in written
        case Meaning.ALONE:
            return "+" in written or len(re.findall(r"\d+", written)) <= _MOST_GROUPS
        case Meaning.PRESENTED:
            return "+" in written or not _is_groups_only(written)
        case Meaning.UNSAID:
            return "+" in written or _has_area_code(written)


def _has_area_code(written: str) -> bool:
    """Whether its area code is in brackets, as no other number's part is."""
    return re.match(r"\D{0,3}1?[ .-]?\(\d{2,5}\)", written) is not None


def _is_groups_only(written: str) -> bool:
    """Whether it has no more of the form of a telephone number than groups of digits."""
    groups = re.findall(r"\d+", written)
    if max(map(len, groups)) <= 2:  # as on a dial, unless it is as long as a French number
        return len(groups) != 5 or not (_is_french_mobile(written) or "." in written)
    if len(set(_digits(written))) < _LEAST_DIFFERENT:
        return True
    return groups[0][0] != "0" and re.fullmatch(r"[\d ]+", written) is not None


def _is_french_mobile(written: str) -> bool:
    return re.fullmatch(r"0[67](?:[ .-]?\d\d){4}", written) is not None


_MOST_GROUPS = 5  # of a number that nothing is said of
_LEAST_DIFFERENT = 3  # digits; fewer are binary, or a pattern


def _abroad(text: str) -> Iterator[Span]:
    for match in _ABROAD.finditer(text):
        prefix = re.match(r"\D*(?:00)?1?", match[0])
        most = 11 if prefix and prefix[0].endswith("1") else 13
        end = _end_within(text, *match.span(), most + 2 * ("+" not in match[0]))
        if _can_be_called_from_abroad(text[match.start() : end]):
            yield match.start(), end


def _can_be_called_from_abroad(written: str) -> bool:
    digits = _digits(written.replace("(0)", ""))
    digits = digits if "+" in written else digits[2:]
    code = _CALLING_CODE.match(digits)
    if code is None:
        return False
    rest = digits[code.end() :]
    if code[0] == "1":
        return _NORTH_AMERICAN_DIGITS.fullmatch(rest) is not None
    least = 5 if len(code[0]) == 3 else 7  # small countries have three digits
    no_0 = rest[:1] != "0" or (code[0] in _KEEP_THE_0 and rest[1:2] != "0")
    return len(rest) >= least and no_0


def _trunk(text: str) -> Iterator[Span]:
    for match in _TRUNK.finditer(text):
        end = _end_within(text, *match.span(), 13)
        written = text[match.start() : end]
        if 9 <= len(_digits(written)) <= 13 and not (
            _counts_up(written) and not _is_french_mobile(written)
        ):
            yield match.start(), end
    for match in _TRUNK_SOLID.finditer(text):
        if match[0] not in _KEYPAD and not _is_other_number(text, match.start()):
            yield match.span()


def _counts_up(written: str) -> bool:
    """Whether groups of one length grow, as in a list of hours or of drawn numbers."""
    groups = re.findall(r"\d+", written)
    alike = len(groups) > 2 and len(set(map(len, groups))) == 1
    return alike and all(one < other for one, other in pairwise(groups))


def _by_words_around(text: str) -> Iterator[Span]:
    for match in _ANY.finditer(text):
        before = _CALL_BEFORE.search(text[max(0, match.start() - _REACH) : match.start()])
        called = before or _CALL_AFTER.match(text, match.end())
        if (called or meaning(text, *match.span()) is Meaning.CALLED) and not _is_other_number(
            text, match.start()
        ):
            yield match.span()


def _is_other_number(text: str, start: int) -> bool:
    """Whether the words before say that it is a code, a score or the like."""
    return _OTHER_NUMBER_BEFORE.search(text[max(0, start - _REACH) : start]) is not None


def _end_within(text: str, start: int, end: int, most: int) -> int:
    """Where the number ends once enough groups are left off that it has at most `most` digits."""
    while len(_digits(text[start:end])) > most:
        group = re.search(r"[^\d]+\d+$", text[start:end])
        if group is None:
            break
        end = start + group.start()
    return end


def _digits(written: str) -> str:
    return re.sub(r"\D+", "", written)
