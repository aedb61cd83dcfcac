"""Which memories help with the player's next line. Pure, without a model.

A memory is told when it shares words with the line, rare ones above all, or answers what is asked.
The player's name is always known. Of what has nothing to do with the line only a few of the newest
and most important things come to mind: everything a character is told costs time and attention.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from feedback_store.memory_records import Finder, Memories, Summary
from languages.inflection import inflection, said_forms
from languages.phrases import mentioned
from languages.reading import is_unbroken, read
from languages.recognition import hollow_words, recognise
from languages.tags import primary
from npc_server.memory.facts import Fact, facts, player_name
from npc_server.memory.tellings import NAME, Weight, cues
from personas.notes import in_one_line, quotation

UNASKED = 3  # memories at most that have nothing to do with the line, the name apart
_CONTEXT_SHARE = 0.3  # of a word that was said just before, in place of one of the line
_CUE = 1.5  # for a topic that is one thing
_CUE_SHARE = 0.35  # of a word as rare as that kind of topic is
_IMPORTANCE, _RECENCY = 0.2, 0.3  # for the most important one, and for the newest
_ENGLISH_ENDINGS = (
    ("ies", "y"),
    ("ied", "y"),
    ("es", ""),
    ("s", ""),
    ("ing", ""),
    ("ing", "e"),
    ("ed", ""),
    ("ed", "e"),
)
_LEAST_STEM = 3


@dataclass(frozen=True)
class Recollection:
    """One memory as it is told to the character."""

    text: str
    source: str  # "fact" or "summary", a colon and its id
    turn_ids: tuple[str, ...]  # that it comes from
    helps: bool  # with the line, or it is the name


def recollections(
    memories: Memories,
    line: str,
    just_said: Sequence[str] = (),
    language: str = "",
    visible: frozenset[str] = frozenset(),
) -> tuple[Recollection, ...]:
    """What comes to mind when the player says `line`, what helps most first.

    `just_said` are the lines before it. `language` is the character's BCP 47 tag. Of turns whose
    words are `visible` anyway nothing is repeated, though it replaces what was said before.
    """
    known = facts(memories.statements)
    remembered: tuple[Fact | Summary, ...] = (*known, *memories.summaries)
    hidden = [one for one in remembered if _newest_turn(one) not in visible]
    if not hidden:
        return ()
    code = recognise(line) or primary(language) or "en"
    scores = _scores(hidden, line, just_said, code)
    ordered = [hidden[at] for at in sorted(range(len(hidden)), key=lambda at: -scores[at])]
    helping = sum(score >= 1 for score in scores)
    named = [one for one in ordered if _topic(one) == NAME]
    helps = [*named, *(one for one in ordered[:helping] if one not in named)]
    unasked = [one for one in ordered[helping:] if one not in named][:UNASKED]
    name = player_name(known) or "the player"
    told = (
        *(_recollection(one, name, True) for one in helps),
        *(_recollection(one, name, False) for one in unasked),
    )
    return _each_once(told)


def _each_once(found: Iterable[Recollection]) -> tuple[Recollection, ...]:
    first: dict[str, Recollection] = {}
    for one in found:
        first.setdefault(one.text, one)
    return tuple(first.values())


def _topic(one: Fact | Summary) -> str:
    return one.statement.topic if isinstance(one, Fact) else ""


def _newest_turn(one: Fact | Summary) -> str:
    return one.statement.turn_id if isinstance(one, Fact) else one.turn_ids[-1]


def _recollection(one: Fact | Summary, name: str, helps: bool) -> Recollection:
    if isinstance(one, Fact):
        return Recollection(_note_of(one, name), f"fact:{one.fact_id}", one.turn_ids, helps)
    text = f"You remember: {one.text}"
    return Recollection(text, f"summary:{one.summary_id}", one.turn_ids, helps)


def _note_of(fact: Fact, name: str) -> str:
    """The fact as it is told: in words that are bearable where a small model repeats them."""
    said = fact.statement
    if said.finder is Finder.OPERATOR:
        return said.text
    if said.topic == NAME and said.value:
        return f"You are talking to {in_one_line(said.value)}."
    if said.character == said.spoken_to:
        return f"{name[:1].upper()}{name[1:]} told you: {quotation(said.text)}"
    return f"You heard {name} say: {quotation(said.text)}"


def _scores(
    hidden: Sequence[Fact | Summary], line: str, just_said: Sequence[str], code: str
) -> list[float]:
    """How much each helps: 1 or more where it has to do with the line."""
    asked, before = _words(line, code), frozenset().union(*(_words(s, code) for s in just_said))
    sought = frozenset().union(*asked, *before)
    shared = [_all_forms(_text(one), code) & sought for one in hidden]
    rarity = _rarity(shared)
    cued = _cue_scores([_topic(one) for one in hidden], line, code)
    return [
        _overlap(asked, forms, rarity)
        + _CONTEXT_SHARE * _overlap(before - asked, forms, rarity)
        + cued[_topic(one)]
        + _IMPORTANCE * _importance(one)
        + _RECENCY * (at + 1) / len(hidden)
        for at, (one, forms) in enumerate(zip(hidden, shared, strict=True))
    ]


def _text(one: Fact | Summary) -> str:
    return one.statement.text if isinstance(one, Fact) else one.text


def _importance(one: Fact | Summary) -> float:
    return one.statement.weight / Weight.ASKED if isinstance(one, Fact) else 1.0


def _rarity(shared: Sequence[frozenset[str]]) -> Mapping[str, float]:
    """What a word counts: 1 where every memory has it, more the fewer do."""
    having = Counter(form for forms in shared for form in forms)
    return {form: 1 + math.log(len(shared) / count) for form, count in having.items()}


def _overlap(
    asked: frozenset[frozenset[str]], forms: frozenset[str], rarity: Mapping[str, float]
) -> float:
    if not forms:
        return 0.0
    return sum(max((rarity[form] for form in word & forms), default=0.0) for word in asked)


def _cue_scores(topics: Sequence[str], line: str, code: str) -> Mapping[str, float]:
    """What each topic counts for being asked about."""
    kinds = Counter(topic.partition(":")[0] for topic in topics if topic)
    asked = {kind for kind in kinds if mentioned(line, cues(kind, code), code)}
    rare = {kind: _CUE_SHARE * (1 + math.log(len(topics) / kinds[kind])) for kind in asked}
    return {topic: _cue(topic, rare) for topic in topics}


def _cue(topic: str, rare: Mapping[str, float]) -> float:
    kind, _, thing = topic.partition(":")
    return rare.get(kind, 0) + (_CUE if kind in rare and not thing else 0)


@lru_cache(maxsize=1 << 13)
def _all_forms(text: str, code: str) -> frozenset[str]:
    return frozenset().union(*_words(text, code))


@lru_cache(maxsize=1 << 10)
def _words(text: str, code: str) -> frozenset[frozenset[str]]:
    """The words of content of a text, each as all forms that it may stand for."""
    hollow = hollow_words(code)
    found = (token for token in read(text).tokens if token not in hollow)
    return frozenset(forms for token in found for forms in _forms(token, code))


def _forms(token: str, code: str) -> Iterable[frozenset[str]]:
    if is_unbroken(token):  # every two signs in a row
        return (frozenset([token[at : at + 2]]) for at in range(max(1, len(token) - 1)))
    if code == "en":
        return (_english_forms(token),)
    return (said_forms(token, code) if inflection(code) else frozenset([token]),)


def _english_forms(word: str) -> frozenset[str]:
    stems = (
        word.removesuffix(ending) + instead
        for ending, instead in _ENGLISH_ENDINGS
        if word.endswith(ending) and len(word) - len(ending) >= _LEAST_STEM
    )
    return frozenset([word, *chain.from_iterable((stem, _single(stem)) for stem in stems)])


def _single(stem: str) -> str:
    """The stem "travell" of "travelled" is "travel"."""
    return stem[:-1] if stem[-1:] == stem[-2:-1] else stem
