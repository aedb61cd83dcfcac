"""A trained head is published, promoted and served with the scores it was trained to give."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from feedback_store.selection import Snapshot
from feedback_store.statistics import Interval
from npc_server.engine.assembly import assemble
from npc_server.engine.core import Event
from npc_server.engine.llama import ContextShape
from npc_server.engine.protocol import Batching, EngineOptions, Finish, Request, Sampling
from npc_server.engine.vocab import Vocab
from personas.adapter_repo import AdapterRepo
from personas.reward_heads import METHOD, words_of
from tests.support import tiny_gguf
from tests.support.reward_heads import spoken_replies, tastes, train_head
from tests.support.rows import snapshot
from tests.support.watching import ignore
from trainer.heads import head_card, reward_head
from trainer.heads.head_publishing import promote_head, publish_head
from trainer.heads.reward_head import HeadResult

BASE_SHA256 = "b" * 64


@pytest.fixture(scope="module")
def head(base_dir: Path, tokenizer: Vocab, tmp_path_factory: pytest.TempPathFactory) -> HeadResult:
    return train_head(base_dir, tokenizer, tmp_path_factory.mktemp("head") / "out")


@pytest.fixture
def rows(tokenizer: Vocab) -> Snapshot:
    return snapshot(tokenizer, pairs=4)


def publish(heads: Path, head: Path, rows: Snapshot) -> str:
    return publish_head(heads, "mira", head, BASE_SHA256, rows, "")


def test_a_version_tells_its_words_and_its_worth(
    head: HeadResult, rows: Snapshot, tmp_path: Path
) -> None:
    version = publish(tmp_path, head.adapter, rows)
    manifest, card = AdapterRepo(tmp_path).verify("mira", version), head_card.read(head.adapter)
    words = words_of(manifest)
    assert words is not None
    assert words.contrast == (card.good.token, card.bad.token)
    assert (manifest.method, manifest.players) == (METHOD, rows.players)
    assert manifest.gate["held_out_accuracy"] == head.held_out_accuracy


def test_what_a_killed_night_published_is_not_published_twice(
    head: HeadResult, rows: Snapshot, tmp_path: Path
) -> None:
    assert publish(tmp_path, head.adapter, rows) == publish(tmp_path, head.adapter, rows)
    assert len(AdapterRepo(tmp_path).versions("mira")) == 1


def test_a_head_that_may_be_guessing_is_not_published(
    head: HeadResult, rows: Snapshot, tmp_path: Path
) -> None:
    folder = tiny_gguf.write_adapter(tmp_path / "guess", seed=1)
    card = head_card.read(head.adapter)
    head_card.write(replace(card, interval=Interval(0.5, 0.9)), folder)
    assert publish(tmp_path / "heads", folder, rows) == ""
    assert AdapterRepo(tmp_path / "heads").versions("mira") == []


def test_the_better_head_of_the_same_pairs_is_live(
    head: HeadResult, rows: Snapshot, base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    folder, heads = tiny_gguf.write_adapter(tmp_path / "noise", seed=1), tmp_path / "heads"
    head_card.write(head_card.read(head.adapter), folder)  # it only claims to be as good
    noise, good = publish(heads, folder, rows), publish(heads, head.adapter, rows)
    pairs = tastes(300, 12, tokenizer)
    went_live = [
        promote_head(heads, "mira", version, base_dir, tokenizer, pairs)
        for version in (noise, good, noise)
    ]
    assert went_live == [True, True, False]
    assert AdapterRepo(heads).aliases("mira").live == good


def test_a_live_head_of_another_base_is_no_rival(
    head: HeadResult, rows: Snapshot, base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    old = publish_head(tmp_path, "mira", head.adapter, "a" * 64, rows, "")
    AdapterRepo(tmp_path).promote("mira", old)
    folder = tiny_gguf.write_adapter(tmp_path / "noise", seed=1)
    head_card.write(head_card.read(head.adapter), folder)
    new = publish(tmp_path, folder, rows)
    assert promote_head(tmp_path, "mira", new, base_dir, tokenizer, tastes(300, 4, tokenizer))
    assert AdapterRepo(tmp_path).aliases("mira").live == new


# Served as trained


class Scorer:
    """The engine's loop body with a head in it."""

    def __init__(self, model: Path, batching: Batching) -> None:
        shape = ContextShape(sequences=4, context_tokens=512, threads=1)
        self.finished: dict[str, Finish] = {}
        options = EngineOptions(batching=batching, prefill_chunk_tokens=16)
        self.core = assemble(model, shape, options, self._emit)

    def _emit(self, request_id: str, event: Event) -> None:
        if isinstance(event, Finish):
            self.finished[request_id] = event

    def run(self) -> None:
        while self.core.busy:
            self.core.step()


@pytest.fixture(params=list(Batching))
def engine(tiny_model: Path, request: pytest.FixtureRequest) -> Iterator[Scorer]:
    made = Scorer(tiny_model, request.param)
    yield made
    made.core.close()


def test_the_engine_scores_beside_running_replies_as_the_trainer_does(
    head: HeadResult, base_dir: Path, engine: Scorer, tokenizer: Vocab
) -> None:
    replies = spoken_replies(tokenizer)
    made = reward_head.scores(base_dir, head.adapter, replies, ignore)
    card = head_card.read(head.adapter)
    contrast = (card.good.token, card.bad.token)
    engine.core.keep_adapter(engine.core.read_adapter("head", head.adapter))
    talking = Sampling(temperature=0, min_tokens=40, max_tokens=40)
    engine.core.submit(Request("reply", replies[0][0], sampling=talking))
    engine.core.step()
    for at, (asked, said) in enumerate(replies):
        engine.core.submit(Request(f"s{at}", (*asked, *said), "head", choices=contrast))
    engine.run()
    assert len(engine.finished["reply"].token_ids) == 40
    # The engine holds adapters in 16 bits.
    compared = [engine.finished[f"s{at}"].choices for at in range(len(replies))]
    served = [good - bad for good, bad in compared]
    assert served == [pytest.approx(one, abs=0.02) for one in made]
