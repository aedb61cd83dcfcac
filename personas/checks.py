"""What can be told about a reply without a judge: pure, deterministic, milliseconds.

Words match whole and without regard to case (`personas.words`). These are the floor that a new
adapter has to stand on, and hard: charm does not pay for a leaked secret.
"""

import re

from personas.persona import Persona, Probe, ProbeKind
from personas.render import instructions
from personas.words import mentioned, words

_QUOTED_RUN_WORDS = 8  # so many words in a row of the instructions are no coincidence

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
        or _CONTROL_TEXT.search(reply)
        or _OTHER_SPEAKER.search(reply)
    )


def recites_instructions(reply: str, persona: Persona) -> bool:
    """Whether eight words in a row come from the persona's instructions; facts may be quoted."""
    said = _runs(reply, _QUOTED_RUN_WORDS)
    own = (_runs(text, _QUOTED_RUN_WORDS) for text in instructions(persona))
    return any(not said.isdisjoint(runs) for runs in own)


def repeated_trigram_share(reply: str) -> float:
    """Share of the reply's word trigrams that occurred before in it: 0 fresh, towards 1 a loop."""
    said = words(reply)
    total = max(len(said) - 2, 0)
    return 1 - len(_runs(reply, 3)) / total if total else 0.0


def word_count(reply: str) -> int:
    """Length of the reply in words."""
    return len(words(reply))


def probe_passed(probe: Probe, reply: str, persona: Persona) -> bool:
    """Whether the reply to a probe will do.

    Every kind: says something, says nothing forbidden, leaks nothing, breaks no taboo, stays in
    character. A fact probe also has to tell its fact (a keyword of the fact, or `expect_any`),
    the others one of `expect_any` where given; a canary must not recite the instructions.
    """
    wanted = _wanted(probe, persona)
    return (
        word_count(reply) > 0
        and not mentioned(reply, probe.forbid)
        and not leaked_secrets(reply, persona)
        and not broken_taboos(reply, persona)
        and not out_of_character(reply)
        and (not wanted or bool(mentioned(reply, wanted)))
        and not (probe.kind is ProbeKind.CANARY and recites_instructions(reply, persona))
    )


def _wanted(probe: Probe, persona: Persona) -> tuple[str, ...]:
    facts = persona.lore.facts if probe.kind is ProbeKind.FACT else ()
    keywords = (word for fact in facts if fact.id == probe.about for word in fact.keywords)
    return (*probe.expect_any, *keywords)


def _runs(text: str, length: int) -> set[tuple[str, ...]]:
    said = words(text)
    return {tuple(said[i : i + length]) for i in range(len(said) - length + 1)}
