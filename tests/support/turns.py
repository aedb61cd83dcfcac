"""A turn as the server records it, to be changed where a test is about something else."""

from datetime import UTC, datetime

from feedback_store.records import Turn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

TURN = Turn(
    turn_id="t1",
    session_id="s1",
    character="mira",
    player_id="ann",
    persona_version="aa11",
    adapter_version="",
    adapter_hash="",
    base_sha256="b4se",
    messages=({"role": "user", "content": "Where is the church?"},),
    prompt_ids=(1, 2, 3),
    reply_ids=(7, 8),
    player_text="Where is the church?",
    reply_text="Past the mill, dear.",
    take=0,
    first_turn_id="t1",
    finish_reason="stop",
    sampling={},
    seed=1,
    arm_probability=1.0,
    logprob=None,
    queue_ms=0,
    ttft_ms=0,
    total_ms=0,
    created_at=NOON,
    consent=True,
)
