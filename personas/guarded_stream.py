"""A reply as it comes, held back as far as it could still turn into a fault.

What was sent cannot be taken back. So a word that could begin something the character must not say
waits until it is plain how it goes on: "I am an" waits, "I am the" does not, and of a word that
begins nothing the first letters are shown. The verdict itself is that of `personas.faults`, asked
wherever a listed phrase is complete, so that serving, gate and rewards agree. The places where it
is asked follow from the text alone: however the text is cut on its way, the verdict is the same.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache

from languages.disguises import LEAST_SPELLED, plain_readings
from languages.phrase_starts import ManyStarts, PhraseStarts, Reach, phrase_starts
from languages.phrases import AS_LISTED
from languages.reading import UNBROKEN, is_unbroken, read, word_count
from languages.tags import primary
from personas.cast_names import names_of
from personas.faults import Fault, ReplyInContext, find_faults, gravest
from personas.persona import Persona
from personas.render import instructions
from personas.sentences import sentence_ends
from personas.variables import Values
from personas.word_lists import languages_with_lists, word_lists

#: What is kept from players. Lesser faults make a poor line, and best-of and training see to them.
GUARDED = frozenset(
    {Fault.LEAK, Fault.UNSAFE, Fault.BLOCKED, Fault.OUT_OF_CHARACTER, Fault.RECITES}
)

_QUOTED_WORDS = 8  # of the instructions in a row are a fault: see `personas.checks`
_SAYABLE_WORDS = 3  # so many of them in a row are everybody's, and wait for nothing
_MARKS = ".,;:!?…"
_LETTERS = rf"[^\s{UNBROKEN}{_MARKS}]"
#: A word that is whole, as something follows it; or a sign of a script without blanks.
_WHOLE = re.compile(rf"[{UNBROKEN}]|{_LETTERS}*[{_MARKS}]|{_LETTERS}+(?=[\s{UNBROKEN}])")
_REST = re.compile(r"\S+")
_MARK_BEGUN = re.compile(r"<\|[^|<>]{0,40}\Z")
_MARK = re.compile(r"<\|[^|<>]{0,40}\|>|\[/?INST\]|</?s>", re.IGNORECASE)
_COLON = re.compile("[:：]")
#: The beginning of a word that no disguise can be hidden in; what stands before it is no letter.
_LETTERS_BEGUN = re.compile(r"\s*[\"'(*]?([A-Za-z]+)\Z")


@dataclass(frozen=True)
class Names:
    """Names that a line could begin with, and their first words and letters; without blanks."""

    names: frozenset[str]
    starts: frozenset[str]
    letters: frozenset[str]

    def reach(self, said: str) -> Reach:
        """How far these words have come in saying a name and nothing else."""
        if said in self.names:
            return Reach.SAID
        return Reach.BEGUN if said in self.starts else Reach.NOWHERE

    def may_go_on(self, tokens: Sequence[str], letters: str) -> bool:
        """Whether a word that begins with these letters may be the next of a name."""
        return "".join((*tokens, letters)) in self.letters


@dataclass(frozen=True)
class Claims:
    """Words of "I am", and the names of others that must not follow on them."""

    starts: Mapping[str, tuple[tuple[str, ...], ...]]  # by their first word
    letters: frozenset[str]  # that the first words begin with
    names: Names

    def reach(self, tokens: tuple[str, ...]) -> Reach:
        """How far these words have come in claiming to be somebody else."""
        return max((self._reach(tokens, one) for one in self._starts(tokens)), default=Reach(0))

    def may_go_on(self, tokens: tuple[str, ...], letters: str) -> bool:
        """Whether a word that begins with these letters may be the next of a claim."""
        return any(self._may_go_on(tokens, letters, one) for one in self._starts(tokens))

    def _may_go_on(self, tokens: tuple[str, ...], letters: str, start: tuple[str, ...]) -> bool:
        if len(tokens) >= len(start):
            rest = "".join((*tokens[len(start) :], letters))
            return tokens[: len(start)] == start and rest in self.names.letters
        return start[: len(tokens)] == tokens and start[len(tokens)].startswith(letters)

    def _starts(self, tokens: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        return self.starts.get(tokens[0], ()) if tokens else ()

    def _reach(self, tokens: tuple[str, ...], start: tuple[str, ...]) -> Reach:
        if start[: len(tokens)] == tokens:
            return Reach.BEGUN
        if tokens[: len(start)] != start:
            return Reach.NOWHERE
        return self.names.reach("".join(tokens[len(start) :]))


@dataclass(frozen=True)
class Quotable:
    """The words of the instructions, which a reply must not quote at length."""

    words: str  # with a blank around each
    signs: str  # without blanks

    def has(self, tokens: Sequence[str]) -> bool:
        """Whether these words stand in a row there."""
        if not tokens:
            return False
        if is_unbroken(tokens[-1]):
            return "".join(tokens) in self.signs
        return f" {' '.join(tokens)} " in self.words

    def begins(self, tokens: Sequence[str], letters: str) -> bool:
        """Whether these words and a word that begins with the letters stand in a row there."""
        return f" {' '.join((*tokens, letters))}" in self.words


@dataclass(frozen=True)
class Watch:
    """What is looked for in the replies of one character."""

    persona: Persona
    others: frozenset[str]  # folded names of other characters
    among: frozenset[Fault]
    own: PhraseStarts  # of what this persona alone must not say
    listed: ManyStarts  # of what no character must say
    speakers: Names
    claims: Claims
    recited: Quotable
    state: Values | None = None  # of the world, which some secrets depend on

    def reach(self, tokens: tuple[str, ...]) -> Reach:
        """How far words have come in saying what must not be said."""
        if not tokens:
            return Reach.NOWHERE
        return max(self.own.reach(tokens), self.listed.reach(tokens), self.claims.reach(tokens))

    def may_go_on(self, tokens: tuple[str, ...], letters: str) -> bool:
        """Whether a word that begins with these letters may bring these words further."""
        parts = (self.own, self.listed, self.claims)
        return bool(tokens) and any(one.may_go_on(tokens, letters) for one in parts)

    def may_begin(self, letters: str, *, begins_line: bool) -> bool:
        """Whether a word that begins with these letters may be the first of a fault."""
        return (
            self.own.may_begin(letters)
            or self.listed.may_begin(letters)
            or letters in self.claims.letters
            or (begins_line and letters in self.speakers.letters)
        )

    def fault_in(self, text: str) -> Fault | None:
        """The gravest fault of a text, as it stands or when its disguise is taken off."""
        return next(filter(None, map(self._fault_of, (text, *plain_readings(text)))), None)

    def _fault_of(self, text: str) -> Fault | None:
        reply = ReplyInContext(self.persona, text, others=self.others, state=self.state)
        return gravest(find_faults(reply, self.among))


def watch_of(
    persona: Persona, cast: Set[str] = frozenset(), among: Collection[Fault] = GUARDED
) -> Watch:
    """What is to be looked for in the replies of a character, made ready once.

    `cast` are the folded names of all characters (`cast_names`).
    """
    return _watch_of(_Known(persona, frozenset(cast), frozenset(among)))


@dataclass(frozen=True)
class _Open:
    """Words that could be the beginning of a fault."""

    start: int
    tokens: tuple[str, ...] = ()
    begins_line: bool = False
    quote: int | None = None  # where they become more of a quotation than anybody may say
    held: int | None = None  # from where they are held back; None = they are not, as yet
    spelled: int = 0  # words, each of them one letter; 0 = others are among them


class GuardedStream:
    """Takes a reply piece by piece; gives what may be shown, until a fault is found."""

    def __init__(self, watch: Watch, before: str = "", *, as_a_whole: bool = False) -> None:
        """`before` was shown already, and goes on here. `as_a_whole` shows nothing but a whole."""
        self._watch = watch
        self._as_a_whole = as_a_whole
        self.text = before
        self._shown = len(before)
        self._read_to = 0  # all words before are whole and looked at
        self._begins_line = True  # the next word does, where no line ends before it
        self._open: tuple[_Open, ...] = ()
        self.fault: Fault | None = None
        self._advance(_WHOLE)

    @property
    def shown(self) -> str:
        """All that may be shown so far."""
        return self.text[: self._shown]

    def push(self, text: str) -> str:
        """Add a piece; returns what more may be shown. Nothing more, once there is a `fault`."""
        if self.fault is None:
            self.text += text
            self._advance(_WHOLE)
        return self._release()

    def finish(self) -> str:
        """End the reply; returns what was held back, unless that is a `fault`."""
        self._advance(_REST)
        if self.fault is not None:
            return self._release()
        self.fault = self._watch.fault_in(self.text)
        rest = self.text[self._shown :] if self.fault is None else ""
        self._shown += len(rest)
        return rest

    def _release(self) -> str:
        """What is safe by now, without the blanks behind it: the next word may be withheld."""
        if self._as_a_whole:
            return ""
        if self.fault is None:
            safe = self._safe_end()
        else:  # what no sentence ends in would only lead up to it
            safe = max(sentence_ends(self.text[: self._held_from()]), default=0)
        end = max(self._shown, len(self.text[:safe].rstrip()))
        released = self.text[self._shown : end]
        self._shown = end
        return released

    def _held_from(self) -> int:
        held = (one.held for one in self._open if one.held is not None)
        return min(held, default=self._read_to)

    def _safe_end(self) -> int:
        """Up to where nothing can become a fault, by the first letters of the next word, too."""
        begun = _LETTERS_BEGUN.match(self.text, self._read_to)
        if begun is None:
            return self._held_from()
        letters, begins_line = begun[1].lower(), self._is_at_line_begin(begun.start(1))
        held = (self._held_before(one, letters) for one in self._open)
        may_begin = self._watch.may_begin(letters, begins_line=begins_line)
        least = self._read_to if may_begin else len(self.text)
        return min((start for start in held if start is not None), default=least)

    def _held_before(self, one: _Open, letters: str) -> int | None:
        """From where these words are held, when letters follow; None = they begin nothing then."""
        said = self.text[one.start : self._read_to]
        if (
            self._watch.may_go_on(one.tokens, letters)
            or (one.begins_line and self._watch.speakers.may_go_on(one.tokens, letters))
            or (one.spelled and len(letters) == 1)
            or _reach_of_mark(said) is not Reach.NOWHERE
        ):
            return one.start
        if len(one.tokens) < _SAYABLE_WORDS or not self._watch.recited.begins(one.tokens, letters):
            return None
        return self._read_to if one.quote is None else one.quote

    def _is_at_line_begin(self, start: int) -> bool:
        return self._begins_line or "\n" in self.text[self._read_to : start]

    def _advance(self, pattern: re.Pattern[str]) -> None:
        for word in pattern.finditer(self.text, self._read_to):
            if self.fault is not None:
                return
            self._look_at(word.start(), word.end())

    def _look_at(self, start: int, end: int) -> None:
        begins_line = self._is_at_line_begin(start)
        waiting, is_doubtful = self._go_on(start, end, begins_line)
        if is_doubtful:
            self.fault = self._watch.fault_in(self.text[:end])
        if self.fault is None:
            self._open, self._read_to = waiting, end
            self._begins_line = begins_line and not read(self.text[start:end]).tokens

    def _go_on(self, start: int, end: int, begins_line: bool) -> tuple[tuple[_Open, ...], bool]:
        """What could be a beginning after this word, and whether something is complete."""
        waiting: dict[_Open, None] = {}
        is_doubtful = False
        for one in self._continuations(start, end, begins_line):
            reach, quoted = self._reach(one, end), self._reach_of_quotation(one, end)
            is_doubtful |= Reach.SAID in (reach, quoted)
            if reach is not Reach.NOWHERE:
                waiting[replace(one, held=one.start)] = None
            elif quoted is not Reach.NOWHERE or one.spelled:
                waiting[replace(one, held=one.quote)] = None
        ended = (one for one in self._open if one.start not in {left.start for left in waiting})
        is_doubtful |= any(one.spelled >= LEAST_SPELLED for one in ended)
        return tuple(waiting), is_doubtful

    def _continuations(self, start: int, end: int, begins_line: bool) -> Iterator[_Open]:
        word = self.text[start:end]
        for reading in (word, *plain_readings(word)):
            tokens = read(reading).tokens
            yield from (_with_word(one, tokens, start) for one in self._open)
            for at in range(max(1, len(tokens))):
                fresh = _Open(start, begins_line=begins_line and not at)
                yield _with_word(fresh, tokens[at:], start)

    def _reach(self, one: _Open, end: int) -> Reach:
        return max(
            self._watch.reach(one.tokens),
            self._reach_of_speaker(one, end),
            _reach_of_mark(self.text[one.start : end]),
            Reach.BEGUN if one.spelled > 1 else Reach.NOWHERE,
        )

    def _reach_of_quotation(self, one: _Open, end: int) -> Reach:
        if not self._watch.recited.has(one.tokens):
            return Reach.NOWHERE
        is_long = word_count(self.text[one.start : end]) >= _QUOTED_WORDS
        return Reach.SAID if is_long else Reach.BEGUN

    def _reach_of_speaker(self, one: _Open, end: int) -> Reach:
        """A name at the beginning of a line waits for the word behind it, or its colon."""
        if not one.begins_line:
            return Reach.NOWHERE
        reach = self._watch.speakers.reach("".join(one.tokens))
        has_colon = _COLON.search(self.text, one.start, end) is not None
        return Reach.BEGUN if reach is Reach.SAID and not has_colon else reach


def _with_word(one: _Open, tokens: tuple[str, ...], start: int) -> _Open:
    longer = one.tokens + tokens
    quote = start if one.quote is None and len(longer) > _SAYABLE_WORDS else one.quote
    is_letter = len(tokens) == 1 and len(tokens[0]) == 1 and tokens[0].isalpha()
    spelled = one.spelled + 1 if is_letter and one.spelled == len(one.tokens) else 0
    return _Open(one.start, longer, one.begins_line, quote, spelled=spelled)


def _reach_of_mark(text: str) -> Reach:
    if "<" not in text and "[" not in text:
        return Reach.NOWHERE
    if _MARK.search(text):
        return Reach.SAID
    return Reach.BEGUN if _MARK_BEGUN.search(text) else Reach.NOWHERE


@dataclass(frozen=True)
class _Known:
    """A persona, as far as what is looked for depends on it: equal ones are made ready once."""

    persona: Persona
    cast: frozenset[str]
    among: frozenset[Fault]

    def __hash__(self) -> int:
        return hash((self.persona.version, self.cast, self.among))


@lru_cache(maxsize=256)
def _watch_of(known: _Known) -> Watch:
    persona = known.persona
    return Watch(
        persona=persona,
        others=known.cast - names_of(persona),
        among=known.among,
        own=phrase_starts(_own(known), primary(persona.language) or "en"),
        listed=_follow_listed(known.among),
        speakers=_speakers(known.cast),
        claims=_claims(known.cast),
        recited=_quotable(instructions(persona)),
    )


@lru_cache(maxsize=16)
def _follow_listed(among: frozenset[Fault]) -> ManyStarts:
    by_code: dict[str, list[str]] = {}
    for lists in filter(None, map(word_lists, languages_with_lists())):
        inflected = by_code.setdefault(lists.code, [])
        listed = by_code.setdefault(AS_LISTED, [])
        if Fault.OUT_OF_CHARACTER in among:
            inflected += lists.machine_talk_at_home
            listed += lists.confessions
        if Fault.UNSAFE in among:
            inflected += lists.unsafe["slurs"]
            listed += (one for group in lists.unsafe.values() for one in group)
    return ManyStarts(phrase_starts(phrases, code) for code, phrases in by_code.items())


def _own(known: _Known) -> list[str]:
    """What this persona alone says must not be said."""
    persona = known.persona
    leaks = (word for secret in persona.lore.secrets for word in secret.leak_words)
    breaches = (word for taboo in persona.taboos for word in taboo.words)
    of_fault: dict[Fault, Iterable[str]] = {
        Fault.LEAK: leaks,
        Fault.UNSAFE: persona.unsafe,
        Fault.BLOCKED: persona.guardrails.blocked_words,
        Fault.OUT_OF_CHARACTER: persona.machine_talk,
        Fault.TABOO: breaches,
    }
    return [word for fault, words in of_fault.items() if fault in known.among for word in words]


@lru_cache(maxsize=16)
def _speakers(cast: frozenset[str]) -> Names:
    every = filter(None, map(word_lists, languages_with_lists()))
    listed = {read(name).tokens for lists in every for name in lists.speakers}
    known = listed | {tuple(name.split()) for name in cast}
    starts = {"".join(one[:end]) for one in known for end in range(1, len(one))}
    signs = {one[0][:end] for one in known if is_unbroken(one[0]) for end in range(1, len(one[0]))}
    names = frozenset(map("".join, known))
    return Names(names, frozenset(starts | signs), _letters_of(names))


@lru_cache(maxsize=16)
def _claims(cast: frozenset[str]) -> Claims:
    starts: dict[str, tuple[tuple[str, ...], ...]] = {}
    for lists in filter(None, map(word_lists, languages_with_lists() if cast else ())):
        for start in lists.starts:
            starts[start[0]] = (*starts.get(start[0], ()), start)
    return Claims(starts, _letters_of(starts), _speakers(cast))


def _letters_of(words: Iterable[str]) -> frozenset[str]:
    """What the words begin with, up to all of their letters."""
    return frozenset(word[:end] for word in words for end in range(1, len(word) + 1))


def _quotable(texts: Iterable[str]) -> Quotable:
    readings = [read(text) for text in texts]
    return Quotable(
        "\n".join(reading.line for reading in readings),
        "\n".join(reading.squeezed for reading in readings),
    )
