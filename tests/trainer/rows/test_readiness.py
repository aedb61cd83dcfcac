"""When a night is worth it."""

from dataclasses import replace

import pytest

from npc_server.engine.vocab import Vocab
from personas.persona import Training
from tests.support.rows import of_one_player, snapshot
from tests.support.smiths import smith
from trainer.errors import ConfigError
from trainer.methods.table import candidates
from trainer.rows.readiness import (
    Plan,
    Thresholds,
    Wait,
    decide,
    wait_for_designer,
    wait_for_lists,
)

NEEDS = Thresholds(min_pairs=10, min_labels=20, min_of_each_label=5, min_held_out=4)
BY_ROWS = candidates(None)


def test_enough_pairs_train_dpo(tokenizer: Vocab) -> None:
    rows = snapshot(tokenizer, pairs=10, held_out_pairs=4)
    assert decide(rows, NEEDS, BY_ROWS) == Plan("dpo", "10 pairs are enough")


def test_pairs_win_over_thumbs(tokenizer: Vocab) -> None:
    rows = snapshot(tokenizer, pairs=10, held_out_pairs=4, good=20, bad=20, held_out_thumbs=4)
    plan = decide(rows, NEEDS, BY_ROWS)
    assert isinstance(plan, Plan)
    assert plan.method == "dpo"


def test_thumbs_alone_train_kto(tokenizer: Vocab) -> None:
    rows = snapshot(tokenizer, pairs=9, held_out_pairs=4, good=15, bad=5, held_out_thumbs=4)
    plan = decide(rows, NEEDS, BY_ROWS)
    assert isinstance(plan, Plan)
    assert plan.method == "kto"


@pytest.mark.parametrize(
    ("sizes", "what"),
    [
        ({"pairs": 9, "held_out_pairs": 4}, "training pairs"),
        ({"pairs": 10, "held_out_pairs": 3}, "held-out pairs"),
        ({"good": 12, "bad": 7, "held_out_thumbs": 4}, "training thumbs"),
        ({"good": 18, "bad": 4, "held_out_thumbs": 4}, "training thumbs of the rarer kind"),
        ({"good": 14, "bad": 6, "held_out_thumbs": 3}, "held-out thumbs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_waiting_names_what_is_missing(tokenizer: Vocab, sizes: dict[str, int], what: str) -> None:
    wait = decide(snapshot(tokenizer, **sizes), NEEDS, BY_ROWS)
    assert isinstance(wait, Wait)
    assert [short.what for short in wait.missing] == [what]
    assert what in wait.reason


def test_one_player_does_not_write_a_character_alone(tokenizer: Vocab) -> None:
    rows = snapshot(tokenizer, pairs=10, held_out_pairs=4)
    wait = decide(replace(rows, train_pairs=of_one_player(rows.train_pairs)), NEEDS, BY_ROWS)
    assert isinstance(wait, Wait)
    assert [short.have for short in wait.missing] == [1, 0]


def test_nothing_yet_is_a_wait(tokenizer: Vocab) -> None:
    assert isinstance(decide(snapshot(tokenizer), NEEDS, BY_ROWS), Wait)


def test_a_character_whose_language_the_gate_cannot_read_waits() -> None:
    bare = smith("fi").model_copy(update={"unsafe": ()})
    waiting = wait_for_lists(bare)
    assert waiting is not None
    assert "no list of unsafe words in Finnish, write unsafe: in persona.yaml" in waiting.reason
    assert wait_for_lists(smith("fi")) is None


def test_a_character_whose_designer_switched_training_off_waits() -> None:
    resting = smith("fi").model_copy(update={"training": Training(enabled=False)})
    waiting = wait_for_designer(resting)
    assert waiting is not None
    assert "`training: {enabled: false}`" in waiting.reason
    assert wait_for_designer(smith("fi")) is None


def test_a_threshold_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="min_held_out=0"):
        Thresholds(min_held_out=0)
