"""The language that a tag names, as BCP 47 writes it: `en`, `pt-BR`, `zh-Hant`. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib import resources

import yaml

_TAG = re.compile(r"[a-z]{2,3}(-[a-z]{4})?(-(?:[a-z]{2}|\d{3}))?(-[a-z\d]{4,8})*", re.IGNORECASE)
#: Other codes for the same language, and what people write for it who think of the country.
_OTHER_CODES = {"cmn": "zh", "iw": "he", "in": "id", "ji": "yi", "arb": "ar"}
_SLIPS = {"jp": "ja", "cn": "zh", "kr": "ko", "gr": "el", "ua": "uk", "cz": "cs", "se": "sv"}
_SCRIPTS = {
    "latn": ("LATIN",),
    "cyrl": ("CYRILLIC",),
    "arab": ("ARABIC",),
    "hans": ("CJK",),
    "hant": ("CJK",),
    "deva": ("DEVANAGARI",),
    "hebr": ("HEBREW",),
    "grek": ("GREEK",),
}


class UnknownLanguageError(ValueError):
    """No language is known by this tag; the message says what to write."""


@dataclass(frozen=True)
class Language:
    """A language, and the scripts it is written in, by Unicode's names for them."""

    code: str
    name: str
    scripts: tuple[str, ...]


@lru_cache(maxsize=1024)
def language_of(tag: str) -> Language:
    """The language of a tag. Raises UnknownLanguageError."""
    if not _TAG.fullmatch(tag):
        raise UnknownLanguageError(_advice(tag))
    code, *rest = tag.lower().split("-")
    known = _languages().get(_OTHER_CODES.get(code, code))
    if known is None:
        raise UnknownLanguageError(_advice(tag))
    scripts = next((_SCRIPTS[part] for part in rest if part in _SCRIPTS), known.scripts)
    return Language(known.code, known.name, scripts)


@lru_cache(maxsize=1024)
def primary(tag: str) -> str:
    """The code of a tag's language; "" for no tag."""
    code = tag.lower().partition("-")[0]
    return _OTHER_CODES.get(code, code)


def _advice(tag: str) -> str:
    written = tag.lower().partition("-")[0].partition("_")[0]
    by_name = {language.name.lower(): code for code, language in _languages().items()}
    near = get_close_matches(tag.lower(), by_name, n=1, cutoff=0.8)
    meant = _SLIPS.get(written) or (by_name[near[0]] if near else "")
    if not meant and written in _languages():
        meant = tag.replace("_", "-") if _TAG.fullmatch(tag.replace("_", "-")) else written
    hint = f"did you mean {meant!r}?" if meant else "write a BCP 47 tag such as en, de, pt-BR or ja"
    return f"is no language that is known; {hint}"


@cache
def _languages() -> Mapping[str, Language]:
    text = (resources.files("languages") / "names.yaml").read_text("utf-8")
    by_script: Mapping[str, Mapping[str, str]] = yaml.safe_load(text)
    return {
        code: Language(code, name, tuple(scripts.split()))
        for scripts, names in by_script.items()
        for code, name in names.items()
    }
