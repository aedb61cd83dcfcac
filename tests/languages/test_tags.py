"""Tags of languages, and what is wrong with one that is none."""

import pytest

from languages.tags import UnknownLanguageError, language_of


@pytest.mark.parametrize(
    ("tag", "code"), [("ja", "ja"), ("pt-BR", "pt"), ("zh-Hant-TW", "zh"), ("cmn-Hans", "zh")]
)
def test_a_tag_names_its_language(tag: str, code: str) -> None:
    assert language_of(tag).code == code


def test_a_tag_may_name_the_script() -> None:
    assert language_of("sr-Latn").scripts == ("LATIN",)


@pytest.mark.parametrize(
    ("tag", "hint"),
    [("jp", "'ja'"), ("German", "'de'"), ("de_DE", "'de-DE'"), ("klingon", "BCP 47"), ("", "BCP")],
)
def test_what_is_no_tag_is_refused_with_a_hint(tag: str, hint: str) -> None:
    with pytest.raises(UnknownLanguageError, match="is no language that is known") as caught:
        language_of(tag)
    assert hint in str(caught.value)
