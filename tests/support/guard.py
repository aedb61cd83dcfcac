"""A cast of one guard, players who correct him, and a training job on the tiny model."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from feedback_store.records import Edit, Payload, Reaction, Session, Thumb, Turn
from feedback_store.store import Store
from npc_server.engine.vocab import Vocab
from personas.persona_files import load_characters
from personas.render import prompt
from tests.support.turns import TURN
from trainer import gate
from trainer.heads import reward_head
from trainer.nightly.job import Job
from trainer.recipes.recipe import Recipe, read

PATIENCE_S = 60  # a write waits long on a busy machine
ENOUGH = 60  # turns, under FEW; a fifth of the players is held out
FEW = {"min_pairs": 24, "min_labels": 48}  # so that a training takes seconds
ROOM_TOKENS = 500  # for a prompt
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
    min_replies=8,
    max_duel_loss=1,
    min_head_wins=0,
    max_kind_drop=1,
    max_injection_drop=1,
    max_falsehood_drop=1,
    max_contradiction_rise=1,
    max_unsafe=1,
    max_no_content=1,
    max_parroted=1,
    min_distinct_bigrams=0,
    max_drift=1000,
    max_perplexity=1000,
    max_slower=1000,
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


def write_cast(folder: Path) -> None:
    """A cast of one guard."""
    (folder / "bo").mkdir(parents=True)
    for name, text in (("persona", PERSONA), ("lore", LORE), ("probes", PROBES)):
        (folder / "bo" / f"{name}.yaml").write_text(text)


def job_in(tmp_path: Path, tiny_model: Path, base_dir: Path) -> Job:
    """A cast of one, without a store yet."""
    write_cast(tmp_path / "cast")
    return Job(
        character="bo",
        base=tiny_model,
        characters=tmp_path / "cast",
        store=tmp_path / "feedback.db",
        adapters=tmp_path / "adapters",
        heads=tmp_path / "heads",
        cache=base_dir.parent.parent,
        runs=tmp_path / "runs",
    )


def turns(job: Job, count: int) -> Iterator[tuple[Session, Turn]]:
    """Make `count` turns of twenty players."""
    persona = load_characters(job.characters)["bo"]
    vocab = Vocab(job.base)
    for i in range(count):
        name, line = f"player-{i % 20}", f"Line {i}?"
        rendered = prompt(persona, (), line, vocab, ROOM_TOKENS)
        yield (
            Session(f"s{i}", name, "bo", persona.version, True, NOW),
            replace(
                TURN,
                turn_id=f"t{i}",
                first_turn_id=f"t{i}",
                session_id=f"s{i}",
                character="bo",
                player_id=name,
                persona_version=persona.version,
                messages=tuple(asdict(message) for message in rendered.messages),
                prompt_ids=rendered.ids,
                player_text=line,
                reply_text=f"zz{i} yy xx ww vv",
                created_at=NOW,
            ),
        )


def corrected(turn: Turn) -> Payload:
    """React with a better reply."""
    return Edit(f"Halt {turn.turn_id}!")


def thumbed(turn: Turn) -> Payload:
    """Like every second reply, and dislike the others."""
    return Thumb(up=int(turn.turn_id[1:]) % 2 == 0)


def play(job: Job, count: int, react: Callable[[Turn], Payload] = corrected) -> None:
    """Store `count` turns, each with its player's reaction."""
    with Store.open(job.store) as store:
        for session, turn in turns(job, count):
            store.record_session(session).result(PATIENCE_S)
            store.record_turn(turn).result(PATIENCE_S)
            reaction = Reaction(f"e-{turn.turn_id}", react(turn), NOW, turn.turn_id)
            store.submit(reaction).result(PATIENCE_S)


#: The tiny model has no words, only bytes.
SHORT: Mapping[str, object] = {"dpo": {"min_steps": 0}}
WITH_HEAD: Mapping[str, object] = {"reward_head": {"good": "g", "bad": "b"}, **SHORT}
WITHOUT_HEAD: Mapping[str, object] = {"reward_head": False, **SHORT}


def recipe(
    limits: gate.Thresholds = ONLY_PREFERENCE, training: Mapping[str, object] = WITHOUT_HEAD
) -> Recipe:
    """The defaults, under these limits."""
    settings = {"gate": asdict(limits), "training": training, "night": FEW}
    return read(settings, "bo", reward_head.Config)
