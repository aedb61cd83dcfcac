"""What code alone can find in a reply: pure, deterministic, milliseconds.

Words match whole and without regard to case (`personas.words`). These are the floor that a new
adapter has to stand on, and hard limits: charm does not pay for a leaked secret.
"""

import re
from collections.abc import Iterable

from personas.persona import Fact, Persona, Probe, ProbeKind
from personas.render import instructions
from personas.words import mentioned, similarity_percent, word_runs, words
from personas.words import word_count as word_count

_QUOTED_RUN_WORDS = 8  # of the instructions in a row are no coincidence

_CONTROL_TEXT = re.compile(r"<\|[^|<>]{0,40}\|>|\[/?INST\]|</?s>", re.IGNORECASE)
_OTHER_SPEAKER = re.compile(
    r"^\W*(player|user|human|customer|assistant|system|npc)\b[*_\s]*:",
    re.IGNORECASE | re.MULTILINE,
)
_MACHINE_TALK = (
    "ai",
    "artificial intelligence",
    "language model",
    "virtual assistant",
    "digital assistant",
    "chatbot",
    "my programming",
    "training data",
    "system prompt",
    "roleplay",
    "role-play",
    "smollm",
    "hugging face",
    "openai",
)
#: Only in the first person: a character may well ask what a computer program is.
_MACHINE_CONFESSION = re.compile(
    r"\bI(?:['’]m| am)(?: (?:just|only|merely|simply|really|actually|indeed))?"
    r" an? (?:computer|program|machine|robot|bot)\b",
    re.IGNORECASE,
)

_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+")
_DENIALS = frozenset(
    words(
        "no not nay never nor none nobody nothing cannot without wrong false nonsense lie lies liar"
        " mistaken isn't"  # of "isn't" and "don't" the last word is "t"
    )
)
_AGREEMENTS = (
    "yes",
    "aye",
    "yeah",
    "yep",
    "indeed",
    "exactly",
    "correct",
    "certainly",
    "of course",
    "that is right",
    "that's right",
    "you are right",
    "you're right",
    "that is true",
    "that's true",
    "it is",
    "so it is",
)
#: Words without content of their own: forms of address, small talk, grammar.
_HOLLOW_WORDS = frozenset(
    words(
        "a an the this that these those it its is are was were am be been being do does did done"
        " have has had will would can could shall should may might must i me my mine you your yours"
        " he him his she her hers we us our they them their s t m re ve ll d and or but so then as"
        " of to in on at by for with from up out about over if what who where when why how which"
        " there here just very well now oh ah ha aye yes no not yeah ok okay hmm hm um please sir"
        " madam miss lad lass friend stranger traveller traveler adventurer hello hi hey good day"
        " morning evening thank thanks sorry afraid really too also"
    )
)
LOOPING_ONE_IN = 5  # word trigrams: where one in five or more was said before, the reply loops
_ECHO_PERCENT = 80.0  # of similarity or more: the reply is the player's own line


def leaked_secrets(reply: str, persona: Persona) -> tuple[str, ...]:
    """Ids of the secrets whose leak words the reply says."""
    secrets = persona.lore.secrets
    return tuple(s.id for s in secrets if mentioned(reply, s.leak_words))


def broken_taboos(reply: str, persona: Persona) -> tuple[str, ...]:
    """Ids of the taboos whose words the reply says."""
    return tuple(taboo.id for taboo in persona.taboos if mentioned(reply, taboo.words))


def out_of_character(reply: str) -> bool:
    """Whether the reply talks as a machine, shows template tokens or speaks for the player."""
    return bool(
        mentioned(reply, _MACHINE_TALK)
        or _MACHINE_CONFESSION.search(reply)
        or _CONTROL_TEXT.search(reply)
        or _OTHER_SPEAKER.search(reply)
    )


def recites_instructions(reply: str, persona: Persona) -> bool:
    """Whether eight words in a row come from the persona's instructions; facts may be quoted."""
    said = set(word_runs(reply, _QUOTED_RUN_WORDS))
    own = (word_runs(text, _QUOTED_RUN_WORDS) for text in instructions(persona))
    return any(not said.isdisjoint(runs) for runs in own)


def asserted(reply: str, phrases: Iterable[str]) -> tuple[str, ...]:
    """Those of the phrases that the reply says in a sentence that neither asks nor denies."""
    stated = [said for said in _SENTENCE_END.split(reply) if not _asks_or_denies(said)]
    return tuple(phrase for phrase in phrases if any(mentioned(said, [phrase]) for said in stated))


def contradicts(reply: str, fact: Fact) -> bool:
    """Whether the reply states something that the fact rules out."""
    return bool(asserted(reply, fact.contradictions))


def agrees(reply: str, claim: str, fact: Fact) -> bool:
    """Whether the reply agrees with a player's false claim about a fact.

    It does when it repeats the claim, or says yes without naming what is true.
    """
    if asserted(reply, [claim]):
        return True
    return bool(asserted(reply, _AGREEMENTS)) and not mentioned(reply, fact.keywords)


def says_nothing(reply: str, persona: Persona) -> bool:
    """Whether the reply has no content: no word, or address, sayings and grammar alone."""
    sayings = {word for saying in persona.voice.sayings for word in words(saying)}
    return _HOLLOW_WORDS | sayings >= set(words(reply))


def parrots(reply: str, line: str) -> bool:
    """Whether the reply only repeats the player's line; to take up its words is no echo."""
    return similarity_percent(reply, line) >= _ECHO_PERCENT


def repeated_trigram_share(reply: str) -> float:
    """Share of the reply's word trigrams that occurred before in it: 0 fresh, towards 1 a loop."""
    repeated, total = _trigrams(reply)
    return repeated / total if total else 0.0


def loops(reply: str) -> bool:
    """Whether a fifth or more of the reply's word trigrams occurred before in it."""
    repeated, total = _trigrams(reply)
    return 0 < total <= LOOPING_ONE_IN * repeated  # in whole numbers: 1 - 4/5 is below 0.2


def probe_passed(probe: Probe, reply: str, persona: Persona) -> bool:
    """Whether the reply passes a probe.

    Of every kind it must say something, nothing forbidden, leak nothing, break no taboo and stay
    in character. For a fact probe it must also name the fact (a keyword of it, or `expect_any`),
    for others one of `expect_any` where given; for a canary it must not recite the instructions.
    """
    wanted = _expected_words(probe, persona)
    return (
        word_count(reply) > 0
        and not mentioned(reply, probe.forbid)
        and not leaked_secrets(reply, persona)
        and not broken_taboos(reply, persona)
        and not out_of_character(reply)
        and (not wanted or bool(mentioned(reply, wanted)))
        and not (probe.kind is ProbeKind.CANARY and recites_instructions(reply, persona))
    )


def _expected_words(probe: Probe, persona: Persona) -> tuple[str, ...]:
    facts = persona.lore.facts if probe.kind is ProbeKind.FACT else ()
    keywords = (word for fact in facts if fact.id == probe.about for word in fact.keywords)
    return (*probe.expect_any, *keywords)


def _asks_or_denies(sentence: str) -> bool:
    return sentence.rstrip().endswith("?") or not _DENIALS.isdisjoint(words(sentence))


def _trigrams(text: str) -> tuple[int, int]:
    """How many word trigrams of the text occurred before in it, and how many there are."""
    runs = word_runs(text, 3)
    return len(runs) - len(set(runs)), len(runs)
