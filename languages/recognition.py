"""The script a text is in, and its language where the text is plain about it. Pure.

Most scripts tell the language by themselves. Of those in Latin letters the words without content
tell it, and letters that few have: enough for a paragraph, and too little for two words.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources

import yaml

from languages.reading import read, words

#: The language that is meant most often where a script is seen; the first that applies.
_BY_SCRIPT = {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "CJK": "zh",
    "THAI": "th",
    "LAO": "lo",
    "MYANMAR": "my",
    "KHMER": "km",
    "CYRILLIC": "ru",
    "GREEK": "el",
    "ARABIC": "ar",
    "HEBREW": "he",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "TELUGU": "te",
    "ARMENIAN": "hy",
    "GEORGIAN": "ka",
}
_MARKS_JAPANESE = 8  # one sign of kana in so many tells Japanese from Chinese
_TELLING_LETTERS = {
    "de": "ßäöü",
    "fr": "èêëîïôœùûç",
    "es": "ñ¿¡",
    "pt": "ãõ",
    "tr": "ğışİ",
    "fi": "äö",
    "sv": "åäö",
}
#: Where words do not tell: German has them most often, and joins words as its neighbours do.
_UMLAUTS = frozenset("äöüßÄÖÜ")
_LEAST_VOTES = 2.0  # words of a language, of which half a letter counts as half
_AHEAD = 1.25  # times the votes of any other
_NO_LETTERS_OF_ASCII = bytes(sign for sign in range(128) if not chr(sign).isalpha())


@lru_cache(maxsize=1 << 16)
def script_of(letter: str) -> str:
    """The script of a letter, by the first word of its Unicode name; "" of what is no letter."""
    if not unicodedata.category(letter).startswith("L"):
        return ""
    return unicodedata.name(letter, "").partition(" ")[0].removesuffix("-NUMBER")


def scripts(text: str) -> Counter[str]:
    """How many letters of the text are of each script."""
    if text.isascii():
        letters = len(text.encode().translate(None, _NO_LETTERS_OF_ASCII))
        return Counter({"LATIN": letters} if letters else {})
    found = Counter(map(script_of, unicodedata.normalize("NFKC", text)))
    del found[""]
    return found


@lru_cache(maxsize=1024)
def recognise(text: str) -> str:
    """The code of the language the text is in; "" where that is not plain."""
    if text.isascii():
        return _by_words(text)
    found = scripts(text)
    if not found:
        return ""
    kana = found["HIRAGANA"] + found["KATAKANA"]
    if kana and kana * _MARKS_JAPANESE >= found["CJK"] + kana and kana >= found["LATIN"] // 4:
        return "ja"
    script = max(found, key=found.__getitem__)
    return _by_words(text) if script == "LATIN" else _BY_SCRIPT.get(script, "")


def hollow_words(language: str) -> frozenset[str]:
    """Folded words without content of their own; none for a language without a list."""
    return _hollow().get(language, frozenset())


def _by_words(text: str) -> str:
    votes = defaultdict[str, float](float)
    languages = _languages_by_word()
    for word in languages.keys() & read(text).tokens:
        for code in languages[word]:
            votes[code] += 1
    if not text.isascii():
        for code, letters in _TELLING_LETTERS.items():
            votes[code] += sum(0.5 for letter in letters if letter in text)
    best = max(votes, key=votes.__getitem__, default="")
    most, second = votes.pop(best, 0.0), max(votes.values(), default=0.0)
    if most >= _LEAST_VOTES and most >= _AHEAD * second:
        return best
    return "de" if _UMLAUTS.intersection(text) else ""


@cache
def _in_latin() -> tuple[str, ...]:
    return tuple(code for code, listed in _hollow().items() if all(map(_is_latin, listed)))


@cache
def _languages_by_word() -> Mapping[str, Sequence[str]]:
    """The languages in Latin letters in which a word has no content of its own."""
    found: dict[str, list[str]] = {}
    for code in _in_latin():
        for word in _hollow()[code]:
            found.setdefault(word, []).append(code)
    return found


def _is_latin(word: str) -> bool:
    return scripts(word)["LATIN"] == sum(map(str.isalpha, word))


@cache
def _hollow() -> Mapping[str, frozenset[str]]:
    text = (resources.files("languages") / "hollow_words.yaml").read_text("utf-8")
    listed: Mapping[str, str | list[str]] = yaml.safe_load(text)
    return {code: frozenset(_fold_all(entries)) for code, entries in listed.items()}


def _fold_all(entries: str | Iterable[str]) -> Iterable[str]:
    lines = [entries] if isinstance(entries, str) else entries
    return (word for line in lines for word in words(line))
