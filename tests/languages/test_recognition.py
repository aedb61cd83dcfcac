"""A text tells its script, and its language where it is plain."""

import pytest

from languages.recognition import hollow_words, recognise


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "The forge is on the north quay, and you will find me there."),
        ("de", "Ich bin eine KI und habe keinen Namen."),
        ("fr", "La forge est sur le quai du nord, et je suis là."),
        ("es", "La forja está en el muelle del norte, y no me muevo."),
        ("pt", "A forja fica no cais do norte, e eu não saio daqui."),
        ("tr", "Ben bir dil modeliyim ve bunu yapamam."),
        ("fi", "Minä olen täällä, mutta se ei ole minun."),
        ("ru", "Кузница на северном причале."),
        ("ar", "الحدادة على الرصيف الشمالي"),
        ("hi", "भट्ठी उत्तरी घाट पर है"),
        ("zh", "铁匠铺在北码头。"),
        ("ja", "鍛冶場は北の埠頭にあります。"),
        ("ko", "대장간은 북쪽 부두에 있어요."),
        ("th", "โรงตีเหล็กอยู่ที่ท่าเรือเหนือ"),
        ("", "Bertha!"),
        ("", "12 ... 5"),
    ],
)
def test_a_plain_text_tells_its_language(code: str, text: str) -> None:
    assert recognise(text) == code


def test_hollow_words_are_those_of_the_language() -> None:
    assert "und" in hollow_words("de")
    assert hollow_words("xh") == frozenset()
