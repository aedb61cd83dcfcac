"""A text as somebody reads it who looks through its disguise. Pure.

Who wants to slip words past a check writes them so that people still read them: letters of another
script that look the same, digits for letters, letters set apart. Or so that a model decodes them:
Base64, hexadecimal digits, ROT13, backwards. Comparing alone (`languages.folding`) keeps such words
apart from the plain ones, as it must: "Сок" and "Cok" are no one word. Here they become plain, for
those that look for what somebody hides.

A word is only taken for disguised where nothing innocent is written so: a digit between letters, a
letter of another script beside Latin ones, three letters in a row with something between each.
"""

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache, partial
from urllib.parse import unquote

from languages.folding import fold, without_accents

LEAST_SPELLED = 3  # letters in a row, each by itself: fewer are words such as "I" and "a"

_LOOKS_LATIN = str.maketrans(
    "аеорсухіјѕһӏԁԛԝвнктмгпєαοενικρτυχηωɑɡɩօսᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ",
    "aeopcyxijshldqwbhktmrneaoevikptuxnwagiouabcdefghijklmnoprstuvwyz",
)
_LEET = str.maketrans("0345789@$€|", "oeastbgase" + "l")
_ONES = ("i", "l")  # what "1" and "!" are written for
_WORD = re.compile(r"[^\s.,;:?\"'“”‘’()\[\]{}<>*_/\\-]+")
_LATIN = re.compile(r"[a-z]")
_OTHER_LETTER = re.compile(r"[^\W\d_a-zà-öø-ÿāăąćčďđēęěğģīıķļłńņňőœřśşšťūůűźżž]")
_DIGIT_WITHIN = re.compile(r"(?<=[a-z])[0345789@$€|1!](?=[a-z0-9@$€|1!])|^[0345789@$€|1](?=[a-z])")
_ALONE = r"[^\W\d_]"
#: Letters by themselves with the same thing between: "i g n o r e"; before that, "i-g-n-o-r-e".
_SPELLED = tuple(
    re.compile(
        rf"(?<![^\W_]){_ALONE}(?:(?P<gap>{gaps}){_ALONE}(?![^\W_])"
        rf"(?:(?P=gap){_ALONE}(?![^\W_]))+)"
    )
    for gaps in (r"[.\-_*·•,/|]", " ")
)
_BASE64 = re.compile(r"(?<![\w+/])[A-Za-z0-9+/_-]{16,}={0,2}(?![\w+/=])")
_HEX = re.compile(r"(?<!\w)(?:(?:0x|\\x)?[0-9a-fA-F]{2}[ ,:]?){8,}+(?!\w)")
_ESCAPED = re.compile(r"%[0-9a-fA-F]{2}|&#?\w{2,8};|\\u[0-9a-fA-F]{4}")
_STRAY = 2  # one letter in so many has an accent: more than languages write
_READABLE = 0.8  # of a decoded text's signs are letters, digits and blanks


def plain_readings(text: str) -> tuple[str, ...]:
    """The folded text with disguised words made plain, in each way it can be; none if it has none.

    A "1" is an "i" in one reading and an "l" in the other.
    """
    if text.isascii() and text.isalpha():
        return ()
    return _plain_readings(text)


@lru_cache(maxsize=1024)
def _plain_readings(text: str) -> tuple[str, ...]:
    folded = fold(text)
    joined = folded
    for spelled in _SPELLED:
        joined = spelled.sub(lambda run: run[0].replace(run["gap"], ""), joined)
    found = (_WORD.sub(partial(_plain, one=one), joined) for one in _ONES)
    return tuple(reading for reading in dict.fromkeys(found) if reading != folded)


def spelled_words(text: str) -> tuple[str, ...]:
    """What is spelled letter by letter, without what stands between the letters."""
    runs = (run for spelled in _SPELLED for run in spelled.finditer(fold(text)))
    return tuple(run[0].replace(run["gap"], "") for run in runs)


def decoded_readings(text: str) -> tuple[str, ...]:
    """What parts of the text say when they are decoded, and the text in ROT13 and backwards."""
    parts = (*_decoded_base64(text), *_decoded_hex(text))
    unescaped = _without_escapes(text) if _ESCAPED.search(text) else ""
    turned = (codecs.encode(text, "rot13"), text[::-1]) if text.isascii() else (text[::-1],)
    return tuple(dict.fromkeys(one for one in (*parts, unescaped, *turned) if one))


def _plain(found: re.Match[str], one: str) -> str:
    word = found[0]
    if not _LATIN.search(word):
        return word
    bare = _latin(word)
    if not _DIGIT_WITHIN.search(bare):
        return bare
    return bare.translate(_LEET).replace("1", one).replace("!", one)


def _latin(word: str) -> str:
    """Letters that look like Latin ones, in a word that has Latin ones; and no stray accents."""
    if word.isascii():
        return word
    seen = word.translate(_LOOKS_LATIN) if _OTHER_LETTER.search(word) else word
    stray = sum(1 for letter in seen if not letter.isascii() and letter.isalpha())
    return without_accents(seen) if _STRAY * stray >= len(seen) else seen


def _decoded_base64(text: str) -> Iterator[str]:
    for run in _BASE64.finditer(text):
        code = run[0].rstrip("=").replace("-", "+").replace("_", "/")
        try:
            yield from _readable(base64.b64decode(code + "=" * (-len(code) % 4), validate=True))
        except binascii.Error:
            continue


def _decoded_hex(text: str) -> Iterator[str]:
    for run in _HEX.finditer(text):
        digits = re.sub(r"0x|\\x|[ ,:]", "", run[0])
        yield from _readable(bytes.fromhex(digits))


def _readable(data: bytes) -> Iterator[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    shown = sum(1 for sign in text if sign.isspace() or unicodedata.category(sign)[0] in "LMN")
    if text and shown >= _READABLE * len(text):
        yield text


def _without_escapes(text: str) -> str:
    signs = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    return unquote(html.unescape(signs))
