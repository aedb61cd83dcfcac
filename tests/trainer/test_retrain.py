"""A whole retraining on a tiny real model: from stored feedback to an alias."""

import fcntl
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedback_store.records import Edit, Payload, Reaction, Session, Thumb, Turn
from feedback_store.store import Store
from npc_server.engine.llama import Vocab
from personas.adapter_repo import AdapterRepo
from personas.persona import load_characters
from personas.render import prompt
from trainer import gate, retrain
from trainer.errors import ClaimedError, MissingStoreError, UnknownCharacterError
from trainer.job import Job
from trainer.progress import Progress
from trainer.retrain import State

ENOUGH = 140  # turns; a fifth of the players is held out
NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: A model of random weights cannot know facts or keep its length: only the preference is judged.
ONLY_PREFERENCE = gate.Thresholds(
    max_probe_drop=1,
    max_out_of_character_rise=1,
    max_taboo_rise=1,
    max_too_short=1,
    max_repetition_rise=1,
    max_longer=1000,
    min_shorter=1e-9,
    min_distinct=0,
)

PERSONA = """\
id: bo
name: Bo
role: a guard
summary: You are brief.
voice: {style: You bark.}
sampling: {max_reply_tokens: 6}
"""
LORE = "facts: [{id: gate, fact: The gate is north., keywords: [north]}]\n"
PROBES = "probes: [{id: where, kind: fact, about: gate, ask: 'Where?'}]\n"


def ignore(_stage: str, _progress: Progress) -> None:
    """Nobody watches."""


@pytest.fixture
def job(tiny_model: Path, base_dir: Path, tmp_path: Path) -> Job:
    """A cast of one, with a store nobody has written to."""
    folder = tmp_path / "cast" / "bo"
    folder.mkdir(parents=True)
    for name, text in (("persona", PERSONA), ("lore", LORE), ("probes", PROBES)):
        (folder / f"{name}.yaml").write_text(text)
    return Job(
        character="bo",
        base=tiny_model,
        characters=tmp_path / "cast",
        store=tmp_path / "feedback.db",
        adapters=tmp_path / "adapters",
        cache=base_dir.parent.parent,
    )


def turns(job: Job, count: int) -> Iterator[tuple[Session, Turn]]:
    """As many turns as asked for, of twenty players."""
    persona = load_characters(job.characters)["bo"]
    vocab = Vocab(job.base)
    for i in range(count):
        name, line = f"player-{i % 20}", f"Line {i}?"
        yield (
            Session(f"s{i}", name, "bo", persona.version, True, NOW),
            Turn(
                turn_id=f"t{i}",
                session_id=f"s{i}",
                character="bo",
                player_id=name,
                persona_version=persona.version,
                adapter_version="",
                adapter_hash="",
                base_sha256="",
                messages=(),
                prompt_ids=prompt(persona, (), line, vocab, 500).ids,
                reply_ids=(),
                player_text=line,
                reply_text=f"zz{i} yy xx ww vv",
                take=0,
                first_turn_id=f"t{i}",
                finish_reason="stop",
                sampling={},
                seed=0,
                arm_probability=1.0,
                logprob=None,
                queue_ms=0,
                ttft_ms=0,
                total_ms=0,
                created_at=NOW,
                consent=True,
            ),
        )


def corrected(turn: Turn) -> Payload:
    """The player says it better."""
    return Edit(f"Halt {turn.turn_id}!")


def thumbed(turn: Turn) -> Payload:
    """The player likes every second reply."""
    return Thumb(up=int(turn.turn_id[1:]) % 2 == 0)


def play(job: Job, count: int, react: Callable[[Turn], Payload] = corrected) -> None:
    """Every turn gets its player's reaction."""
    with Store.open(job.store) as store:
        for session, turn in turns(job, count):
            store.record_session(session).result(5)
            store.record_turn(turn).result(5)
            store.submit(Reaction(f"e-{turn.turn_id}", react(turn), NOW, turn.turn_id)).result(5)


def test_a_candidate_that_passes_the_gate_goes_live(job: Job) -> None:
    play(job, ENOUGH)
    outcome = retrain.run(job, promote=True, tell=ignore, limits=ONLY_PREFERENCE)
    repo = AdapterRepo(job.adapters)
    assert outcome.state is State.PROMOTED, outcome.reason
    assert repo.aliases("bo").live == outcome.version
    manifest = repo.verify("bo", outcome.version)
    assert (manifest.method, manifest.parent) == ("dpo", None)
    assert manifest.gate["passed"] is True
    assert manifest.persona_version == load_characters(job.characters)["bo"].version


def test_the_next_candidate_continues_the_live_one(job: Job) -> None:
    play(job, ENOUGH)
    first = retrain.run(job, promote=True, tell=ignore, limits=ONLY_PREFERENCE)
    second = retrain.run(job, promote=False, tell=ignore, limits=ONLY_PREFERENCE)
    repo = AdapterRepo(job.adapters)
    assert second.state is State.PUBLISHED, second.reason
    assert repo.manifest("bo", second.version).parent == first.version
    assert repo.aliases("bo").live == first.version


def test_a_candidate_that_fails_the_gate_is_not_published(job: Job) -> None:
    play(job, ENOUGH)
    outcome = retrain.run(job, promote=True, tell=ignore, limits=gate.Thresholds(min_margins=999))
    assert outcome.state is State.REJECTED
    assert outcome.reason.startswith("preference")
    assert AdapterRepo(job.adapters).versions("bo") == []


def test_thumbs_alone_are_trained_with_kto_and_judged(job: Job) -> None:
    play(job, 180, thumbed)
    outcome = retrain.run(job, promote=True, tell=ignore, limits=ONLY_PREFERENCE)
    assert outcome.trained is not None, outcome.reason
    assert outcome.verdict is not None
    published = AdapterRepo(job.adapters).versions("bo")
    assert [manifest.method for manifest in published] == ["kto"] * outcome.verdict.passed


def test_too_little_feedback_waits_and_says_what_is_missing(job: Job) -> None:
    play(job, 6)
    outcome = retrain.run(job, promote=True, tell=ignore)
    assert outcome.state is State.WAITING
    assert "training pairs" in outcome.reason


def test_a_character_is_trained_by_one_process_at_a_time(job: Job) -> None:
    play(job, ENOUGH)
    (job.adapters / "bo").mkdir(parents=True)
    with (job.adapters / "bo" / ".training").open("w") as claimed:
        fcntl.flock(claimed, fcntl.LOCK_EX)
        with pytest.raises(ClaimedError):
            retrain.run(job, promote=True, tell=ignore)


def test_a_store_nobody_wrote_to_is_named(job: Job) -> None:
    with pytest.raises(MissingStoreError, match=r"feedback\.db"):
        retrain.run(job, promote=True, tell=ignore)


def test_an_unknown_character_is_refused_with_the_known_ones(job: Job) -> None:
    stranger = Job(**{**vars(job), "character": "zed"})
    with pytest.raises(UnknownCharacterError, match="known: bo"):
        retrain.run(stranger, promote=True, tell=ignore)


def test_the_command_answers_in_json(job: Job) -> None:
    play(job, 6)
    flags = [
        f"--{name}={getattr(job, name)}"
        for name in ("base", "characters", "store", "adapters", "cache")
    ]
    done = subprocess.run(
        [sys.executable, "-m", "trainer.worker", "bo", "--readiness", "--json", *flags],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert done.returncode == 3
    assert json.loads(done.stdout)["state"] == "waiting"
