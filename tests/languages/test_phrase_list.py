"""A long list of phrases finds what each of its phrases finds alone."""

from __future__ import annotations

import random

import pytest

from languages.phrases import PhraseList, mentioned

_WORDS = {  # with a blank between
    "en": "mill gate iron ferry salt quay smith storm lantern bell rope anchor",
    "de": "Mühle Tor Eisen Fähre Salz Kai Schmied Sturm Laterne Glocke Seil Anker",
    "ja": "水車 門 鉄 渡し船 塩 波止場 鍛冶屋 嵐 灯籠 鐘 綱 錨",
    "th": "โรงสี ประตู เหล็ก เรือข้ามฟาก เกลือ ท่าเรือ ช่างตีเหล็ก พายุ โคมไฟ ระฆัง เชือก สมอ",
}


@pytest.mark.parametrize("language", _WORDS)
@pytest.mark.parametrize("length", [5, 120])
def test_a_list_finds_what_its_phrases_find_alone(language: str, length: int) -> None:
    draw = random.Random(3)
    words, blank = _WORDS[language].split(), "" if language in ("ja", "th") else " "
    phrases = [blank.join(draw.choices(words, k=draw.randint(1, 3))) for _ in range(length)]
    listed = PhraseList(phrases, language)
    for _ in range(50):
        text = blank.join(draw.choices([*words, "und", "Mühlentor", "水", "7"], k=6))
        alone = [at for at, phrase in enumerate(phrases) if mentioned(text, [phrase], language)]
        assert list(listed.places_in(text)) == alone
