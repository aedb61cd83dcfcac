"""A phrase is found as people say it, and not in what only looks like it."""

import pytest

from languages.phrases import TextList, mentioned

FOUND = [
    ("en", "It's the KEY!", "key"),
    ("en", "a half-moon night", "half moon"),
    ("en", "Ｔｈｅ　ｋｅｙ", "key"),
    ("de", "Der Torschlüssel liegt hier.", "Schlüssel"),
    ("de", "Unter den Türmen.", "Turm"),
    ("de", "den goldenen Schlüsseln", "goldener Schlüssel"),
    ("de", "der SCHLUESSEL", "Schlüssel"),
    ("de", "Schleusen-Schlüssel", "Schleusenschlüssel"),
    ("fr", "J'ai caché l'épée.", "épée"),
    ("fr", "LA CLE", "clé"),
    ("fr", "mes chevaux", "cheval"),
    ("es", "las luces", "luz"),
    ("pt", "os canhões e os faróis", "canhão"),
    ("ru", "за башней", "башня"),
    ("ru", "голубого дракона", "голубой дракон"),
    ("ru", "два замка", "замок"),
    ("tr", "anahtarımızı kırdım", "anahtar"),
    ("tr", "BIÇAĞIMLA", "bıçak"),
    ("ar", "وبالمفتاح فتحته", "مفتاح"),
    ("ar", "مفاتيحه والْمِفْتَاح", "المفتاح"),
    ("he", "והמפתחות", "מפתח"),
    ("hi", "चाबियों के बिना", "चाबी"),
    ("ko", "열쇠를 부쉈어요", "열쇠"),
    ("ko", "수문열쇠는", "수문 열쇠"),
    ("ko", "수문 열쇠를", "수문열쇠"),
    ("zh", "后门的暗号是青龙。", "青龙"),
    ("ja", "実は水門の鍵を壊したのは私です。", "鍵を壊した"),
    ("ja", "ミラさんです", "ミラ"),
    ("ja", "私はAIです", "AI"),
    ("th", "ฉันทำกุญแจพัง", "กุญแจ"),
    ("fi", "lukossani", "lukko"),
    ("fi", "avaimellakin", "avain"),
    ("el", "ΤΩΝ ΚΛΕΙΔΙΩΝ", "κλειδί"),
    ("pl", "z kluczem", "klucz"),
    ("cs", "za věží", "věž"),
    ("bg", "ключът", "ключ"),
    ("fa", "کلیدهای ما", "کلید"),
    ("id", "kuncinya", "kunci"),
    ("hu", "a kulccsal", "kulcs"),
    ("hu", "kapukulcsot", "kulcs"),
]
APART = [
    ("en", "The monkey has no keys.", "key"),
    ("de", "Das Schwein im Sturm, und der Hering.", "Wein"),
    ("de", "Der Sturm kommt.", "Turm"),
    ("de", "Ich verstehe Euren Verstand.", "Stand"),
    ("es", "El puerto está lejos.", "puerta"),
    ("pt", "O meu avô.", "avó"),
    ("fr", "J'ai faim.", "ia"),
    ("ru", "Ключица болит.", "ключ"),
    ("tr", "Anlatırım.", "at"),
    ("ko", "사용하는 내용", "용"),
    ("ja", "カミラとプリン", "ミラ"),
    ("th", "เกาหู", "กา"),
    ("ar", "كتاب قديم", "مفتاح"),
]


@pytest.mark.parametrize(("language", "text", "phrase"), FOUND)
def test_a_phrase_is_found_as_it_is_said(language: str, text: str, phrase: str) -> None:
    assert mentioned(text, [phrase], language) == (phrase,)


@pytest.mark.parametrize(("language", "text", "phrase"), APART)
def test_a_phrase_is_not_found_in_what_looks_like_it(language: str, text: str, phrase: str) -> None:
    assert mentioned(text, [phrase], language) == ()


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("제가 열쇠를 부쉈어요", "열쇠"),
        ("كسرت المفتاح أمس", "مفتاح"),
        ("Der Torschlüssel ist nicht mehr da.", "Schlüssel"),
        ("ฉันทำกุญแจพัง", "กุญแจ"),
    ],
)
def test_a_language_that_is_plain_need_not_be_told(text: str, phrase: str) -> None:
    assert mentioned(text, [phrase]) == (phrase,)


def test_phrases_come_back_in_their_order() -> None:
    assert mentioned("b then a", ["a", "c", "b"], "en") == ("a", "b")
    assert mentioned("a b", ["...", ""], "en") == ()


@pytest.mark.parametrize("told", [True, False], ids=["told", "recognised"])
@pytest.mark.parametrize(("language", "text", "phrase"), FOUND)
def test_a_list_of_texts_says_what_each_of_them_says(
    language: str, text: str, phrase: str, told: bool
) -> None:
    code, texts = language if told else "", ["ミ", text, "Half a mile.", text, "鍵"]
    alone = [(at, one) for at, t in enumerate(texts) for one in mentioned(t, [phrase], code)]
    assert list(TextList(texts, code).saying([phrase])) == alone


def test_texts_of_a_list_do_not_go_on_in_each_other() -> None:
    assert (
        list(TextList(["the half", "moon 0 key"], "en").saying(["half moon", "half 0 moon"])) == []
    )
