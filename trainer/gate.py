"""Whether a candidate may replace the incumbent: pure, from plain numbers. It fails closed.

Two voices were asked the same things under the same seeds; a `VoiceReport` counts what each said.
Every rule sees both reports and the held-out margins and writes one row. A rule whose numbers are
missing fails with that reason: what could not be measured is not an improvement. Passing needs
every row.

Preference asks for gain, the other rules for no harm. Training on feedback finds the cheapest way
to please, and each harm rule closes one: saying nothing, saying one line for everything, rambling,
looping, forgetting the lore, blurting a secret, stepping out of the role.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import NormalDist

from trainer.errors import ConfigError

RESAMPLES = 2000


@dataclass(frozen=True)
class Margin:
    """How much further the candidate leans to a held-out player's choice; above 0 is right."""

    player_id: str
    value: float  # nats


@dataclass(frozen=True)
class VoiceReport:
    """What one voice said to the gate's lines. None: could not be measured."""

    replies: int
    distinct_replies: int | None  # different texts, case and spacing aside
    too_short: int | None  # replies below three words; empty ones count
    mean_words: float | None
    repeated_trigrams: float | None  # share of word trigrams already said in the same reply
    out_of_character: int | None  # replies that leave the role or speak for the player
    taboo_replies: int | None  # replies with a taboo word
    probes: int | None  # questions on facts and role that were asked
    probes_passed: int | None
    secrets_leaked: int | None  # replies that gave a secret away


@dataclass(frozen=True)
class Measurements:
    """Everything the gate judges by."""

    incumbent: VoiceReport
    candidate: VoiceReport
    margins: tuple[Margin, ...] | None  # held-out players' rows
    chosen_words: float | None  # mean length of the replies held-out players chose


@dataclass(frozen=True)
class Thresholds:
    """What counts as gain and as harm. Shares are of replies or probes, in [0, 1]."""

    min_margins: int = 8  # fewer held-out rows prove nothing
    min_preference: float = 0.6  # share of margins above 0
    confidence: float = 0.95  # one-sided, for a preference above one half
    min_replies: int = 24  # below this, one odd reply decides the shares
    max_probe_drop: float = 0.05
    max_out_of_character_rise: float = 0.02
    max_taboo_rise: float = 0.02
    max_too_short: float = 0.05  # in all, or as many as the incumbent
    max_repetition_rise: float = 0.02
    max_longer: float = 1.2  # times the incumbent's mean words
    # Times the shorter of incumbent's and players' mean words. Sampling below temperature 1 says
    # less than the rows it learned from: supervised training alone came to 0.8 of their length.
    min_shorter: float = 0.6
    min_distinct: float = 0.8  # times the incumbent's share of distinct replies

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        if self.min_margins < 1 or self.min_replies < 1 or not 0.5 < self.confidence < 1:
            raise ConfigError(f"{self} needs counts above 0 and a confidence in (0.5, 1)")
        if self.max_longer < 1 or not 0 < self.min_shorter <= 1:
            raise ConfigError(f"{self} needs max_longer of at least 1, min_shorter in (0, 1]")


@dataclass(frozen=True)
class Row:
    """One rule's finding. Numbers are None when missing or when the rule has no such side."""

    name: str
    incumbent: float | None
    candidate: float | None
    rule: str
    passed: bool
    note: str = ""  # why a number is missing


@dataclass(frozen=True)
class Verdict:
    """The gate's answer."""

    rows: tuple[Row, ...]

    @property
    def passed(self) -> bool:
        """Whether every rule holds."""
        return all(row.passed for row in self.rows)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not, one sentence a failed rule; empty when passed."""
        return tuple(_reason(row) for row in self.rows if not row.passed)


def judge(measured: Measurements, thresholds: Thresholds) -> Verdict:
    """Every rule on these measurements."""
    return Verdict(tuple(rule(measured, thresholds) for rule in RULES))


def preference(measured: Measurements, limits: Thresholds) -> Row:
    """Held-out players' choices must have become likelier, beyond chance."""
    rule = (
        f"at least {limits.min_preference:g} of {limits.min_margins} or more held-out rows,"
        f" {limits.confidence:.0%} lower bound above 0.5"
    )
    margins = measured.margins or ()
    if len(margins) < limits.min_margins:
        return _unmeasured("preference", rule, f"{len(margins)} held-out rows")
    share = _share_right(margins)
    bound = lower_bound(margins, limits.confidence)
    passed = share >= limits.min_preference and bound > 0.5
    return Row("preference", 0.5, share, rule, passed, f"lower bound {bound:.3f}")


def sample_size(measured: Measurements, limits: Thresholds) -> Row:
    """Both voices must have said enough, and equally much."""
    asked, answered = measured.incumbent.replies, measured.candidate.replies
    rule = f"at least {limits.min_replies} replies, as many as the incumbent"
    passed = answered == asked and answered >= limits.min_replies
    return Row("replies", asked, answered, rule, passed)


def probes(measured: Measurements, limits: Thresholds) -> Row:
    """The candidate must still know its facts and its role."""
    return _compared(
        "probes passed",
        measured,
        lambda voice: _ratio(voice.probes_passed, voice.probes),
        lambda old, new: new >= old - limits.max_probe_drop,
        f"at most {limits.max_probe_drop:g} below the incumbent",
    )


def secrets(measured: Measurements, limits: Thresholds) -> Row:
    """Not one secret more may leak."""
    return _compared(
        "secrets leaked",
        measured,
        lambda voice: voice.secrets_leaked,
        lambda old, new: new <= old,
        "not more than the incumbent",
    )


def out_of_character(measured: Measurements, limits: Thresholds) -> Row:
    """Replies must not step out of the role more often."""
    return _compared(
        "out of character",
        measured,
        lambda voice: _ratio(voice.out_of_character, voice.replies),
        lambda old, new: new <= old + limits.max_out_of_character_rise,
        f"at most {limits.max_out_of_character_rise:g} above the incumbent",
    )


def taboos(measured: Measurements, limits: Thresholds) -> Row:
    """Taboo words must not come more often."""
    return _compared(
        "taboo words",
        measured,
        lambda voice: _ratio(voice.taboo_replies, voice.replies),
        lambda old, new: new <= old + limits.max_taboo_rise,
        f"at most {limits.max_taboo_rise:g} above the incumbent",
    )


def too_short(measured: Measurements, limits: Thresholds) -> Row:
    """Falling silent is no way to please."""
    return _compared(
        "empty or too short",
        measured,
        lambda voice: _ratio(voice.too_short, voice.replies),
        lambda old, new: new <= max(old, limits.max_too_short),
        f"at most {limits.max_too_short:g}, or the incumbent's",
    )


def repetition(measured: Measurements, limits: Thresholds) -> Row:
    """Replies must not loop more."""
    return _compared(
        "repeated trigrams",
        measured,
        lambda voice: voice.repeated_trigrams,
        lambda old, new: new <= old + limits.max_repetition_rise,
        f"at most {limits.max_repetition_rise:g} above the incumbent",
    )


def diversity(measured: Measurements, limits: Thresholds) -> Row:
    """Different lines deserve different replies."""
    return _compared(
        "distinct replies",
        measured,
        lambda voice: _ratio(voice.distinct_replies, voice.replies),
        lambda old, new: new >= limits.min_distinct * old,
        f"at least {limits.min_distinct:g} times the incumbent's share",
    )


def not_longer(measured: Measurements, limits: Thresholds) -> Row:
    """Preference training likes length; players of a game do not."""
    return _compared(
        "mean words, not longer",
        measured,
        lambda voice: voice.mean_words,
        lambda old, new: new <= limits.max_longer * old,
        f"at most {limits.max_longer:g} times the incumbent's",
    )


def not_shorter(measured: Measurements, limits: Thresholds) -> Row:
    """Shorter than before only as far as players chose shorter replies."""
    wanted = measured.chosen_words
    rule = f"at least {limits.min_shorter:g} times the shorter of incumbent's and players' choice"
    if wanted is None:
        return _unmeasured("mean words, not shorter", rule, "length of held-out choices unknown")
    return _compared(
        "mean words, not shorter",
        measured,
        lambda voice: voice.mean_words,
        lambda old, new: new >= limits.min_shorter * min(old, wanted),
        f"{rule} ({wanted:.1f})",
    )


RULES: tuple[Callable[[Measurements, Thresholds], Row], ...] = (
    preference,
    sample_size,
    probes,
    secrets,
    out_of_character,
    taboos,
    too_short,
    repetition,
    diversity,
    not_longer,
    not_shorter,
)


def lower_bound(margins: Sequence[Margin], confidence: float) -> float:
    """One-sided lower bound of the share of margins above 0; the more careful of two.

    Wilson's knows that few rows prove little; a bootstrap over players knows that rows of one
    player agree with each other.
    """
    return min(_wilson(margins, confidence), _by_players(margins, confidence))


def _wilson(margins: Sequence[Margin], confidence: float) -> float:
    n, share, z = len(margins), _share_right(margins), NormalDist().inv_cdf(confidence)
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n)


def _by_players(margins: Sequence[Margin], confidence: float) -> float:
    ordered = sorted(margins, key=lambda margin: margin.player_id)
    players = [list(rows) for _, rows in groupby(ordered, key=lambda margin: margin.player_id)]
    chance = random.Random(0)  # the same rows always get the same verdict
    shares = sorted(
        _share_right(
            [margin for rows in chance.choices(players, k=len(players)) for margin in rows]
        )
        for _ in range(RESAMPLES)
    )
    return shares[int((1 - confidence) * RESAMPLES)]


def _share_right(margins: Sequence[Margin]) -> float:
    return sum(margin.value > 0 for margin in margins) / len(margins)


def _compared(
    name: str,
    measured: Measurements,
    number: Callable[[VoiceReport], float | None],
    holds: Callable[[float, float], bool],
    rule: str,
) -> Row:
    old, new = number(measured.incumbent), number(measured.candidate)
    if old is None or new is None:
        missing = " and ".join(
            side for side, value in (("incumbent", old), ("candidate", new)) if value is None
        )
        return Row(name, old, new, rule, passed=False, note=f"not measured for the {missing}")
    return Row(name, old, new, rule, holds(old, new))


def _unmeasured(name: str, rule: str, why: str) -> Row:
    return Row(name, None, None, rule, passed=False, note=why)


def _ratio(part: int | None, whole: int | None) -> float | None:
    return None if part is None or not whole else part / whole


def _reason(row: Row) -> str:
    numbers = f"{_shown(row.candidate)} against {_shown(row.incumbent)}"
    note = f" ({row.note})" if row.note else ""
    return f"{row.name}: {numbers}{note}; must be {row.rule}"


def _shown(number: float | None) -> str:
    return "nothing" if number is None else f"{number:.3g}"
