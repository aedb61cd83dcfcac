"""Whether the candidate still says enough, in varied words, and its own."""

from personas.faults import Fault
from trainer.gate.measurements import EVERYDAY, CheckedReply, Measurements, QuestionKind
from trainer.gate.rules import RuleResult, compare, missing, paired_replies, unmeasured
from trainer.gate.thresholds import Thresholds


def sample_size(measured: Measurements, limits: Thresholds) -> RuleResult:
    """Both voices must have given enough replies, to the same questions."""
    asked = {reply.question for reply in measured.incumbent.heard}
    answered = {reply.question for reply in measured.candidate.heard}
    rule = f"at least {limits.min_replies} replies, to the incumbent's questions"
    passed = answered == asked and len(answered) >= limits.min_replies
    return RuleResult("replies", len(asked), len(answered), rule, passed)


def too_short(measured: Measurements, limits: Thresholds) -> RuleResult:
    """Falling silent is no way to please."""
    return _rare("empty or too short", Fault.TOO_SHORT, measured, limits, limits.max_too_short)


def no_content(measured: Measurements, limits: Thresholds) -> RuleResult:
    """Nor is politeness without a word of matter."""
    return _rare("without content", Fault.NO_CONTENT, measured, limits, limits.max_no_content)


def parroting(measured: Measurements, limits: Thresholds) -> RuleResult:
    """Nor is repeating the player's line."""
    return _rare("parroted", Fault.PARROT, measured, limits, limits.max_parroted)


def repetition(measured: Measurements, limits: Thresholds) -> RuleResult:
    """Replies must not loop more."""
    return compare(
        "repeated trigrams",
        paired_replies(measured, EVERYDAY),
        lambda reply: reply.repeated_trigrams,
        f"at most {limits.max_repetition_rise:g} above the incumbent",
        lambda old, new, _: new <= old + limits.max_repetition_rise,
        limits.confidence,
    )


def diversity(measured: Measurements, limits: Thresholds) -> RuleResult:
    """Different lines deserve different replies."""
    voices = (measured.incumbent.distinct_replies, measured.candidate.distinct_replies)
    return _of_whole_voices("distinct replies", voices, limits.min_distinct)


def bigrams(measured: Measurements, limits: Thresholds) -> RuleResult:
    """Nor may all replies begin alike."""
    voices = (measured.incumbent.distinct_bigrams, measured.candidate.distinct_bigrams)
    return _of_whole_voices("distinct bigrams", voices, limits.min_distinct_bigrams)


def not_longer(measured: Measurements, limits: Thresholds) -> RuleResult:
    """Preference training likes length; players of a game do not."""
    return compare(
        "mean words, not longer",
        paired_replies(measured, {QuestionKind.LINE}),
        _words,
        f"at most {limits.max_longer:g} times the incumbent's",
        lambda old, new, _: new <= limits.max_longer * old,
        limits.confidence,
    )


def not_shorter(measured: Measurements, limits: Thresholds) -> RuleResult:
    """Shorter than before only as far as players chose shorter replies."""
    wanted = measured.chosen_words
    rule = f"at least {limits.min_shorter:g} times the shorter of incumbent's and players' choice"
    if wanted is None:
        return unmeasured("mean words, not shorter", rule, "length of held-out choices unknown")
    return compare(
        "mean words, not shorter",
        paired_replies(measured, {QuestionKind.LINE}),
        _words,
        f"{rule} ({wanted:.1f})",
        lambda old, new, _: new >= limits.min_shorter * min(old, wanted),
        limits.confidence,
    )


def _rare(
    name: str, fault: Fault, measured: Measurements, limits: Thresholds, most: float
) -> RuleResult:
    def number(reply: CheckedReply) -> float | None:
        known = reply.faults.get(fault)
        return None if known is None else float(known)

    return compare(
        name,
        paired_replies(measured, EVERYDAY),
        number,
        f"at most {most:g}, or the incumbent's",
        lambda old, new, _: new <= max(old, most),
        limits.confidence,
    )


def _words(reply: CheckedReply) -> float:
    return float(reply.words)


def _of_whole_voices(
    name: str, voices: tuple[float | None, float | None], least: float
) -> RuleResult:
    """A number that no single reply has, so it comes without an interval."""
    rule = f"at least {least:g} times the incumbent's share"
    old, new = voices
    if old is None or new is None:
        return unmeasured(name, rule, missing([voices]))
    return RuleResult(name, old, new, rule, new >= least * old)
