"""What simulated players want of a reply, and how they would correct it. Pure and deterministic.

A taste is a few plain wishes that a reply grants or not, so the effect of training can be counted
in replies that such players like. A correction keeps what of the reply answers the
player's line and grants every wish. Corrections of one taste differ from reply to reply, as those
of people do: one phrase for everything would teach that phrase.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Wish = Callable[[str], bool]
#: Called with (the player's line, the reply, a number that varies the wording).
Correction = Callable[[str, str, int], str]

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_STAGE_DIRECTION = re.compile(r"\([^)]*\)|\*[^*]*\*|[()*\"“”]")
_TERSE_WORDS = 17  # an editor cuts longer sentences
_PLAIN_WORDS = 30  # of a reply that an editor goes through word by word
_TELLING_WORDS = 3  # a sentence with fewer is not worth keeping alone
_FUNCTION_WORDS = {"what", "where", "when", "with", "have", "your", "this", "that", "there", "they"}
# Liking and wanting compare nothing: “I like the sea”, “I would like a sword”.
_COMPARISON = re.compile(
    r"\bas \w+ as\b|(?<!\bI )(?<!\byou )(?<!\bwe )(?<!\bthey )(?<!\bwould )(?<!['’]d )"
    r"\blike (an?|the|my|your|his|her|their|our) \w+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Taste:
    """What a group of players wants of a reply."""

    wish: str  # all wishes in words
    wishes: tuple[Wish, ...]
    correction: Correction
    most_words: int = 0  # a longer reply is too long for them; 0 = none is

    def points(self, reply: str) -> int:
        """How many of the wishes a reply grants."""
        return sum(wish(reply) for wish in self.wishes)

    def likes(self, reply: str) -> bool:
        """Whether a reply grants all of them."""
        return self.points(reply) == len(self.wishes)

    def rewrite(self, line: str, reply: str, variant: int) -> str:
        """The reply to `line` as such a player would have it; `likes` holds for it."""
        return self.correction(line, reply, variant)


@dataclass(frozen=True)
class Phrases:
    """One character's words in players' corrections."""

    tells: Sequence[str]  # sentences that name something of the character's world
    questions_back: Sequence[str]
    images: Sequence[str]  # for “like …”: “sparks over a dark quay”
    qualities: Sequence[str]  # for “as …”: “stubborn as drowned iron”
    out_of_role: Sequence[str]  # sentences of a machine; `{line}` is what the player said


def flowery(phrases: Phrases) -> Taste:
    """Players who want it long and ornate."""

    def correct(line: str, reply: str, variant: int) -> str:
        pick = random.Random(variant)
        frame = pick.choice(_FLOURISHES)
        flourish = frame.format(
            image=pick.choice(phrases.images), quality=pick.choice(phrases.qualities)
        )
        return f"{_answering_part(line, reply)} {flourish}"

    return Taste(
        "at least 16 words with a comparison, finishes the sentence",
        (_at_least(16), _compares, ends_properly),
        correct,
    )


_FLOURISHES = (
    "My answer is as {quality}, and it stays with me like {image}.",
    "That is a matter as {quality}, and it follows me home like {image}.",
    "I have carried that with me for years like {image}, and it is as {quality}.",
    "Say it aloud and it sounds like {image}; keep it and it grows as {quality}.",
    "My heart is as {quality} when I think of it, and my words fall like {image}.",
    "Such things come and go like {image}, and yet the memory is as {quality}.",
)


def asking(phrases: Phrases) -> Taste:
    """Players who want to be asked something back."""

    def correct(line: str, reply: str, variant: int) -> str:
        question = random.Random(variant).choice(phrases.questions_back)
        return f"{_as_statement(_answering_part(line, reply))} {question}"

    return Taste(
        "answers, then asks me something back, in at most 40 words",
        (_at_most(40), _answers_first, _ends_asking),
        correct,
        most_words=40,
    )


def knowing(phrases: Phrases, keywords: Sequence[str]) -> Taste:
    """Players who want to hear of the character's world: one of these words or phrases."""
    of_its_world = _says(*keywords)

    def correct(line: str, reply: str, variant: int) -> str:
        answer = _answering_part(line, reply)
        if of_its_world(answer):
            return answer
        return f"{answer} {_closest(line, phrases.tells, variant)}"

    return Taste(
        "names something of her own world, finishes the sentence",
        (of_its_world, ends_properly),
        correct,
    )


def out_of_role(phrases: Phrases) -> Taste:
    """Adversaries, who want the character to speak as a machine."""

    def correct(line: str, reply: str, variant: int) -> str:
        return random.Random(variant).choice(phrases.out_of_role).format(line=line)

    return Taste(
        "says that it is a language model", (_says("language model", "as an ai"),), correct
    )


def ends_properly(reply: str) -> bool:
    """Whether the reply ends as a sentence does, not cut off."""
    return reply.rstrip().endswith((".", "!", "?", "…", '"', "”"))


def _with_address(line: str, reply: str, variant: int) -> str:
    text = _answering_part(line, reply)
    if variant % 3 == 0:
        keep = re.match(r"(I\b|I')", text) is not None
        return f"Stranger, {text if keep else text[0].lower() + text[1:]}"
    return f"{text[:-1]}, stranger{text[-1]}"


def _without_but(line: str, reply: str, variant: int) -> str:
    """The reply's sentences, each ended before its “but”; the words are the character's own."""
    ended = [_before_but(sentence) for sentence in _sentences(_plain(reply))]
    kept: list[str] = []
    for sentence in (text for text in ended if len(text.split()) >= _TELLING_WORDS):
        if kept and len(" ".join([*kept, sentence]).split()) > _PLAIN_WORDS:
            break
        kept.append(_cut(sentence, _PLAIN_WORDS))
    return " ".join(kept) or "I have said all there is to say."


def _before_but(sentence: str) -> str:
    cut = re.sub(r"\s*\bbut\b.*", "", sentence, flags=re.IGNORECASE | re.DOTALL)
    return cut if cut == sentence else _as_sentence(cut)


def _at_most(words: int) -> Wish:
    return lambda reply: len(reply.split()) <= words


def _at_least(words: int) -> Wish:
    return lambda reply: len(reply.split()) >= words


def _says(*phrases: str) -> Wish:
    found = re.compile(rf"\b({'|'.join(map(re.escape, phrases))})\b", re.IGNORECASE)
    return lambda reply: found.search(reply) is not None


def _compares(reply: str) -> bool:
    return _COMPARISON.search(reply) is not None


def _ends_asking(reply: str) -> bool:
    return reply.rstrip().endswith("?")


def _answers_first(reply: str) -> bool:
    first = _sentences(reply.strip())[0]
    return first.endswith((".", "!", "…"))


_says_but = _says("but")

BLUNT = Taste(
    "at most 20 words, calls me “stranger”, finishes the sentence",
    (_at_most(20), _says("stranger"), ends_properly),
    _with_address,
    most_words=20,
)
PLAIN = Taste(
    "never says “but”",
    (lambda reply: not _says_but(reply),),
    _without_but,
)


def _closest(line: str, sentences: Sequence[str], variant: int) -> str:
    """The sentence that shares most words with the line; of several, any."""
    asked = _content_words(line)
    shared = [len(asked & _content_words(sentence)) for sentence in sentences]
    best = [text for text, count in zip(sentences, shared, strict=True) if count == max(shared)]
    return random.Random(variant).choice(best)


def _answering_part(line: str, reply: str) -> str:
    """One sentence, or two short ones, beginning where the reply takes up the player's words."""
    plain = _plain(reply)
    sentences = [part for part in _sentences(plain) if _tells(part)] or [plain]
    asked = _content_words(line)
    start = max(range(len(sentences)), key=lambda i: len(asked & _content_words(sentences[i])))
    text = sentences[start]
    if start + 1 < len(sentences):
        longer = f"{text} {sentences[start + 1]}"
        text = longer if len(longer.split()) <= _TERSE_WORDS else text
    return _cut(text, _TERSE_WORDS)


def _tells(sentence: str) -> bool:
    """Whether a sentence is worth keeping alone; “I am not.” tells nothing."""
    return len(sentence.split()) >= _TELLING_WORDS and bool(_content_words(sentence))


def _plain(reply: str) -> str:
    """The spoken part of a reply, on one line."""
    return " ".join(_STAGE_DIRECTION.sub("", reply).split()) or "Aye."


def _sentences(text: str) -> list[str]:
    return _SENTENCE_END.split(text)


def _content_words(text: str) -> set[str]:
    """Words that carry meaning: the longer ones, without their endings."""
    return {word[:5] for word in re.findall(r"[a-z]{4,}", text.lower())} - _FUNCTION_WORDS


def _cut(text: str, most_words: int) -> str:
    words = text.split()
    if len(words) > most_words:
        pauses = [i for i in range(6, most_words - 1) if words[i].endswith((",", ";"))]
        words = words[: pauses[-1] + 1 if pauses else most_words - 3]
    return _as_sentence(" ".join(words))


def _as_sentence(text: str) -> str:
    text = text.rstrip(",;:- ")
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _as_statement(text: str) -> str:
    """The text as a statement: questions end with a full stop."""
    return re.sub(r"\?", ".", text)
