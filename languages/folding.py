"""One form for texts that a reader takes for the same. Pure.

Case, full-width forms, composed and decomposed letters, invisible signs, vowel points that Arabic
and Hebrew write or leave out, letters that people write for each other, and digits of any script.
Accents stay: "avó" and "avô" are two people.
"""

import re
import unicodedata

from languages.visibility import UNSEEN

#: Marks that are left after composition, outside the scripts whose marks are vowels of a word.
_LOOSE_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    "\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711"
    "\u0730-\u074a\u07a6-\u07b0\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
)
_HIDDEN = re.compile(f"[{UNSEEN}]+")
_MARKS = re.compile(f"[{_LOOSE_MARKS}]+")

_ZEROS = "٠۰०০੦૦୦௦౦೦൦๐໐༠၀០"  # each begins ten digits of a script
_SAME = str.maketrans(
    {
        "ı": "i",  # with "İ", which loses its dot as a mark: Turkish and others write both
        "ё": "е",
        "أ": "ا",
        "إ": "ا",
        "آ": "ا",
        "ٱ": "ا",
        "ى": "ي",
        "ی": "ي",
        "ک": "ك",
        "ة": "ه",
        "ά": "α",  # its place moves with the endings of a word, and capitals have none
        "έ": "ε",
        "ή": "η",
        "ί": "ι",
        "ό": "ο",
        "ύ": "υ",
        "ώ": "ω",
        "ϊ": "ι",
        "ϋ": "υ",
        "ΐ": "ι",
        "ΰ": "υ",
        "ך": "כ",
        "ם": "מ",
        "ן": "נ",
        "ף": "פ",
        "ץ": "צ",
        "ँ": "ं",
        "ʼ": "'",
    }
    | {chr(ord(zero) + digit): str(digit) for zero in _ZEROS for digit in range(10)}
)


def fold(text: str) -> str:
    """The text in the form in which texts are compared."""
    if text.isascii():
        return text.lower()
    seen = unicodedata.normalize("NFKC", _HIDDEN.sub("", text))
    folded = unicodedata.normalize("NFKC", seen.casefold())
    return _MARKS.sub("", folded).translate(_SAME)


def without_accents(word: str) -> str:
    """A folded word as somebody types it who has no keys for accents."""
    if word.isascii():
        return word
    return _MARKS.sub("", unicodedata.normalize("NFD", word))
