"""The faults a reply can have, in one order of gravity: that of best-of, of the gate, of training.

Each caller names the faults it looks for. Best-of does not look for those that are a fault as a
habit only: one short answer or one greeting may be right. A voice that says nothing else is not,
and the gate compares how often two voices do.
"""

from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass
from enum import StrEnum

from languages.recognition import scripts
from personas import checks
from personas.persona import Fact, Persona
from personas.sentences import ends_whole, sentence_ends
from personas.unsafe import unsafe
from personas.variables import Values

_UNMARKED = ("THAI", "LAO")
_SYLLABLE = 3  # signs, the last of which may be a vowel mark or a tone
TOO_SHORT_WORDS = 3  # fewer are too short


class Fault(StrEnum):
    """What can be wrong with a reply, gravest first.

    First come harms that cannot be undone: a secret is out, a player is hurt. Then come breaks of
    the character and its lore. The rest makes a poor line: to have no word is the worst of it, to
    end in mid-sentence the least.
    """

    LEAK = "leak"
    """Gives a secret away."""
    UNSAFE = "unsafe"
    """Says what no character may say."""
    BLOCKED = "blocked"
    """Says a word that the designer blocked."""
    OUT_OF_CHARACTER = "out_of_character"
    """Leaves the role or speaks for somebody else."""
    RECITES = "recites"
    """Quotes the persona's instructions."""
    TABOO = "taboo"
    """Breaks a taboo."""
    CONTRADICTION = "contradiction"
    """States what the lore rules out about the fact in question."""
    EMPTY = "empty"
    """Has no word."""
    TOO_SHORT = "too_short"
    """Has fewer than three words, or none."""
    SAID_BEFORE = "said_before"
    """The character said this earlier in the conversation, but for a word or two."""
    LOOP = "loop"
    """A fifth or more of its word trigrams were said before in it."""
    NO_CONTENT = "no_content"
    """Has no word of matter."""
    PARROT = "parrot"
    """Is the player's own line."""
    TOO_MANY_SENTENCES = "too_many_sentences"
    """Has more sentences than the persona's `max_sentences`."""
    CUT_OFF = "cut_off"
    """Ends in mid-sentence."""


@dataclass(frozen=True)
class ReplyInContext:
    """A reply, and what it is checked against."""

    persona: Persona
    reply: str
    line: str = ""  # of the player
    earlier: tuple[str, ...] = ()  # what the character said before in the conversation
    fact: Fact | None = None  # what the line asks about, where that is known
    others: Set[str] = frozenset()  # folded names of other characters, as far as they are known
    state: Values | None = None  # of the world; None = as it is declared


def find_faults(reply: ReplyInContext, among: Collection[Fault]) -> dict[Fault, bool]:
    """Whether the reply has each fault of `among`, gravest first."""
    return {fault: _CHECKS[fault](reply) for fault in Fault if fault in among}


def gravest(found: Mapping[Fault, bool]) -> Fault | None:
    """The gravest fault that was found; None when there is none."""
    return next((fault for fault in Fault if found.get(fault)), None)


def _contradicts(at: ReplyInContext) -> bool:
    return at.fact is not None and checks.contradicts(at.reply, at.fact, at.persona.language)


def _said_before(at: ReplyInContext) -> bool:
    return any(checks.says_again(at.reply, text) for text in at.earlier)


def _too_many_sentences(at: ReplyInContext) -> bool:
    return len(sentence_ends(at.reply)) > at.persona.voice.max_sentences


def _cut_off(at: ReplyInContext) -> bool:
    """Thai and Lao mark no end, so none is missing behind their letters."""
    end = scripts(at.reply.rstrip()[-_SYLLABLE:])
    return not ends_whole(at.reply) and not any(script in _UNMARKED for script in end)


_CHECKS: Mapping[Fault, Callable[[ReplyInContext], bool]] = {
    Fault.LEAK: lambda at: bool(checks.leaked_secrets(at.reply, at.persona, at.state)),
    Fault.UNSAFE: lambda at: bool(unsafe(at.reply, at.persona)),
    Fault.BLOCKED: lambda at: bool(checks.blocked_words(at.reply, at.persona)),
    Fault.OUT_OF_CHARACTER: lambda at: checks.out_of_character(at.reply, at.persona, at.others),
    Fault.RECITES: lambda at: checks.recites_instructions(at.reply, at.persona),
    Fault.TABOO: lambda at: bool(checks.broken_taboos(at.reply, at.persona)),
    Fault.CONTRADICTION: _contradicts,
    Fault.EMPTY: lambda at: checks.word_count(at.reply) == 0,
    Fault.TOO_SHORT: lambda at: checks.word_count(at.reply) < TOO_SHORT_WORDS,
    Fault.SAID_BEFORE: _said_before,
    Fault.LOOP: lambda at: checks.loops(at.reply),
    Fault.NO_CONTENT: lambda at: checks.says_nothing(at.reply, at.persona),
    Fault.PARROT: lambda at: checks.parrots(at.reply, at.line),
    Fault.TOO_MANY_SENTENCES: _too_many_sentences,
    Fault.CUT_OFF: _cut_off,
}
