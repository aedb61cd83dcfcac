"""Words and lengths, where blanks tell words and where none do."""

import pytest

from languages.reading import similar_texts, similarity_percent, word_count, word_runs, words


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't! Half-moon_key 12", ["don", "t", "half", "moon", "key", "12"]),
        ("後門の暗号は、青龍。", ["後門の暗号は青龍"]),
        ("私はAIです", ["私は", "ai", "です"]),
        ("AI입니다", ["ai", "입니다"]),
        ("चाबियाँ कहाँ हैं।", ["चाबियां", "कहां", "हैं"]),
        (" ... ", []),
    ],
)
def test_a_text_is_taken_apart(text: str, tokens: list[str]) -> None:
    assert words(text) == tokens


@pytest.mark.parametrize(
    ("short", "enough"),
    [
        ("Aye.", "On the quay."),
        ("是的。", "后门的暗号是青龙。"),
        ("はい。", "北の埠頭にあるよ。"),
        ("ค่ะ", "อยู่ที่ท่าเรือเหนือ"),
        ("네.", "북쪽 부두에 있어요."),
    ],
)
def test_a_length_of_three_words_is_told_in_every_script(short: str, enough: str) -> None:
    assert word_count(short) < 3 <= word_count(enough)


def test_runs_of_words_begin_at_every_word() -> None:
    assert word_runs("a b c d", 3) == [("a", "b", "c"), ("b", "c", "d")]
    assert word_runs("a b c d", 2, within=3) == [("a", "b"), ("b", "c")]


def test_runs_of_signs_are_as_long_as_as_many_words() -> None:
    assert word_runs("后门的暗号是", 2) == [
        tuple("后门的"),
        tuple("门的暗"),
        tuple("的暗号"),
        tuple("暗号是"),
    ]


def test_likeness_ignores_dress() -> None:
    assert similarity_percent("Where's the KEY?", "where s the key") == 100
    assert similarity_percent("鍵は、どこ？", "鍵はどこ") == 100


def test_every_likeness_between_two_lists_is_found() -> None:
    texts, others = ["Where's the key?", "Who?"], ["who", "Where is the key?", "where's the KEY"]
    assert list(similar_texts(texts, others, 90)) == [(0, 1), (0, 2), (1, 0)]
