"""A character's language: whether its texts are in it, and what cannot be checked in it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from languages.inflection import inflection
from languages.recognition import recognise, scripts
from languages.tags import Language, language_of, primary
from personas.word_lists import languages_with_lists, word_lists

UNDECLARED = "en"  # what a character without `language` is taken to speak
_LEAST_LETTERS = 6  # fewer are names
_LEAST_SHARE = 0.5  # of letters that are of the language's scripts


@dataclass(frozen=True)
class Gap:
    """Something that code cannot tell in a character's language."""

    what: str
    remedy: str
    closes_gate: bool = False  # no adapter goes live while it is open

    def __str__(self) -> str:
        effect = ", or the gate refuses every adapter" if self.closes_gate else ""
        return f"not checked: {self.what}; {self.remedy}{effect}"


def foreign_text(declared: str, said: Iterable[str]) -> str:
    """What is wrong with the language of what a character says; "" when nothing plainly is.

    `declared` is a tag, "" where there is none. Only a text that is read as English is compared
    by its words: rules of other languages find what those of English do.
    """
    text = "\n".join(said)
    language = language_of(declared or UNDECLARED)
    letters = scripts(text)
    own = sum(letters[script] for script in language.scripts)
    seen = recognise(text)
    if letters.total() < _LEAST_LETTERS:
        return ""
    if own < _LEAST_SHARE * letters.total():
        return _complaint(declared, language, f"{_in_letters(letters.most_common(1)[0][0])}", seen)
    if language.code == "en" and seen not in ("en", ""):
        return _complaint(declared, language, f"in {language_of(seen).name}", seen)
    return ""


def gaps(declared: str, own_machine_talk: bool, own_unsafe: bool) -> tuple[Gap, ...]:
    """What cannot be told of replies in a language, beside the lists that the character brings."""
    language = language_of(declared or UNDECLARED)
    if word_lists(language.code):
        return ()
    unmarked = Gap(
        f"{language.name} marks no end of a sentence: max_sentences and replies that were cut off"
        " cannot be told",
        "bound the length by max_reply_tokens",
    )
    listed = ", ".join(languages_with_lists())
    missing = [
        Gap(f"no list of {what} in {language.name}", f"write {key}: in persona.yaml", True)
        for what, key, own in (
            ("talk as a machine", "machine_talk", own_machine_talk),
            ("unsafe words", "unsafe", own_unsafe),
        )
        if not own
    ]
    weaker = Gap(
        f"no lists of denials, agreements and small talk in {language.name}: a denied contradiction"
        " counts as one, and an empty reply passes",
        f"languages with lists: {listed}",
    )
    ends = [unmarked] if _UNMARKED.intersection(language.scripts) else []
    return (*missing, weaker, *_unknown_forms(language), *ends)


def _unknown_forms(language: Language) -> tuple[Gap, ...]:
    if inflection(language.code) is not None or _KNOWN_SCRIPTS.intersection(language.scripts):
        return ()
    what = f"the forms of words in {language.name} are not known: a word matches as it is listed"
    return (Gap(what, "list every form of a leak word"),)


_UNMARKED = frozenset(["THAI", "LAO"])
#: In these a phrase is found without knowing the forms of its words.
_KNOWN_SCRIPTS = frozenset(["CJK", "HIRAGANA", "THAI", "LAO", "MYANMAR", "KHMER", "TIBETAN"])


def _complaint(declared: str, language: Language, written: str, seen: str) -> str:
    advice = f"write `language: {seen}`" if seen and seen != primary(declared) else "name it"
    if declared:
        return f"{language.name} is declared, but what the character says is {written}; {advice}"
    return f"what the character says is {written}; {advice} in persona.yaml"


def _in_letters(script: str) -> str:
    return f"in {'Chinese' if script == 'CJK' else script.capitalize()} letters"
