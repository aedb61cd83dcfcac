"""A whole examination on a tiny real model: adapters, engine, checks and gate."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from npc_server.engine.vocab import Vocab
from personas.persona import Persona
from tests.support.rows import snapshot
from tests.support.scripted_voices import MIRA
from tests.support.watching import ignore
from trainer import gate
from trainer.examination import questions, replies
from trainer.examination.examiner import Examination, Subject, examine
from trainer.gate import QuestionKind
from trainer.heads import reward_head
from trainer.lora import StartingPoint
from trainer.progress import Progress, RunIO
from trainer.settings import LoraShape, Schedule

LORA = LoraShape(rank=4, alpha=8)

#: One of each kind that is read differently.
PROBES = tuple(one for one in MIRA.probes if one.id in {"where-forge", "praise", "broken-axe"})

HEAD_SCHEDULE = Schedule(
    learning_rate=5e-3,
    epochs=2,
    batch_rows=4,
    micro_batch_rows=4,
    rehearsed_share=0.0,
    continued_rate=1,
)


@pytest.fixture(scope="module")
def persona() -> Persona:
    """Mira, of few words: a model that reads letters has little room."""
    short = MIRA.sampling.model_copy(update={"max_reply_tokens": 6})
    lore = MIRA.lore.model_copy(update={"facts": MIRA.lore.facts[:1], "secrets": ()})
    update = {"sampling": short, "lore": lore, "probes": PROBES, "taboos": ()}
    return MIRA.model_copy(update=update)


@pytest.fixture(scope="module")
def subject(tiny_model: Path, base_dir: Path, tokenizer: Vocab, persona: Persona) -> Subject:
    return Subject(tiny_model, base_dir, tokenizer, persona, None)


@pytest.fixture(scope="module", autouse=True)
def few_questions() -> Iterator[None]:
    """Enough for every kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(questions, "PROBE_SEEDS", 2)
        patch.setattr(questions, "INJECTION_SEEDS", 1)
        patch.setattr(questions, "FALSEHOOD_SEEDS", 1)
        patch.setattr(questions, "GATE_LINES", 6)
        patch.setattr(replies, "TIMED_TURNS", 8)
        yield


@pytest.fixture(scope="module")
def examined(subject: Subject, adapter: Path, tokenizer: Vocab) -> Examination:
    return examine(
        subject, adapter, snapshot(tokenizer, held_out_pairs=10), by_labels=False, tell=ignore
    )


def test_everything_is_measured(examined: Examination) -> None:
    rows = gate.judge(examined.measurements, gate.Thresholds(min_replies=1)).rows
    assert [row.name for row in rows if "not measured" in row.note] == []
    assert {reply.kind for reply in examined.measurements.candidate.heard} >= {
        QuestionKind.LINE,
        QuestionKind.FACT,
        QuestionKind.EMOTION,
        QuestionKind.ACTION,
        QuestionKind.INJECTION,
        QuestionKind.FALSEHOOD,
    }


def test_both_voices_are_asked_the_same(examined: Examination) -> None:
    old, new = examined.measurements.incumbent.heard, examined.measurements.candidate.heard
    assert [reply.question for reply in old] == [reply.question for reply in new]
    assert old != new


def test_samples_are_the_designers_questions(examined: Examination, persona: Persona) -> None:
    assert [sample.ask for sample in examined.samples] == [probe.ask for probe in persona.probes]


def test_samples_tell_what_was_shown(examined: Examination, persona: Persona) -> None:
    labels = {f"[{one.label}]" for one in persona.emotions}
    seen = {sample.ask: sample.after.rpartition(" ")[2] for sample in examined.samples}
    told, felt, done = (seen[probe.ask] for probe in PROBES)
    assert "[" not in told
    assert felt in labels
    assert done in {"[none]", "[mend_item]", "[forge_axle]"}


def test_the_incumbent_itself_has_nothing_to_gain(
    subject: Subject, adapter: Path, tokenizer: Vocab
) -> None:
    same = replace(subject, incumbent=adapter)
    rows = snapshot(tokenizer, held_out_pairs=10)
    found = examine(same, adapter, rows, by_labels=False, tell=ignore)
    reasons = gate.judge(found.measurements, gate.Thresholds(min_replies=1)).reasons
    assert reasons[0].startswith("preference: 0 against 0.5")


def test_a_reward_head_scores_what_both_said_to_players(
    subject: Subject, adapter: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    start = StartingPoint(subject.base_dir, tokenizer, None)
    rows = snapshot(tokenizer, pairs=24, held_out_pairs=10)
    config = reward_head.Config(LORA, HEAD_SCHEDULE, good="g", bad="b")
    head = reward_head.run(
        config, rows.train_pairs, rows.held_out_pairs, start, tmp_path / "head", RunIO(ignore)
    )
    found = examine(subject, adapter, rows, by_labels=False, head=head.adapter, tell=ignore)
    duel = found.measurements.reward_duel
    assert duel is not None
    assert duel.accuracy == head.held_out_accuracy
    assert [at.cluster for at in duel.scored] == [f"player-{at % 5}" for at in range(6)]
    assert any(at.incumbent != at.candidate for at in duel.scored)


def test_thumbs_judge_where_pairs_do_not(subject: Subject, adapter: Path, tokenizer: Vocab) -> None:
    rows = snapshot(tokenizer, held_out_thumbs=10)
    told: dict[str, Progress] = {}
    found = examine(subject, adapter, rows, by_labels=True, tell=told.__setitem__)
    assert len(found.measurements.margins or ()) == 10
    assert list(told) == ["score held-out rows", "measure the drift", "sample both voices"]
    assert all(progress.step == progress.total_steps for progress in told.values())
