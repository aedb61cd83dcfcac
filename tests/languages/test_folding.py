"""Texts that a reader takes for the same have one form."""

import unicodedata

import pytest

from languages.folding import fold, without_accents


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Café", "cafe\u0301"),
        ("ＯＰＥＮ　１２", "open 12"),
        ("İstanbul", "istanbul"),
        ("ISPARTA", "ısparta"),
        ("Straße", "STRASSE"),
        ("key\u00adstone", "keystone"),
        ("ke\u200by", "key"),
        ("مـفـتـاح", "مفتاح"),
        ("الْمِفْتَاح", "المفتاح"),
        ("أين", "اين"),
        ("מַפְתֵּחַ", "מפתח"),
        ("ключ ёлка", "клю\u0301ч елка"),
        ("ｶﾞﾗｽ", "ガラス"),
        (unicodedata.normalize("NFD", "열쇠"), "열쇠"),
        ("५१२", "512"),
    ],
)
def test_what_reads_the_same_is_the_same(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"), [("avó", "avô"), ("мой", "мои"), ("चाबी", "चाबि"), ("กา", "กำ")]
)
def test_what_reads_otherwise_stays_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_folding_twice_changes_nothing() -> None:
    text = "ΐ İi ﬁ Ｆ ｶﾞ مـفـ ँ ё Straße"
    assert fold(fold(text)) == fold(text)


def test_accents_can_be_left_out() -> None:
    assert without_accents("clé à pêche") == "cle a peche"
