"""Everything that is measured on a candidate before the gate judges it.

Held-out rows by log-probability, distance from the base, both voices sampled and timed on the
serving engine, and a duel of their replies judged by the reward head. Nothing asked was trained on.
One model is in memory at a time: the engine's process ends before the head is loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from feedback_store.selection import Labelled, Origin, Pair, Snapshot
from npc_server.engine.settings import EngineSettings
from npc_server.engine.vocab import Vocab
from npc_server.engine.worker import EngineConfig
from personas.actions import NO_ACTION
from personas.checks import word_count
from personas.lore_notes import LoreSettings
from personas.persona import Persona
from personas.render import Message, reply_ids
from personas.said_lines import said_in_prompt
from trainer import gate
from trainer.examination.drift import measure_drift
from trainer.examination.findings import report
from trainer.examination.margins import held_out_label_margins, held_out_margins
from trainer.examination.questions import DEFAULT_LORE, Line
from trainer.examination.replies import Reply, SampledReplies, sample_replies, within_cores
from trainer.examination.samples import Sample
from trainer.gate.measurements import PROBES, SHOWN
from trainer.heads import head_card, reward_head
from trainer.held import Device
from trainer.progress import OnProgress, Tell
from trainer.vocabulary import chat_tokens


@dataclass(frozen=True)
class Subject:
    """The character that is examined, and the model that would serve it."""

    gguf: Path  # the served model
    base_dir: Path  # the same, dequantised
    vocab: Vocab
    persona: Persona
    incumbent: Path | None  # its adapter folder; None = the bare base
    engine: EngineSettings = field(default_factory=EngineSettings)  # under which it would serve
    device: Device = Device.AUTO  # that scores replies; the engine has its own
    lore: LoreSettings = DEFAULT_LORE  # by which it would be told of its world


@dataclass(frozen=True)
class Examination:
    """What the gate judges by, and samples for people to read."""

    measurements: gate.Measurements
    samples: tuple[Sample, ...]


def examine(
    subject: Subject,
    candidate: Path,
    snapshot: Snapshot,
    *,
    by_labels: bool,
    head: Path | None = None,
    tell: Tell,
) -> Examination:
    """Measure a candidate's folder; `by_labels` judges the preference by labels, not pairs.

    `head` is the folder of a reward head trained without the held-out players.

    Raises BaseModelError, AdapterError, EngineError and PromptTooLongError.
    """
    margins = _margins(subject, candidate, snapshot, by_labels, _stage(tell, "score held-out rows"))
    base_dir, incumbent, vocab = subject.base_dir, subject.incumbent, subject.vocab
    drifting = _stage(tell, "measure the drift")
    drift = measure_drift(base_dir, incumbent, candidate, vocab, drifting, subject.device)
    replies = sample_replies(
        EngineConfig.of(subject.gguf, within_cores(subject.engine), chat_tokens(vocab)),
        vocab,
        subject.persona,
        (incumbent, candidate),
        lines(snapshot, subject.persona),
        subject.lore,
        _stage(tell, "sample both voices"),
    )
    asking = _stage(tell, "ask the reward head")
    duel = _duel(subject, head, replies, asking) if head else None
    measurements = gate.Measurements(
        incumbent=report(subject.persona, replies.incumbent),
        candidate=report(subject.persona, replies.candidate),
        margins=margins,
        chosen_words=chosen_words(snapshot),
        drift=drift,
        timings=replies.timings,
        reward_duel=duel,
        unread=tuple(gap.what for gap in subject.persona.gaps if gap.closes_gate),
    )
    return Examination(measurements, samples(replies))


def lines(snapshot: Snapshot, persona: Persona) -> list[Line]:
    """What held-out players said, as it was rendered with the persona of today."""
    rows: tuple[Pair | Labelled, ...] = (*snapshot.held_out_pairs, *snapshot.held_out_labels)
    return [
        Line(row.prompt_ids, row.player_id, row.player_text, _said_before(row, persona))
        for row in rows
    ]


def _said_before(row: Pair | Labelled, persona: Persona) -> tuple[str, ...]:
    spoken = [Message(message["role"], message["content"]) for message in row.messages]
    return said_in_prompt(persona, spoken)


def chosen_words(snapshot: Snapshot) -> float | None:
    """Mean length that held-out players want a reply to have.

    What they wrote themselves tells it best; what they picked or liked was not theirs to shape.
    """
    pairs = snapshot.held_out_pairs
    written = [pair.chosen for pair in pairs if pair.origin is Origin.EDIT]
    liked = [row.completion for row in snapshot.held_out_labels if row.desirable]
    texts = written or [pair.chosen for pair in pairs] or liked
    return sum(map(word_count, texts)) / len(texts) if texts else None


def samples(replies: SampledReplies) -> tuple[Sample, ...]:
    """The designer's probes, each with one reply of both voices. Never a player's line."""
    return tuple(
        Sample(old.question.line, _as_seen(old), _as_seen(new))
        for old, new in zip(replies.incumbent, replies.candidate, strict=True)
        if old.question.kind in PROBES | SHOWN and old.question.seed == 0
    )


def _as_seen(reply: Reply) -> str:
    """The reply with what is shown besides, where it was asked for."""
    if reply.shown is None:
        return reply.text
    return f"{reply.text} [{reply.shown.emotion or reply.shown.action or NO_ACTION}]"


def _margins(
    subject: Subject, candidate: Path, snapshot: Snapshot, by_labels: bool, scoring: OnProgress
) -> tuple[gate.Margin, ...]:
    base_dir, incumbent, vocab = subject.base_dir, subject.incumbent, subject.vocab
    device = subject.device
    if by_labels:
        labels = snapshot.held_out_labels
        return held_out_label_margins(
            base_dir, incumbent, candidate, labels, vocab, scoring, device
        )
    pairs = snapshot.held_out_pairs
    return held_out_margins(base_dir, incumbent, candidate, pairs, vocab, scoring, device)


def _duel(
    subject: Subject, head: Path, replies: SampledReplies, on_progress: OnProgress
) -> gate.RewardDuel:
    old, new = (_to_players(voice) for voice in (replies.incumbent, replies.candidate))
    ids = [
        (reply.question.prompt_ids, reply_ids(reply.text, subject.vocab)) for reply in (*old, *new)
    ]
    scores = reward_head.scores(subject.base_dir, head, ids, on_progress, subject.device)
    scored = (
        gate.DuelScores(reply.question.cluster, before, after)
        for reply, before, after in zip(old, scores[: len(old)], scores[len(old) :], strict=True)
    )
    return gate.RewardDuel(head_card.read(head).held_out_accuracy, tuple(scored))


def _to_players(replies: Sequence[Reply]) -> list[Reply]:
    return [reply for reply in replies if reply.question.kind is gate.QuestionKind.LINE]


def _stage(tell: Tell, name: str) -> OnProgress:
    return lambda progress: tell(name, progress)
