"""From all characters' feedback to a new base: the first stage of training when it is asked for.

    rows of all characters -> train -> write as GGUF -> measure -> judge -> publish

What players taught one character helps the others: that it be brief, or ask a question back.
An adapter on the base, merged into it, learns that with a night's memory; training all weights
learns more and forgets more. Either way each character then goes on from the new base by its own
rows. If killed, it resumes from its last checkpoint, provided that the rows are the same.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from feedback_store.selection import Snapshot
from npc_server.engine.settings import EngineSettings
from npc_server.engine.vocab import Vocab
from personas.adapter_repo import JSON
from personas.base_repo import BaseDraft, BaseRepo
from personas.persona import Persona
from personas.persona_files import load_characters
from personas.sizes import require_fit
from personas.world_files import Worlds
from trainer.base import ensure_base, file_sha256
from trainer.base_comparison import Bases, require_same
from trainer.gate import Verdict
from trainer.lora import StartingPoint
from trainer.methods.examples import rehearsals
from trainer.nightly import disk
from trainer.own_base.base_gguf import require_writable
from trainer.own_base.base_recipe import BaseRecipe
from trainer.own_base.data_mixture import mix, round_robin
from trainer.own_base.fitness import judge
from trainer.own_base.measuring import measure
from trainer.own_base.training_task import TrainingTask
from trainer.progress import RunIO, RunResult, Tell
from trainer.records.entries import State
from trainer.rows import readiness
from trainer.rows.datasets import Spoken
from trainer.rows.rerender import rerender
from trainer.rows.snapshots import snapshot_of, still_stored
from trainer.settings import as_json
from trainer.vocabulary import open_vocab

FORGOTTEN = "rows it was trained on were deleted meanwhile: a player was forgotten, or they expired"


@dataclass(frozen=True)
class BaseJob:
    """Which base to make, and where everything lies."""

    name: str
    base: Path  # the GGUF it is trained from
    characters: Path
    store: Path
    bases: Path
    cache: Path
    engine: EngineSettings = field(default_factory=EngineSettings)  # of the server
    chat_template: Path | None = None  # a file in place of the base's own template
    worlds: Path | None = None  # a folder of them; None = `worlds` beside the characters

    def open_vocab(self) -> Vocab:
        """Open the vocabulary of the base. Raises BaseModelError."""
        return open_vocab(self.base, self.chat_template)


@dataclass(frozen=True)
class BaseResult:
    """How making a base ended; None for each stage that was not reached."""

    state: State
    reason: str
    gguf: Path | None = None
    trained: RunResult | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class _Context:
    """What the steps work with."""

    job: BaseJob
    recipe: BaseRecipe
    cast: Mapping[str, Persona]
    snapshots: Mapping[str, Snapshot]  # by character, with the prompts of today's personas
    start: StartingPoint

    @property
    def examples(self) -> tuple[Spoken, ...]:
        """The designers' examples of all characters, in turn."""
        most, vocab = self.recipe.config.schedule.max_tokens, self.start.tokenizer
        return round_robin([rehearsals(self.cast[name], vocab, most) for name in sorted(self.cast)])


def run(job: BaseJob, recipe: BaseRecipe, tell: Tell) -> BaseResult:
    """Make the base, unless there is too little to learn or it comes out worse.

    Raises TrainerError, PersonasError and FeedbackStoreError.
    """
    repo = BaseRepo(job.bases)
    require_writable(job.base)
    job.open_vocab()
    cast = load_characters(job.characters, Worlds(job.worlds) if job.worlds else None)
    for persona in cast.values():
        if unread := readiness.wait_for_lists(persona):
            return BaseResult(State.WAITING, unread.reason)
    snapshots = _read_snapshots(job, recipe, cast)
    if missing := readiness.lacking_together(list(snapshots.values()), recipe.needs):
        return BaseResult(State.WAITING, readiness.describe(missing))
    with repo.making(job.name) as folder:
        need = recipe.fine_tuning.copies * disk.dense_bytes(job.base)
        disk.require_room(job.bases, need, "a new base")
        start = StartingPoint(_comparable_base(job, recipe, tell), job.open_vocab(), None)
        context = _Context(job, recipe, cast, snapshots, start)
        made = folder / "made.gguf"
        trained = _train(context, folder, made, tell)
        verdict = _judge(context, made, tell)
        return _conclude(context, repo, made, trained, verdict)


def _comparable_base(job: BaseJob, recipe: BaseRecipe, tell: Tell) -> Path:
    """Unpack the base, and refuse one that is not what is served. Raises BaseModelError."""
    sha256 = file_sha256(job.base)
    base_dir = ensure_base(job.base, job.cache, sha256, job.engine.context_tokens)
    most = recipe.config.schedule.max_tokens
    bases = Bases(job.base, sha256, base_dir, job.engine, most, job.chat_template)
    require_same(bases, lambda progress: tell("compare the base", progress))
    return base_dir


def _read_snapshots(
    job: BaseJob, recipe: BaseRecipe, cast: Mapping[str, Persona]
) -> Mapping[str, Snapshot]:
    vocab, most = job.open_vocab(), recipe.config.schedule.max_tokens
    for name in sorted(cast):
        require_fit(cast[name], vocab, most, "max_tokens in [training]")
    return {
        name: rerender(snapshot_of(job.store, name), cast[name], vocab, most).snapshot
        for name in sorted(cast)
    }


def _train(context: _Context, folder: Path, made: Path, tell: Tell) -> RunResult:
    task = TrainingTask(
        rows=mix(context.snapshots),
        examples=context.examples,
        served=context.job.base,
        start=context.start,
        out=made,
        io=RunIO(lambda progress: tell("train", progress), folder / "checkpoints"),
    )
    return context.recipe.fine_tuning.run(context.recipe.config, task)


def _judge(context: _Context, made: Path, tell: Tell) -> Verdict:
    after = ensure_base(made, made.parent)
    found = measure(
        context.start.base_dir,
        after,
        context.snapshots,
        context.start.tokenizer,
        lambda progress: tell("read held-out edits", progress),
    )
    return judge(found, sorted(context.snapshots), context.recipe.gate)


def _conclude(
    context: _Context, repo: BaseRepo, made: Path, trained: RunResult, verdict: Verdict
) -> BaseResult:
    job = context.job
    if not all(still_stored(job.store, rows) for rows in context.snapshots.values()):
        repo.give_up(job.name)
        return BaseResult(State.ABANDONED, FORGOTTEN, None, trained, verdict)
    if not verdict.passed:
        repo.give_up(job.name)
        return BaseResult(State.REJECTED, "; ".join(verdict.reasons), None, trained, verdict)
    repo.publish(_draft(context, repo, verdict), made)
    gguf = repo.path(job.name)
    return BaseResult(State.PUBLISHED, f"{trained.rows} edits are learned", gguf, trained, verdict)


def _draft(context: _Context, repo: BaseRepo, verdict: Verdict) -> BaseDraft:
    recipe = context.recipe
    parent = file_sha256(context.job.base)
    rows: list[JSON] = [asdict(row) for row in verdict.rows]
    return BaseDraft(
        name=context.job.name,
        parent_sha256=parent,
        method=recipe.fine_tuning.name,
        config=as_json(recipe.config),
        snapshots={name: snapshot.hash for name, snapshot in context.snapshots.items()},
        players=_players(context, repo, parent),
        gate={"passed": verdict.passed, "rows": rows},
    )


def _players(context: _Context, repo: BaseRepo, parent_sha256: str) -> tuple[str, ...]:
    """The players of all rows, and those that the base it was trained from learned from."""
    own = {player for snapshot in context.snapshots.values() for player in snapshot.players}
    of_parent = [base.draft.players for base in repo.bases() if base.sha256 == parent_sha256]
    return tuple(sorted(own.union(*of_parent)))
