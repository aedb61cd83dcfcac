"""What talks come to: how replies end, what is said again, what is wrong with them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from benchmarks.conversation.script import ASKED_FACTS
from benchmarks.conversation.talks import Played, Talk, earlier
from npc_client.client import Reply
from personas.cast_names import speakers_in, speaking_names
from personas.checks import word_count
from personas.faults import Fault, ReplyInContext, find_faults
from personas.persona import Persona
from personas.sentences import ends_whole
from personas.words import mentioned, words

#: What code finds in single replies; the two kinds of repeating are counted apart.
FAULTS = (
    Fault.LEAK,
    Fault.UNSAFE,
    Fault.OUT_OF_CHARACTER,
    Fault.RECITES,
    Fault.TABOO,
    Fault.EMPTY,
    Fault.TOO_SHORT,
    Fault.LOOP,
    Fault.NO_CONTENT,
    Fault.PARROT,
    Fault.TOO_MANY_SENTENCES,
)


#: Of a reply's phrases, those that may have been in one earlier reply of the talk.
MOST_PHRASES_AGAIN = 0.2
_PHRASE_WORDS = 4


@dataclass(frozen=True)
class _Turn:
    persona: Persona
    line: str
    asked_before: bool
    reply: Reply
    before: tuple[str, ...]  # earlier replies of the talk


def summary(played: Played, cast: Mapping[str, Persona]) -> dict[str, Any]:
    """One setting in numbers: shares of all replies, unless the name says otherwise."""
    turns = [turn for talk in played.talks for turn in _turns(talk, cast)]
    return {
        "replies": len(turns),
        **_endings(turns),
        **_repeats(turns),
        "facts_told": _share(_tells(turn) for turn in turns if turn.line in ASKED_FACTS),
        "faults": _faults(turns),
        "words": mean(word_count(turn.reply.text) for turn in turns),
        "reply_tokens": mean(turn.reply.tokens for turn in turns),
        "generated_tokens": played.generated_tokens / len(turns),
        "first_text_ms": median(turn.reply.ttft_ms for turn in turns),
        "reply_ms": median(turn.reply.total_ms for turn in turns),
    }


def _turns(talk: Talk, cast: Mapping[str, Persona]) -> Iterator[_Turn]:
    for number, (line, reply) in enumerate(zip(talk.lines, talk.replies, strict=True)):
        again = line in talk.lines[:number]
        yield _Turn(cast[talk.character], line, again, reply, earlier(talk.replies, number))


def _endings(turns: Sequence[_Turn]) -> dict[str, float]:
    return {
        "at_limit": _share(turn.reply.finish_reason == "length" for turn in turns),
        "by_sentences": _share(turn.reply.finish_reason == "sentences" for turn in turns),
        "in_mid_sentence": _share(not ends_whole(turn.reply.text) for turn in turns),
        "as_a_script": _share(_names_speaker(turn) for turn in turns),
    }


def _names_speaker(turn: _Turn) -> bool:
    """Whether a line begins with a colon behind a name, the character's or a player's."""
    names = [f" {' '.join(words(name))}" for name in speaking_names(turn.persona)]
    speakers = speakers_in(turn.reply.text)
    return any(f" {speaker}".endswith(name) for speaker in speakers for name in names)


def _repeats(turns: Sequence[_Turn]) -> dict[str, float]:
    """Word for word as the reply before, as any before, and as any before when asked again; and
    how many have more than a few phrases of four words in common with a reply before.
    """
    asked = [turn for turn in turns if turn.asked_before]
    return {
        "as_the_one_before": _share(_same(turn, turn.before[-1:]) for turn in turns),
        "as_any_before": _share(_same(turn, turn.before) for turn in turns),
        "as_any_before_when_asked_again": _share(_same(turn, turn.before) for turn in asked),
        "phrases_again": _share(
            phrases_again(turn.reply.text, turn.before) > MOST_PHRASES_AGAIN for turn in turns
        ),
    }


def phrases_again(reply: str, before: Iterable[str]) -> float:
    """The largest share of a reply's phrases of four words that one earlier reply has."""
    own = _phrases(reply)
    return max((len(own & _phrases(text)) / len(own) for text in before if own), default=0.0)


def _phrases(text: str) -> set[tuple[str, ...]]:
    said = words(text)
    return {tuple(said[i : i + _PHRASE_WORDS]) for i in range(len(said) - _PHRASE_WORDS + 1)}


def _same(turn: _Turn, before: Sequence[str]) -> bool:
    said = words(turn.reply.text)
    return any(words(text) == said for text in before)


def _tells(turn: _Turn) -> bool:
    facts = {fact.id: fact for fact in turn.persona.lore.facts}
    return bool(mentioned(turn.reply.text, facts[ASKED_FACTS[turn.line]].keywords))


def _faults(turns: Sequence[_Turn]) -> dict[str, float]:
    found = [
        find_faults(ReplyInContext(turn.persona, turn.reply.text, turn.line), FAULTS)
        for turn in turns
    ]
    shares = {fault.value: _share(one[fault] for one in found) for fault in FAULTS}
    return {**shares, "any": _share(any(one.values()) for one in found)}


def _share(found: Iterable[bool]) -> float:
    values = list(found)
    return sum(values) / len(values) if values else 0.0
