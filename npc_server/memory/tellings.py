"""What a line tells of the player who says it, by rules in `tellings.yaml`. Pure.

A sentence in the first person that neither asks nor requests tells something: it is remembered in
the player's own words, which need no translation and cannot be wrong about what was said. Where a
rule knows what a statement is about, that is its topic, and a newer statement on the topic replaces
it. A topic that no rule knows costs nothing but that.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import yaml

from languages.folding import fold
from languages.phrases import AS_LISTED, mentioned
from languages.reading import is_unbroken, words
from languages.recognition import hollow_words, recognise
from languages.tags import primary
from personas.sentences import sentences
from personas.word_lists import word_lists

NAME = "name"  # the topic of what the player is called
MAX_CHARACTERS = 200  # of a statement; a longer one is cut at a word
MAX_TELLINGS = 8  # of one line
_FEWEST_WORDS = 4  # of a sentence that no rule knows
_NAME_WORDS = 4
_BETWEEN_NAMES = frozenset(["of", "the", "von", "van", "de", "del", "der", "du", "da", "di", "la"])
_ASKS = re.compile(r"[?？؟]\W*$")
_QUESTION_BEHIND = re.compile(r",\s+(?=[^,]*[?？؟]\W*$)")  # "My name is Ada, and yours?"
_EDGES = " \t\n,;:-–—\"“”„«»'"
_REST = r"\s+(?P<name>[^,;:.!?…]+)"
_NAMED = r"(?P<name>[^\s,;:.!?，。！？、]{1,16}?)"


class Weight(IntEnum):
    """How much a statement matters when there is no room for all."""

    REMARK = 1
    """A sentence in the first person."""
    KNOWN = 2
    """A rule knows what it is about."""
    ASKED = 3
    """The player's name, and what the player asks to be remembered."""


@dataclass(frozen=True)
class Telling:
    """One thing that a line tells of its speaker."""

    text: str  # the player's own words
    topic: str = ""  # what it is about; of one topic the newest counts. "" = of no known topic
    value: str = ""  # the name, where the topic is NAME
    weight: Weight = Weight.REMARK


@dataclass(frozen=True)
class _Rules:
    """The rules of one language, compiled."""

    code: str
    own: tuple[str, ...]
    joins: re.Pattern[str] | None
    remember: tuple[str, ...]
    passing: re.Pattern[str]
    names: tuple[re.Pattern[str], ...]
    bare_name: re.Pattern[str] | None
    no_names: frozenset[str]
    topics: Mapping[str, re.Pattern[str]]
    cues: Mapping[str, tuple[str, ...]]


@lru_cache(maxsize=1 << 13)  # a conversation is asked again with every line what it told
def tellings(line: str, language: str = "") -> tuple[Telling, ...]:
    """What the line tells of its speaker, in its order; at most MAX_TELLINGS.

    `language` is the character's BCP 47 tag; without one it is told from the line, or English.
    """
    rules = _rules(recognise(line)) or _rules(primary(language) or "en")
    found = _tellings_of(line, rules, _telling) if rules else ()
    if any(one.weight > Weight.REMARK for one in found):
        return found
    return _names_in_any_language(line) or found


def cues(topic: str, language: str) -> tuple[str, ...]:
    """Words of a question that a statement on this topic answers."""
    rules = _rules(primary(language) or "en")
    return rules.cues.get(topic.partition(":")[0], ()) if rules else ()


def languages_with_rules() -> tuple[str, ...]:
    """The codes of all languages whose statements are found."""
    return tuple(sorted(_read_rules()))


def _names_in_any_language(line: str) -> tuple[Telling, ...]:
    """Two words do not tell their language, but "me llamo" is how one says a name in one alone."""
    rules = (_rules(code) for code in languages_with_rules())
    found = (_tellings_of(line, one, _naming) for one in rules if one)
    return next((named for named in found if named), ())


def _tellings_of(
    line: str, rules: _Rules, find: Callable[[str, _Rules], Telling | None]
) -> tuple[Telling, ...]:
    clauses = (part for sentence in sentences(line) for part in _clauses(sentence, rules))
    plain = (part.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").strip(_EDGES) for part in clauses)
    stated = (part for part in plain if not _asks(part, rules.code))
    found = (find(part, rules) for part in stated)
    return tuple(dict.fromkeys(one for one in found if one))[:MAX_TELLINGS]


def _naming(clause: str, rules: _Rules) -> Telling | None:
    """The name that a clause tells, if it does in words that are used for that alone."""
    for pattern in rules.names:
        if (found := pattern.search(clause)) and (name := _cleaned_name(found["name"], rules)):
            return Telling(_sentence(clause), NAME, name, Weight.ASKED)
    return None


def _telling(clause: str, rules: _Rules) -> Telling | None:
    """What one clause tells, if anything."""
    if named := _naming(clause, rules) or _bare_naming(clause, rules):
        return named
    asked = bool(mentioned(clause, rules.remember, AS_LISTED))
    if not asked and (rules.passing.match(clause) or not mentioned(clause, rules.own, AS_LISTED)):
        return None
    topic = _topic(clause, rules)
    if not (asked or topic or _is_long_enough(clause)):
        return None
    return Telling(_sentence(clause), topic, weight=_weight(asked, topic))


def _weight(asked: bool, topic: str) -> Weight:
    if asked:
        return Weight.ASKED
    return Weight.KNOWN if topic else Weight.REMARK


def _clauses(sentence: str, rules: _Rules) -> Iterator[str]:
    """The parts of a sentence that each begin in the first person; a question behind them apart."""
    start = 0
    for border in rules.joins.finditer(sentence) if rules.joins else ():
        yield sentence[start : border.start()]
        start = border.end()
    yield from _QUESTION_BEHIND.split(sentence[start:])


def _bare_naming(clause: str, rules: _Rules) -> Telling | None:
    if not (rules.bare_name and (found := rules.bare_name.match(clause))):
        return None
    said = found["name"].strip(_EDGES)
    name = _cleaned_name(said, rules) if _is_bare_name(said, rules) else ""
    return Telling(_sentence(clause), NAME, name, Weight.ASKED) if name else None


def _is_bare_name(said: str, rules: _Rules) -> bool:
    """Whether all that follows "I am" is a name: "I'm Ada", "I'm Ada of Harrowfield"."""
    first, *more = said.split()
    proper = all(word[:1].isupper() or word in _BETWEEN_NAMES for word in (first, *more))
    return first[:1].isupper() and proper and fold(first) not in rules.no_names


def _cleaned_name(said: str, rules: _Rules) -> str:
    """A name without what follows it; "" where it cannot be one."""
    parts = said.strip(_EDGES).split()[:_NAME_WORDS]
    if not parts or not parts[0][:1].isalpha() or fold(parts[0]) in hollow_words(rules.code):
        return ""
    kept = 1
    while kept < len(parts) and parts[kept][:1].isupper():
        kept += 1
    if kept + 1 < len(parts) and parts[kept] in _BETWEEN_NAMES and parts[kept + 1][:1].isupper():
        kept += 2
    return " ".join(parts[:kept]).strip(_EDGES)


def _topic(clause: str, rules: _Rules) -> str:
    for kind, pattern in rules.topics.items():
        if found := pattern.search(clause):
            things = [said for said in found.groupdict().values() if said]
            if not pattern.groupindex:
                return kind
            if thing := _thing(things[0] if things else "", rules.code):
                return f"{kind}:{thing}"
    return ""


def _thing(said: str, code: str) -> str:
    """What a statement is about: the first words of content in a row, folded."""
    hollow, kept = hollow_words(code), list[str]()
    for word in words(said):
        if is_unbroken(word) or word not in hollow:
            kept.append(word)
        elif kept:
            break
    return " ".join(kept)


def _is_long_enough(clause: str) -> bool:
    said = words(clause)
    return len(said) >= _FEWEST_WORDS or any(len(word) > _FEWEST_WORDS for word in said[:1])


def _asks(clause: str, code: str) -> bool:
    lists = word_lists(code)
    return bool(_ASKS.search(clause)) or bool(
        lists and lists.questions and clause.rstrip(".。!！ ").endswith(lists.questions)
    )


def _sentence(clause: str) -> str:
    """A clause as a sentence of its own, cut where it is long."""
    text = clause[:1].upper() + clause[1:]
    if len(text) <= MAX_CHARACTERS:
        return text
    return f"{text[:MAX_CHARACTERS].rpartition(' ')[0] or text[:MAX_CHARACTERS]}…"


@cache
def _rules(code: str) -> _Rules | None:
    listed = _read_rules().get(code)
    if listed is None:
        return None
    begins = listed.get("bare_name")
    return _Rules(
        code=code,
        own=tuple(listed["self"]),
        joins=_joins(listed["joins"], listed["self"]),
        remember=tuple(listed["remember"]),
        passing=_pattern(listed["passing"]),
        names=tuple(map(_name_pattern, listed["name"])),
        bare_name=_pattern(rf"{begins}{_REST}[.!…]*$") if begins else None,
        no_names=frozenset(listed.get("no_names", ())),
        topics={kind: _pattern(_with_border(rule)) for kind, rule in listed["topics"].items()},
        cues={topic: tuple(phrases) for topic, phrases in listed["cues"].items()},
    )


def _joins(joining: list[str], own: list[str]) -> re.Pattern[str] | None:
    if not joining:
        return None
    one_of, own_words = "|".join(joining), "|".join(map(re.escape, own))
    return _pattern(rf"(?:,?\s+(?:{one_of})|,)\s+(?=(?:{own_words})\b)")


def _name_pattern(rule: str) -> re.Pattern[str]:
    if "{name}" in rule:
        return _pattern(rule.replace("{name}", _NAMED))
    return _pattern(rf"{_with_border(rule)}{_REST}")


def _with_border(rule: str) -> str:
    return rf"(?<![^\W_])(?:{rule})" if rule.isascii() or "\\w" in rule else f"(?:{rule})"


def _pattern(rule: str) -> re.Pattern[str]:
    return re.compile(rule, re.IGNORECASE)


@cache
def _read_rules() -> Mapping[str, Mapping[str, Any]]:
    text = (resources.files("npc_server.memory") / "tellings.yaml").read_text("utf-8")
    listed: Mapping[str, Mapping[str, Any]] = yaml.safe_load(text)
    return listed
