"""How a character is asked to sum up, and whether what it says may be remembered. Pure.

The character itself is asked, at the end of what it is to sum up, so that it knows what it knows.
Its first words are given, or a small model goes on with the conversation instead; often it invents,
or loops. Whatever is not plainly about what the player said is dropped, and so is what the
character has said before: no summary is better than a wrong one.
"""

from __future__ import annotations

from collections.abc import Sequence

from languages.reading import word_count, word_runs, words
from languages.recognition import hollow_words, recognise
from languages.tags import primary
from npc_server.engine.protocol import Sampling
from npc_server.sessions import Exchange
from personas.chat import Message
from personas.faults import Fault, ReplyInContext, find_faults, gravest
from personas.persona import Persona
from personas.render import Line, Speaker, Tokenizer, message_ids, messages
from personas.variables import Values

ASKED = (
    "[The player has left. Write down in one or two short sentences what the player told you and"
    " asked you.]"
)
#: How the answer begins, of a character that speaks English.
BEGUN = "The player told me that"
MAX_TOKENS = 64
MAX_WORDS = 60
SENTENCES = 2
TRIES = 3  # to put it well
_SHARED_WORDS = 2  # of content, at least, with what the player said
_LEAST_KNOWN = 0.5  # of its words of content, share that was said by anybody; the rest is new
_REPEATED_WORDS = 6  # in a row that the character has said: it goes on instead of summing up
_FAULTS = (
    Fault.LEAK,
    Fault.UNSAFE,
    Fault.OUT_OF_CHARACTER,
    Fault.RECITES,
    Fault.TABOO,
    Fault.EMPTY,
    Fault.TOO_SHORT,
    Fault.LOOP,
    Fault.CUT_OFF,
)


def first_words(persona: Persona) -> str:
    """The words that an answer begins with; "" in a language that has none here."""
    return BEGUN if primary(persona.language) in ("", "en") else ""


def lines_of(exchanges: Sequence[Exchange]) -> list[Line]:
    """What was said in some exchanges, in their order."""
    return [
        line
        for exchange in exchanges
        for line in (
            Line(Speaker.PLAYER, exchange.player_text),
            Line(Speaker.CHARACTER, exchange.kept.text, exchange.kept.broken_off),
        )
    ]


def asking(
    persona: Persona, exchanges: Sequence[Exchange], tokenizer: Tokenizer, most_tokens: int
) -> tuple[int, tuple[int, ...]]:
    """How many of the exchanges fit, the oldest first, and the prompt to sum those up.

    0 and no prompt when not even one does.
    """
    for count in range(len(exchanges), 0, -1):
        said: tuple[Message, ...] = messages(persona, lines_of(exchanges[:count]), ASKED)
        ids = (*message_ids(said, tokenizer), *tokenizer.encode(first_words(persona)))
        if len(ids) <= most_tokens:
            return count, ids
    return 0, ()


def sampling(seed: int) -> Sampling:
    """How an answer is drawn: nearly the likeliest, and another one at another try."""
    return Sampling(
        temperature=0.3, seed=seed, max_tokens=MAX_TOKENS, max_sentences=SENTENCES, min_p=0.05
    )


def objection(
    summary: str, exchanges: Sequence[Exchange], persona: Persona, state: Values | None = None
) -> str:
    """Why a summary may not be remembered; "" = it may.

    `state` is that of the conversation's world, by which some secrets hold; None = as declared.
    """
    fault = gravest(find_faults(ReplyInContext(persona, summary, state=state), _FAULTS))
    if fault is not None:
        return fault.value
    if word_count(summary) > MAX_WORDS:
        return "too_long"
    if _repeats(summary, [one.kept.text for one in exchanges]):
        return "said_before"
    said = " ".join(one.player_text for one in exchanges)
    code = primary(persona.language) or recognise(said) or "en"
    replied = " ".join(one.kept.text for one in exchanges)
    own = _content(summary, code) - _content(f"{BEGUN} {ASKED}", code)
    known = own & (_content(said, code) | _content(replied, code))
    if len(own & _content(said, code)) < _SHARED_WORDS or len(known) < _LEAST_KNOWN * len(own):
        return "not_about_it"
    return ""


def _repeats(summary: str, replies: Sequence[str]) -> bool:
    runs = set(word_runs(summary, _REPEATED_WORDS))
    return any(not runs.isdisjoint(word_runs(reply, _REPEATED_WORDS)) for reply in replies)


def _content(text: str, code: str) -> frozenset[str]:
    return frozenset(words(text)) - hollow_words(code)
