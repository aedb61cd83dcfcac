"""What a reward head promises, on a tiny real model that reads bytes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from feedback_store.selection import HeldOutBy
from npc_server.engine.vocab import Vocab
from personas.render import reply_ids
from tests.support.engine_logits import engine_logits
from tests.support.reward_heads import SMALL, spoken_replies, tastes, train_head
from tests.support.watching import ignore
from trainer.errors import AdapterError, ConfigError, DivergedError, RowsError
from trainer.heads import head_card, reward_head
from trainer.heads.reward_head import Config, HeadResult
from trainer.lora import StartingPoint, load_voice
from trainer.progress import Progress, RunIO
from trainer.settings import Schedule


@pytest.fixture(scope="module")
def head(base_dir: Path, tokenizer: Vocab, tmp_path_factory: pytest.TempPathFactory) -> HeadResult:
    return train_head(base_dir, tokenizer, tmp_path_factory.mktemp("head") / "out")


def test_it_learns_a_taste_and_holds_it_for_players_it_never_saw(head: HeadResult) -> None:
    assert (head.rows, head.held_out_rows, head.steps) == (32, 16, 16)
    assert head.held_out_accuracy > 0.9
    assert head.interval.low > 0.5
    assert head.history[-1].accuracy == 1.0
    assert head.history[-1].margin is not None
    assert head.history[-1].margin > 1.0


def test_a_score_is_the_difference_of_two_logits_under_the_adapter(
    head: HeadResult, base_dir: Path, tokenizer: Vocab
) -> None:
    replies = spoken_replies(tokenizer)
    made = reward_head.scores(base_dir, head.adapter, replies, ignore)
    model = load_voice(base_dir, head.adapter)
    good, bad = tokenizer.encode("g") + tokenizer.encode("b")
    for (asked, said), one in zip(replies, made, strict=True):
        with torch.inference_mode():
            logits = model(torch.tensor([[*asked, *said]])).logits[0, -1]
        assert one == pytest.approx(float(logits[good] - logits[bad]), abs=1e-4)


def test_training_scores_as_scoring_does(
    base_dir: Path, tokenizer: Vocab, head: HeadResult, tmp_path: Path
) -> None:
    start = StartingPoint(base_dir, tokenizer, head.adapter)
    rows = tastes(0, 20, tokenizer)
    one_batch = replace(SMALL.schedule, batch_rows=20, micro_batch_rows=20)
    config = replace(SMALL, schedule=one_batch)
    judges = [replace(row, player_id=f"judge-{at % 2}") for at, row in enumerate(rows)]
    first = reward_head.run(config, rows, judges, start, tmp_path / "out", RunIO(ignore)).history[0]
    chosen = [(row.prompt_ids, reply_ids(row.chosen, tokenizer)) for row in rows]
    rejected = [(row.prompt_ids, reply_ids(row.rejected, tokenizer)) for row in rows]
    made = reward_head.scores(base_dir, head.adapter, chosen + rejected, ignore)
    assert first.margin == pytest.approx((sum(made[:20]) - sum(made[20:])) / 20, abs=1e-4)


def test_the_engine_reads_the_same_score_from_its_pool(
    head: HeadResult, base_dir: Path, tiny_model: Path, tokenizer: Vocab
) -> None:
    replies = spoken_replies(tokenizer)
    made = reward_head.scores(base_dir, head.adapter, replies, ignore)
    card = head_card.read(head.adapter)
    for (asked, said), one in zip(replies, made, strict=True):
        logits = engine_logits(tiny_model, head.adapter, (*asked, *said))
        # The engine holds adapters in 16 bits.
        assert logits[card.good.token] - logits[card.bad.token] == pytest.approx(one, abs=0.02)


def test_a_head_is_two_adapter_files_and_a_card(head: HeadResult) -> None:
    assert sorted(path.name for path in head.adapter.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "head.json",
    ]


def test_the_same_training_gives_the_same_bytes(
    head: HeadResult, base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    again = train_head(base_dir, tokenizer, tmp_path / "again")
    for file in head.adapter.iterdir():
        assert (again.adapter / file.name).read_bytes() == file.read_bytes()


def test_an_interrupted_training_ends_in_the_same_bytes(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.step == 7:
            raise KeyboardInterrupt

    schedule = replace(SMALL.schedule, patience=3)
    config, files = replace(SMALL, schedule=schedule), tmp_path / "checkpoints"
    whole = train_head(base_dir, tokenizer, tmp_path / "whole", config)
    with pytest.raises(KeyboardInterrupt):
        train_head(base_dir, tokenizer, tmp_path / "out", config, io=RunIO(interrupt, files, 0))
    resumed = train_head(base_dir, tokenizer, tmp_path / "out", config, io=RunIO(ignore, files, 0))
    assert resumed.history == whole.history
    for file in whole.adapter.iterdir():
        assert (resumed.adapter / file.name).read_bytes() == file.read_bytes()


def test_its_card_tells_what_it_is_worth(
    head: HeadResult, base_dir: Path, tokenizer: Vocab
) -> None:
    card = head_card.read(head.adapter)
    assert (card.base, card.rows, card.held_out_rows) == (base_dir.name, 32, 16)
    assert (card.held_out_accuracy, card.interval) == (head.held_out_accuracy, head.interval)
    assert [card.good.token, card.bad.token] == tokenizer.encode("gb")


def test_another_base_is_refused(head: HeadResult, base_dir: Path, tmp_path: Path) -> None:
    other = shutil.copytree(base_dir, tmp_path / "0123456789abcdef")
    with pytest.raises(AdapterError, match=f"base {base_dir.name}, not on 0123456789abcdef"):
        reward_head.scores(other, head.adapter, [((1,), (2,))], ignore)


@pytest.mark.parametrize("damage", [None, "{", json.dumps({"base": "x"})])
def test_what_is_no_head_is_refused(
    head: HeadResult, base_dir: Path, tmp_path: Path, damage: str | None
) -> None:
    voice = shutil.copytree(head.adapter, tmp_path / "voice")
    (voice / "head.json").unlink()
    if damage is not None:
        (voice / "head.json").write_text(damage)
    with pytest.raises(AdapterError, match="no reward head"):
        reward_head.scores(base_dir, voice, [((1,), (2,))], ignore)


def test_too_few_pairs_are_refused_with_their_counts(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    with pytest.raises(RowsError, match="19 of 20 training pairs, 16 of 8 held-out pairs, 4 of 2"):
        train_head(base_dir, tokenizer, tmp_path / "out", rows=19)


def test_a_held_out_player_is_never_trained_on(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    rows = tastes(0, 24, tokenizer)  # three pairs a player
    judges = [
        replace(
            row, held_out_by=HeldOutBy.PLAYER if row.player_id == "player-3" else HeldOutBy.TIME
        )
        for row in rows
    ]
    start = StartingPoint(base_dir, tokenizer, None)
    with pytest.raises(RowsError, match="3 of 24 training pairs are of held-out players"):
        reward_head.run(SMALL, rows, judges, start, tmp_path / "out", RunIO(ignore))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"good": " good"}, "one token of this base, not 5"),
        ({"good": "b"}, "another word than the good one"),
    ],
)
def test_words_that_make_no_score_are_refused(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path, words: dict[str, str], why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        train_head(base_dir, tokenizer, tmp_path / "out", replace(SMALL, **words))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "schedule"),
    [
        ("rehearsed_share", Schedule(continued_rate=1)),
        ("continued_rate", Schedule(rehearsed_share=0)),
    ],
)
def test_settings_it_would_ignore_are_refused(name: str, schedule: Schedule) -> None:
    with pytest.raises(ConfigError, match=name):
        Config(schedule=schedule)


def test_a_loss_that_is_no_number_stops_it(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    broken = shutil.copytree(base_dir, tmp_path / base_dir.name)
    (weights,) = broken.glob("model-*.safetensors")
    tensors = load_file(weights)
    tensors["model.norm.weight"].fill_(float("nan"))
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(DivergedError):
        train_head(broken, tokenizer, tmp_path / "out")
    assert not (tmp_path / "out" / "head.json").exists()


def test_a_pairs_trust_scales_what_it_teaches(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    distrusted = [replace(row, weight=0.1) for row in tastes(0, 32, tokenizer)]
    judges = [replace(row, player_id=f"judge-{at % 4}") for at, row in enumerate(distrusted)]
    config = replace(SMALL, schedule=replace(SMALL.schedule, epochs=1, warmup_share=0.0))
    start = StartingPoint(base_dir, tokenizer, None)
    rows = (*distrusted[:16], *tastes(16, 16, tokenizer))
    mixed = reward_head.run(config, rows, judges, start, tmp_path / "mixed", RunIO(ignore))
    equal = reward_head.run(
        config, tastes(0, 32, tokenizer), judges, start, tmp_path / "equal", RunIO(ignore)
    )
    first, plain = mixed.history[0], equal.history[0]
    assert replace(first, grad_norm=plain.grad_norm) == plain  # values as they are
    assert first.grad_norm != plain.grad_norm
    assert mixed.history[-1] != equal.history[-1]
