"""Where sentences end, in many scripts, and what only looks like an end."""

import re

import pytest

from personas.sentences import WITHIN, ends_whole, sentence_ends, sentences

PARTED = {
    "plain": ["Aye.", "The forge is hot!", "Are you?"],
    "quoted": ['"Aye."', '"The forge is hot."'],
    "typographic": ["„Ja.“", "„Das Eisen ist heiß.“"],
    "french": ["« Oui ! »", "« La forge est chaude. »"],
    "said": ['"Stop!" she said.', "He did."],
    "said-in-russian": ["«Стой!» сказала она.", "Он стоял."],
    "title": ["I am Mr. Holt of St. Ann.", "Who are you?"],
    "initials": ["J. R. Holt made it at 5 p.m. or so.", "Look!"],
    "german": ["Das kostet z. B. zwei Taler.", "Am 3. Mai komme ich."],
    "number": ["It weighs 3.5.", "Take 3.5 pounds!", "I am 412.", "You?"],
    "ellipsis": ["Well... perhaps... no.", "Hm...", "The iron is cold."],
    "shouted": ["What?!", "Out!!!", "Now."],
    "smile": ["Aye! 😄", "The boat is wet 🌊.", "Hop in!"],
    "direction": ["*She nods. Slowly.* Aye.", "The forge is hot."],
    "brackets": ["Aye (I think. Or not.) it is.", "Go."],
    "lines": ["I sell this:\n- A sword", "- A shield", "- Nails."],
    "numbered": ["1. A sword", "2. A shield."],
    "verses": ["Roses are red,\nviolets are blue,\nsalt is stubborn.", "So am I."],
    "chinese": ["铁是热的。", "你要什么？", "快说！"],
    "japanese": ["「はい。」と言った。", "鉄は熱い！", "何ですか？"],
    "chinese-quoted": ["“好。”", "他走了。"],
    "hindi": ["लोहा गरम है।", "तुम कौन हो?", "बोलो।"],
    "arabic": ["الحديد ساخن.", "من أنت؟", "تكلم!"],
    "urdu": ["لوہا گرم ہے۔", "تم کون ہو؟"],
    "greek": ["Ποιος είσαι;", "Το σίδερο καίει."],
    "armenian": ["Երկաթը տաք է։", "Ո՞վ ես։"],
    "korean": ["쇠가 뜨거워요.", "누구세요?"],
    "amharic": ["ብረቱ ሞቃት ነው።", "አንተ ማን ነህ፧"],
    "semicolon": ["The lake came in; it had waited.", "It was Thursday."],
}


def spaced(name: str) -> str:
    """The sentences as one text, as the script has it."""
    between = {"lines": "\n", "numbered": "\n"}.get(name, " ")
    joined = between.join(PARTED[name])
    return joined.replace("。 ", "。").replace("？ ", "？").replace("！ ", "！").replace("” ", "”")


@pytest.mark.parametrize("name", PARTED)
def test_a_text_is_parted_into_its_sentences(name: str) -> None:
    assert sentences(spaced(name)) == PARTED[name]


@pytest.mark.parametrize("name", PARTED)
def test_an_end_that_another_sentence_follows_is_certain_while_the_text_still_comes(
    name: str,
) -> None:
    text = spaced(name)
    ends = set(sentence_ends(text))
    for length in range(len(text)):
        begun = re.finditer(WITHIN, text[:length])
        assert {match.end("end") for match in begun} - {-1} <= ends, text[:length]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", False),
        ("The forge is hot", False),
        ("The forge is hot. And the", False),
        ("The forge is hot.  ", True),
        ('"The forge is hot."', True),
        ("But I—", True),
        ("Hop in 😄", True),
        ("*She nods.*", True),
        ("Aye. *nods*", True),
        ("It is *very*", False),
        ("*She nods. Then", False),
        ("鉄は熱い！", True),
        ("鉄は熱", False),
        ("Salt.\n", True),
    ],
)
def test_a_text_ends_whole_or_not(text: str, whole: bool) -> None:
    assert ends_whole(text) is whole
