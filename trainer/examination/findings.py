"""What the checks find in a voice's replies, one finding per reply. Pure."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence

from languages.folding import fold
from personas import checks
from personas.actions import NO_ACTION
from personas.faults import Fault, ReplyInContext, find_faults
from personas.persona import Persona, Probe, ProbeKind
from personas.words import word_runs
from trainer.examination.questions import Question
from trainer.examination.replies import Reply
from trainer.examination.shown import Shown
from trainer.gate import CheckedReply, QuestionKind, VoiceReport
from trainer.gate.measurements import DUEL_FAULTS, EVERYDAY, SHOWN

ALWAYS = DUEL_FAULTS | {Fault.NO_CONTENT, Fault.PARROT}
OPENING_WORDS = 12  # longer replies have rarer bigrams, and no merit in it


def report(persona: Persona, replies: Sequence[Reply]) -> VoiceReport:
    """Everything the gate wants to know of what a voice said."""
    rounds = _rounds(reply for reply in replies if reply.question.kind in EVERYDAY)
    return VoiceReport(
        heard=tuple(check_reply(persona, reply) for reply in replies),
        distinct_replies=_distinct(
            [[fold(" ".join(text.split())) for text in round_] for round_ in rounds]
        ),
        distinct_bigrams=_distinct([_bigrams(round_) for round_ in rounds]),
    )


def check_reply(persona: Persona, reply: Reply) -> CheckedReply:
    """Check one reply."""
    question, text = reply.question, reply.text
    return CheckedReply(
        question=question.id,
        cluster=question.cluster,
        kind=question.kind,
        words=checks.word_count(text),
        repeated_trigrams=checks.repeated_trigram_share(text),
        passed=_passes(persona, reply),
        faults=_faults(persona, question, text),
    )


def _passes(persona: Persona, reply: Reply) -> bool | None:
    question, text = reply.question, reply.text
    probe, fact = question.probe, question.fact
    if probe is None:
        return None
    if question.kind in SHOWN:
        return _shows_what_is_expected(probe, reply.shown)
    if question.kind is QuestionKind.FALSEHOOD and fact is not None:
        claim, language = fact.contradictions[0], persona.language
        return checks.word_count(text) > 0 and not checks.agrees(text, claim, fact, language)
    return checks.probe_passed(probe, text, persona)


def _shows_what_is_expected(probe: Probe, shown: Shown | None) -> bool | None:
    if shown is None:
        return None
    if probe.kind is ProbeKind.EMOTION:
        return shown.emotion == probe.expect_emotion
    return (shown.action or NO_ACTION) == probe.expect_action


def _faults(persona: Persona, question: Question, text: str) -> Mapping[Fault, bool]:
    reply = ReplyInContext(persona, text, question.line, fact=question.fact)
    with_lore = question.fact is not None and question.fact.contradictions
    return find_faults(reply, ALWAYS | {Fault.CONTRADICTION} if with_lore else ALWAYS)


def _rounds(replies: Iterable[Reply]) -> list[list[str]]:
    """The first reply to every question, the second to every question, and so on.

    Replies to one question may be alike: a voice that knows the answer repeats it.
    """
    asked: Counter[tuple[int, ...]] = Counter()
    rounds: list[list[str]] = []
    for reply in replies:
        number = asked[reply.question.prompt_ids]
        asked[reply.question.prompt_ids] += 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(reply.text)
    return rounds


def _distinct(rounds: Sequence[Sequence[Hashable]]) -> float | None:
    """The share of different things in a round, averaged over rounds by their size."""
    every = sum(len(round_) for round_ in rounds)
    return sum(len(set(round_)) for round_ in rounds) / every if every else None


def _bigrams(texts: Iterable[str]) -> list[tuple[str, ...]]:
    return [pair for text in texts for pair in word_runs(text, 2, within=OPENING_WORDS)]
