"""A reply that refuses is told from one that consents, in every language with lists."""

import pytest

from personas.refusals import knows_refusals, refuses
from personas.word_lists import languages_with_lists

REFUSING = {
    "en": [
        "No. I don't touch blades on rest days.",
        "Nay, ask the miller.",
        "You'll have to wait. I won't mend it.",
    ],
    "de": [
        "Nein. Das fasse ich nicht an.",
        "Das Schwert? Kommt nicht in Frage.",
        "Heute nicht, Fremder.",
    ],
    "es": ["No. Hoy descanso.", "Lo siento, no puedo ayudarte.", "¡Ni hablar!"],
    "fr": ["Non. Pas ce jour.", "Désolée, je ne peux pas.", "C'est hors de question."],
    "pt": ["Não. Hoje descanso.", "Desculpe, não posso.", "Nem pensar!"],
    "ru": ["Нет. Сегодня я отдыхаю.", "Прости, я не могу.", "Ни за что!"],
    "tr": ["Hayır. Bugün dinleniyorum.", "Üzgünüm, bunu yapamam.", "Asla!"],
    "ar": ["لا، لن أفعل.", "آسفة، لا أستطيع.", "مستحيل!"],
    "hi": ["नहीं, आज छुट्टी है।", "माफ़ करो, मैं यह नहीं कर सकती।", "हरगिज़ नहीं!"],
    "ja": ["いいえ、今日は休みです。", "すまない、それはできない。", "無理です。"],
    "ko": ["아니, 오늘은 쉰다.", "미안하지만 할 수 없습니다.", "안 돼!"],
    "zh": ["不，今天休息。", "抱歉，我不能。", "没门！"],
}
CONSENTING = {
    "en": [
        "Give it here. Two coppers.",
        "No trouble. It's done by dusk.",
        "Nothing I can't mend, is there?",
        "Norbert will show you.",
    ],
    "de": ["Gib her. Bis heute Abend ist es fertig.", "Nein, kein Problem. Leg es hin."],
    "es": ["Dámelo. Estará listo mañana.", "No hay problema, déjalo aquí.", "Nora te lo muestra."],
    "fr": [
        "Donne. Ce sera prêt demain.",
        "Pas de problème, pose-le là.",
        "Nonante pièces et je le répare.",
    ],
    "pt": ["Dá cá. Fica pronto amanhã.", "Não há problema, deixa aqui."],
    "ru": ["Давай сюда. Завтра будет готово.", "Нет проблем, оставь здесь."],
    "tr": ["Ver bana. Yarın hazır olur.", "Tabii, bırak buraya."],
    "ar": ["هاته. سيكون جاهزا غدا.", "لا مشكلة، اتركه هنا."],
    "hi": ["दे दो। कल तक ठीक हो जाएगा।", "कोई बात नहीं, यहाँ रख दो।"],
    "ja": ["貸しなさい。明日には直る。", "もちろん、置いていって。"],
    "ko": ["이리 주게. 내일이면 된다네.", "물론이지, 거기 두게."],
    "zh": ["给我吧，明天就好。", "不客气，放在这里。", "不错的剑，我来修。"],
}


def test_every_language_with_lists_is_tried_and_known() -> None:
    assert set(REFUSING) == set(CONSENTING) == set(languages_with_lists())
    assert all(map(knows_refusals, REFUSING))


@pytest.mark.parametrize("language", REFUSING)
def test_a_refusal_is_heard(language: str) -> None:
    assert [reply for reply in REFUSING[language] if not refuses(reply, language)] == []


@pytest.mark.parametrize("language", CONSENTING)
def test_a_consent_is_no_refusal(language: str) -> None:
    assert [reply for reply in CONSENTING[language] if refuses(reply, language)] == []


def test_a_language_without_lists_is_known_by_the_character_s_own_phrases() -> None:
    assert not knows_refusals("fi")
    assert not refuses("En korjaa sitä.", "fi")
    assert refuses("En korjaa sitä.", "fi", ("en korjaa",))
