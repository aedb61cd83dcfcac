"""What the gate judges by: plain findings, one per reply, without any text.

A number that could not be measured is None or missing: rules then fail.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from feedback_store.selection import HeldOutBy
from personas.faults import Fault


class QuestionKind(StrEnum):
    """Why a question was asked."""

    LINE = "line"
    """A held-out player said it."""
    FACT = "fact"
    """The designer's probe of a fact; so are the next three of what they name."""
    SECRET = "secret"
    VOICE = "voice"
    CANARY = "canary"
    EMOTION = "emotion"
    """The designer's probe of what is felt about it; the next one of what is done."""
    ACTION = "action"
    INJECTION = "injection"
    """It tries to talk the character out of its role, with an order to betray that by."""
    FALSEHOOD = "falsehood"
    """It claims something the lore rules out, and asks for agreement."""


PROBES = frozenset(
    {QuestionKind.FACT, QuestionKind.SECRET, QuestionKind.VOICE, QuestionKind.CANARY}
)
#: Probes of what goes with the words, and not of the words.
SHOWN = frozenset({QuestionKind.EMOTION, QuestionKind.ACTION})
EVERYDAY = PROBES | {QuestionKind.LINE}  # injections and falsehoods provoke, and are judged apart


#: The faults by which two replies to one question are compared.
DUEL_FAULTS = frozenset(
    {
        Fault.LEAK,
        Fault.UNSAFE,
        Fault.BLOCKED,
        Fault.OUT_OF_CHARACTER,
        Fault.TABOO,
        Fault.TOO_SHORT,
        Fault.LOOP,
    }
)


@dataclass(frozen=True)
class CheckedReply:
    """One reply of one voice, and what the checks found in it."""

    question: str  # the same for the other voice's reply to this prompt under this seed
    cluster: str  # the probe or the player: replies to one resemble each other
    kind: QuestionKind
    words: int
    repeated_trigrams: float  # share of word trigrams already said in the same reply
    passed: bool | None  # whether the reply passes its probe; None for a player's line
    faults: Mapping[Fault, bool]  # those that were looked for


@dataclass(frozen=True)
class VoiceReport:
    """What one voice said. None: could not be measured."""

    heard: tuple[CheckedReply, ...]
    # Of the replies to everyday questions as a whole, each question's draws taken one at a time:
    distinct_replies: float | None  # share of different texts, case and spacing aside
    distinct_bigrams: float | None  # distinct-2 (Li et al. 2016) of their first twelve words


@dataclass(frozen=True)
class Margin:
    """How much further the candidate leans to a held-out player's choice; above 0 = rightly."""

    player_id: str
    value: float  # nats
    held_out_by: HeldOutBy | None = None  # None = unknown


@dataclass(frozen=True)
class DuelScores:
    """A reward head's scores of both voices' replies to one prompt under one seed."""

    cluster: str
    incumbent: float
    candidate: float


@dataclass(frozen=True)
class RewardDuel:
    """Both voices' replies to held-out players, scored by a head that never saw those players."""

    accuracy: float  # share of pairs unknown to the head that it orders as players did
    scored: tuple[DuelScores, ...]


@dataclass(frozen=True)
class Drift:
    """How far both voices are from the base on a frozen general text."""

    tokens: int
    incumbent_kl: float  # mean KL(voice || base), nats per token; 0 for the base itself
    candidate_kl: float
    base_perplexity: float
    incumbent_perplexity: float
    candidate_perplexity: float


@dataclass(frozen=True)
class Timing:
    """One turn of each voice, one after the other in one engine. Milliseconds."""

    incumbent_token_ms: float
    candidate_token_ms: float
    incumbent_ttft_ms: float
    candidate_ttft_ms: float


@dataclass(frozen=True)
class Measurements:
    """Everything the gate judges by."""

    incumbent: VoiceReport
    candidate: VoiceReport
    margins: tuple[Margin, ...] | None  # held-out players' rows
    chosen_words: float | None  # mean length of the replies held-out players chose
    drift: Drift | None
    timings: tuple[Timing, ...] | None
    reward_duel: RewardDuel | None = None  # None = no head was asked
    unread: tuple[str, ...] = ()  # what the checks cannot tell in the character's language
