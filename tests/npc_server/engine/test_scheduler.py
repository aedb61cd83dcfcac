"""What a step computes, for any crowd of turns."""

import pytest

from npc_server.engine.lora.voice import Voice
from npc_server.engine.scheduler import (
    BACKGROUND_CHUNK_TOKENS,
    IDLE_CHUNK_TOKENS,
    Chunk,
    Limits,
    Rotation,
    Step,
    TurnView,
    plan_grouped,
    plan_mixed,
)

LIMITS = Limits(batch_tokens=256, chunk_tokens=64, quantum_steps=2)
A, B = Voice("a"), Voice("b")


def mixed(*turns: TurnView, rotation: Rotation | None = None) -> Step:
    return plan_mixed(turns, rotation or Rotation(), LIMITS)[0]


def test_all_speaking_turns_share_one_decode() -> None:
    step = mixed(TurnView(1, B, 0), TurnView(0, A, 0), TurnView(2, A, 0))
    assert step == Step(None, (0, 1, 2))


def test_a_long_prompt_holds_speakers_up_by_one_chunk() -> None:
    turns, rotation, steps = [TurnView(0, A, 0), TurnView(1, B, 1000)], Rotation(), []
    for _ in range(4):
        step, rotation = plan_mixed(turns, rotation, LIMITS)
        steps.append(step)
    assert steps == [Step(Chunk((1,), (64,))), Step(None, (0, 1))] * 2


def test_a_lone_reader_reads_as_much_as_fits() -> None:
    assert mixed(TurnView(0, A, 1000)) == Step(Chunk((0,), (256,)))


def test_turns_that_arrive_together_read_together() -> None:
    turns = [TurnView(i, Voice(str(i)), 12 + i % 3) for i in range(4)]
    assert mixed(*turns) == Step(Chunk((0, 1, 2, 3), (12, 13, 14, 12)))


def test_a_common_chunk_is_no_longer_than_one_beside_speakers() -> None:
    turns = [TurnView(i, Voice(str(i)), 20) for i in range(8)]
    assert mixed(*turns).chunk == Chunk((0, 1, 2), (20, 20, 20))


def test_a_common_chunk_is_not_stretched_by_one_long_prompt() -> None:
    turns = [TurnView(0, A, 12), TurnView(1, A, 200), TurnView(2, A, 12)]
    assert mixed(*turns).chunk == Chunk((0,), (12,))


def test_padding_never_leaves_the_sequence() -> None:
    turns = [TurnView(0, A, 30), TurnView(1, B, 28, room_tokens=29)]
    assert mixed(*turns).chunk == Chunk((0,), (30,))


def test_a_chunk_ends_where_the_state_is_to_be_saved() -> None:
    assert mixed(TurnView(0, A, 100, until_save=30)).chunk == Chunk((0,), (30,))


def test_what_nobody_waits_for_is_read_in_small_portions() -> None:
    reader = TurnView(1, B, 1000, background=True)
    assert mixed(TurnView(0, A, 0), reader).chunk == Chunk((1,), (BACKGROUND_CHUNK_TOKENS,))
    assert mixed(reader).chunk == Chunk((1,), (256,))


def test_an_idle_turn_reads_while_no_other_does_and_in_small_portions() -> None:
    idle = TurnView(1, B, 1000, background=True, idle=True)
    assert mixed(idle).chunk == Chunk((1,), (IDLE_CHUNK_TOKENS,))
    assert mixed(TurnView(0, A, 0), idle).chunk == Chunk((1,), (BACKGROUND_CHUNK_TOKENS,))
    assert mixed(TurnView(0, A, 0), idle, TurnView(2, A, 40)).chunk == Chunk((2,), (40,))


def test_an_idle_turn_takes_no_steps_from_other_voices() -> None:
    idle = TurnView(1, B, 1000, background=True, idle=True)
    assert grouped([idle, TurnView(0, A, 0)], 6) == [Step(None, (0,))] * 6
    assert grouped([idle], 1) == [Step(Chunk((1,), (IDLE_CHUNK_TOKENS,)))]


def test_a_few_tokens_are_read_beside_the_speakers() -> None:
    assert mixed(TurnView(0, A, 0), TurnView(1, B, 2)) == Step(None, (0, 1))


def test_models_without_padding_read_one_at_a_time() -> None:
    turns = [TurnView(i, A, 12) for i in range(3)]
    step, _ = plan_mixed(turns, Rotation(), Limits(pad_chunks=False))
    assert step.chunk == Chunk((0,), (12,))


def test_short_prompts_overtake_but_the_first_is_served_every_other_time() -> None:
    long, short = TurnView(0, A, 5000), TurnView(5, B, 300)
    rotation = Rotation()
    served: list[int] = []
    for _ in range(6):
        step, rotation = plan_mixed([long, short], rotation, LIMITS)
        assert step.chunk is not None
        served += step.chunk.sequences
    assert served == [0, 5, 0, 5, 0, 5]


@pytest.mark.parametrize("chunked", [True, False], ids=["after-chunk", "after-decode"])
@pytest.mark.parametrize("until_save", [0, 1, 3, 4], ids=lambda n: f"save-{n}")
@pytest.mark.parametrize("unread", [0, 1, 3, 4, 5, 64, 65, 1000], ids=lambda n: f"unread-{n}")
def test_every_step_computes_something(unread: int, until_save: int, chunked: bool) -> None:
    view = TurnView(0, A, unread, min(until_save, unread))
    step = mixed(view, rotation=Rotation(chunked=chunked))
    assert step.chunk is not None or step.decode


def grouped(turns: list[TurnView], steps: int) -> list[Step]:
    rotation, planned = Rotation(), []
    for _ in range(steps):
        step, rotation = plan_grouped(turns, rotation, LIMITS)
        planned.append(step)
    return planned


def test_grouped_voices_take_turns() -> None:
    steps = grouped([TurnView(0, A, 0), TurnView(1, B, 0), TurnView(2, A, 0)], 4)
    assert [step.decode for step in steps] == [(0, 2), (0, 2), (1,), (1,)]


def test_a_grouped_step_holds_one_voice_only() -> None:
    steps = grouped([TurnView(0, A, 50), TurnView(1, B, 50), TurnView(2, A, 0)], 2)
    assert steps == [Step(Chunk((0,), (50,))), Step(None, (0, 2))]
