"""What a run was begun on, and how it ended."""

from trainer.records.entries import Ending, State, Terms

TERMS = Terms(
    character="mira",
    base_sha256="b" * 64,
    persona_version="p1",
    parent=None,
    live=None,
    method="dpo",
    config={"lora": {"rank": 16}},
    gate={},
    reward_head=None,
    reason="60 pairs are enough",
    snapshot_hash="s" * 64,
    counts={"train_pairs": 60},
    dropped={"tie": 2},
    started_at="2026-01-01T03:00:00+00:00",
)


ENDING = Ending(
    state=State.REJECTED,
    reasons=("preference: 0.5 against 0.5",),
    version="",
    curves={"step": [1, 2, 3], "loss": [0.9, float("nan"), 0.5]},
    seconds={"train": 12.5},
    started_at=TERMS.started_at,
    finished_at="2026-01-01T03:10:00+00:00",
    settled=True,
)
