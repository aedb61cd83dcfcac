"""From all characters' feedback to a new base: the first stage of training when it is asked for.

    rows of all characters -> train -> write as GGUF -> measure -> judge -> publish

What players taught one character helps the others: that they want it brief, or to be asked back.
An adapter on the base, merged into it, learns that with a night's memory; training all weights
learns more and forgets more. Either way each character then goes on from the new base by its own
rows. A making that was killed goes on from its last checkpoint while the rows are the same.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from feedback_store.selection import Snapshot
from npc_server.engine.llama import Vocab
from personas.adapter_repo import JSON
from personas.base_repo import BaseDraft, BaseRepo
from personas.persona import Persona, load_characters
from trainer import gate
from trainer.base import ensure_base, file_sha256
from trainer.gate import Verdict
from trainer.lora import StartingPoint
from trainer.methods import sft
from trainer.methods.examples import rehearsals
from trainer.nightly import disk
from trainer.own_base import full
from trainer.own_base.base_gguf import require_writable
from trainer.own_base.company import in_turn, together
from trainer.own_base.fitness import judge
from trainer.own_base.measuring import measure
from trainer.own_base.ways import Way
from trainer.progress import RunIO, RunResult, Tell
from trainer.records.entries import State
from trainer.rows import readiness
from trainer.rows.datasets import Spoken
from trainer.rows.rerender import rerender
from trainer.rows.snapshots import snapshot_of, still_stored
from trainer.settings import as_json

FORGOTTEN = "rows it was trained on were deleted meanwhile: a player was forgotten, or they expired"


@dataclass(frozen=True)
class Order:
    """Which base to make, and where everything lies."""

    name: str
    base: Path  # the GGUF it is trained from
    characters: Path
    store: Path
    bases: Path
    cache: Path


@dataclass(frozen=True)
class Recipe:
    """How to train it and when it is good enough."""

    way: Way
    config: sft.Config | full.Config  # as the way wants it
    gate: gate.Thresholds
    needs: readiness.Thresholds


@dataclass(frozen=True)
class Outcome:
    """The end of a making; what it did not come to is None."""

    state: State
    reason: str
    gguf: Path | None = None
    trained: RunResult | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class _Ground:
    """What a making works with."""

    order: Order
    recipe: Recipe
    cast: Mapping[str, Persona]
    company: Mapping[str, Snapshot]  # with the prompts of today's personas
    start: StartingPoint

    @property
    def examples(self) -> tuple[Spoken, ...]:
        """What the designers want each character to say, in turn."""
        most, vocab = self.recipe.config.schedule.max_tokens, self.start.tokenizer
        return in_turn([rehearsals(self.cast[name], vocab, most) for name in sorted(self.cast)])


def run(order: Order, recipe: Recipe, tell: Tell) -> Outcome:
    """Make the base, unless there is too little to learn or it comes out worse.

    Raises TrainerError, PersonasError and FeedbackStoreError.
    """
    repo = BaseRepo(order.bases)
    require_writable(order.base)
    cast = load_characters(order.characters)
    company = _company(order, recipe, cast)
    if missing := readiness.lacking_together(list(company.values()), recipe.needs):
        return Outcome(State.WAITING, readiness.describe(missing))
    with repo.making(order.name) as folder:
        _require_room(order, recipe)
        start = StartingPoint(ensure_base(order.base, order.cache), Vocab(order.base), None)
        ground = _Ground(order, recipe, cast, company, start)
        made = folder / "made.gguf"
        trained = _train(ground, folder, made, tell)
        verdict = _judged(ground, made, tell)
        return _ended(ground, repo, made, trained, verdict)


def _company(order: Order, recipe: Recipe, cast: Mapping[str, Persona]) -> Mapping[str, Snapshot]:
    vocab, most = Vocab(order.base), recipe.config.schedule.max_tokens
    return {
        name: rerender(snapshot_of(order.store, name), cast[name], vocab, most).snapshot
        for name in sorted(cast)
    }


def _require_room(order: Order, recipe: Recipe) -> None:
    disk.require_room(order.bases, recipe.way.copies * disk.dense_bytes(order.base), "a new base")


def _train(ground: _Ground, folder: Path, made: Path, tell: Tell) -> RunResult:
    rows, examples, served = together(ground.company), ground.examples, ground.order.base
    io = RunIO(lambda progress: tell("train", progress), folder / "checkpoints")
    recipe, start = ground.recipe, ground.start
    return recipe.way.run(recipe.config, rows, examples, served, start, made, io)


def _judged(ground: _Ground, made: Path, tell: Tell) -> Verdict:
    after = ensure_base(made, made.parent)
    found = measure(
        ground.start.base_dir,
        after,
        ground.company,
        ground.start.tokenizer,
        lambda progress: tell("read held-out edits", progress),
    )
    return judge(found, sorted(ground.company), ground.recipe.gate)


def _ended(
    ground: _Ground, repo: BaseRepo, made: Path, trained: RunResult, verdict: Verdict
) -> Outcome:
    order = ground.order
    if not all(still_stored(order.store, rows) for rows in ground.company.values()):
        repo.give_up(order.name)
        return Outcome(State.ABANDONED, FORGOTTEN, None, trained, verdict)
    if not verdict.passed:
        repo.give_up(order.name)
        return Outcome(State.REJECTED, "; ".join(verdict.reasons), None, trained, verdict)
    repo.publish(_draft(ground, repo, verdict), made)
    gguf = repo.path(order.name)
    return Outcome(State.PUBLISHED, f"{trained.rows} edits are learned", gguf, trained, verdict)


def _draft(ground: _Ground, repo: BaseRepo, verdict: Verdict) -> BaseDraft:
    recipe = ground.recipe
    parent = file_sha256(ground.order.base)
    rows: list[JSON] = [asdict(row) for row in verdict.rows]
    return BaseDraft(
        name=ground.order.name,
        parent_sha256=parent,
        method=recipe.way.name,
        config=as_json(recipe.config),
        snapshots={name: snapshot.hash for name, snapshot in ground.company.items()},
        players=_players(ground, repo, parent),
        gate={"passed": verdict.passed, "rows": rows},
    )


def _players(ground: _Ground, repo: BaseRepo, parent_sha256: str) -> tuple[str, ...]:
    """Of all rows, and of the base it was trained from, if that learned from players too."""
    own = {player for snapshot in ground.company.values() for player in snapshot.players}
    of_parent = [base.draft.players for base in repo.bases() if base.sha256 == parent_sha256]
    return tuple(sorted(own.union(*of_parent)))
