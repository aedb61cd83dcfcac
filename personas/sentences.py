"""Where a sentence ends, in every script: the one rule, for whole texts and for text as it comes.

The rule is two patterns, data, so that an engine which knows nothing of language can follow it
token by token. A match with the group `end` is the end of a sentence; a match without it only looks
like one ("Mr.", "*She nods. Slowly.*") and is passed over. Where it is doubtful whether a sentence
ends, none does: a reply that goes on is better than one cut in two.

A sentence ends at a mark, with the quotation marks and brackets behind it, where something follows
that can begin a sentence: not a small letter, as in '"Stop!" she said.' Wide marks (。！？) need no
blank after them. A line ends a sentence too, unless it goes on as verses do. Thai and Lao mark no
ends: there a reply has none but its lines'.
"""

import re
from itertools import pairwise

_STOPS = "!?…‽؟۔।॥։።፧።៕༎"  # a blank follows, as after a full stop
_WIDE_STOPS = "。！？｡．"
_CLOSERS = "\"'”’“»)\\]}*_」』）】》〉﹂﹄"
_SMALL = "a-zß-öø-ÿāăąćčďđēęěğģīıķļłńņňőœřśşšťūůűźżžа-џά-ώա-և"
_EMOJI = "\u2600-\u27bf\ufe0f\u200d\U0001f1e6-\U0001faff"
_GOES_ON = ",;:،؛、，；：–—-"  # at the end of a line
#: By length, since a pattern can look back over a fixed length only.
_ABBREVIATIONS = (
    "mr|ms|dr|st|sr|jr|lt|mt|ft|vs|cf|hr|fr|nr|ca|av|дж|им|ул",
    "mrs|sra|sgt|col|gen|rev|hon|etc|vol|str|bzw|usw|vgl|mme|sig|exc|стр",
    "prof|capt|dept|evtl|mlle|dott",
)
_NO_ABBREVIATION = "".join(rf"(?<!\b(?i:{words}))" for words in _ABBREVIATIONS)
_FULL_STOP = rf"{_NO_ABBREVIATION}(?:(?<!\b(?i:no))|(?!\.\s*\d))\."
#: Initials, "p.m.", "z. B."; the numbers of a list, or "am 3. Mai".
_FULL_STOP_WITHIN = rf"(?<!\b[^\W\dIi_])(?<!(?<!\S)\d)(?<!(?<!\S)\d\d){_FULL_STOP}"
_GREEK_QUESTION = r"(?<=[Ͱ-Ͽἀ-῿])[;\u037e]"  # elsewhere a semicolon
_BEHIND = rf"(?:[{_CLOSERS}{_STOPS}.]|\s»(?=\s)|\s*+[{_EMOJI}])*+"
_WIDE_MARKS = rf"[{_WIDE_STOPS}][{_WIDE_STOPS}{_STOPS}{_CLOSERS}{_EMOJI}]*+"
_BEGINS = rf"(?=\s++(?![{_SMALL}{_EMOJI}{_STOPS}.»])\S)"
_BEGINS_AT_ONCE = rf"(?=\s*+[^\s{_WIDE_STOPS}{_STOPS}{_CLOSERS}{_EMOJI}と])"  # 「はい。」と言った
_LINE_END = rf"(?<=[^\s{_GOES_ON}])(?=[ \t]*+\n\s*+(?![{_SMALL}])\S)"
_TEXT_END = r"(?=\s*+\Z)"
_BREAK_OFF = rf"[—{_EMOJI}][{_CLOSERS}]*+"
_DIRECTION = (
    rf"(?:\A|(?<=[{_STOPS}.{_WIDE_STOPS}{_CLOSERS}{_EMOJI}]\s))"
    r"(?:\*[^*\n]++\*|\([^()\n]++\)|（[^（）\n]++）)"
)
#: An open stage direction or bracket hides what is in it, to the end of its line.
_HIDDEN = (
    r"\*(?![ \t])[^*\n]*+(?:\*|\n|\Z)",
    r"\([^()\n]*+(?:\)|\n|\Z)",
    r"（[^（）\n]*+(?:）|\n|\Z)",
)
#: What ends and hidden places begin with: all other places are passed over quickly.
_NEAR = rf"(?=[{_STOPS}.{_WIDE_STOPS}—{_EMOJI};\u037e \t\n*(（])"


def _marks(full_stop: str) -> str:
    return rf"(?<![{_STOPS}.])(?:{full_stop}|[{_STOPS}]|{_GREEK_QUESTION}){_BEHIND}"


def _pattern(*ends: str) -> str:
    hidden = "|".join(_HIDDEN)
    return rf"{_NEAR}(?:(?P<end>{'|'.join(ends)})|{hidden})"


#: The end of a sentence after which another begins: certain, whatever follows.
WITHIN = _pattern(_marks(_FULL_STOP_WITHIN) + _BEGINS, _WIDE_MARKS + _BEGINS_AT_ONCE, _LINE_END)
#: The end of a sentence with nothing behind it, of a thought broken off, of a stage direction.
LAST = _pattern(rf"(?:{_marks(_FULL_STOP)}|{_WIDE_MARKS}|{_BREAK_OFF}|{_DIRECTION}){_TEXT_END}")

#: The end of a text in a script that marks no ends.
UNMARKED = rf"[\u0e01-\u0eff]{_TEXT_END}"

_WITHIN, _LAST = re.compile(WITHIN), re.compile(LAST)


def sentence_ends(text: str) -> list[int]:
    """Where the whole sentences of a text end, blanks behind them left out."""
    within = _ends(_WITHIN, text, 0)
    return [*within, *_ends(_LAST, text, within[-1] if within else 0)]


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order; the last may be unfinished."""
    ends = sentence_ends(text)
    parts = [text[start:end].strip() for start, end in pairwise((0, *ends, len(text)))]
    return [part for part in parts if part]


def ends_whole(text: str) -> bool:
    """Whether a text ends where a sentence does."""
    whole = text.rstrip()
    return bool(whole) and sentence_ends(whole)[-1:] == [len(whole)]


def _ends(pattern: re.Pattern[str], text: str, start: int) -> list[int]:
    found = (match.end("end") for match in pattern.finditer(text, start))
    return list(dict.fromkeys(end for end in found if end > start))
