"""Steps are decided fairly: by chunk, by group, by rotation."""

from npc_server.engine.scheduler import Limits, Rotation, Step, TurnView, plan

LIMITS = Limits(chunk_tokens=10, quantum_steps=3)


def run(turns: list[TurnView], steps: int) -> list[Step]:
    """The next steps when nothing else changes."""
    rotation, done = Rotation(), []
    for _ in range(steps):
        step, rotation = plan(turns, rotation, LIMITS)
        done.append(step)
    return done


def test_all_decoding_turns_of_an_adapter_share_a_step_in_sequence_order() -> None:
    turns = [TurnView(4, "a", 0), TurnView(1, "a", 0)]
    assert run(turns, 1) == [Step("a", decode_sequences=(1, 4))]


def test_a_long_prompt_is_cut_into_chunks() -> None:
    assert run([TurnView(0, "a", 25)], 1) == [Step("a", prefill_sequence=0, prefill_tokens=10)]


def test_a_long_prompt_never_holds_running_turns_for_two_steps() -> None:
    turns = [TurnView(0, "a", 0), TurnView(1, "a", 100)]
    kinds = [step.prefill_sequence is None for step in run(turns, 3)]
    assert kinds == [False, True, False]


def test_a_step_never_mixes_adapters() -> None:
    turns = [TurnView(0, "a", 0), TurnView(1, "b", 0)]
    for step in run(turns, 12):
        assert step.decode_sequences == ((0,) if step.adapter == "a" else (1,))


def test_adapters_take_turns_by_quantum() -> None:
    turns = [TurnView(0, "b", 0), TurnView(1, "", 0), TurnView(2, "a", 0)]
    spoken = [step.adapter for step in run(turns, 12)]
    assert spoken == [*"aaabbb", "", "", "", *"aaa"]


def test_the_earliest_prompt_of_a_group_goes_first() -> None:
    turns = [TurnView(5, "a", 3), TurnView(2, "a", 3)]
    assert run(turns, 1)[0].prefill_sequence == 5
