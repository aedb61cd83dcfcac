"""The loop body on a real, tiny model: turns run side by side and end cleanly."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from npc_server.engine.assembly import assemble
from npc_server.engine.core import Event
from npc_server.engine.errors import (
    AdapterRejectedError,
    DecodeError,
    EngineBusyError,
    RequestRejectedError,
    UnknownAdapterError,
)
from npc_server.engine.kv import MIN_SHARED_TOKENS
from npc_server.engine.llama import ContextShape
from npc_server.engine.lora import host_products
from npc_server.engine.protocol import (
    NO_CHAT_TOKENS,
    Batching,
    ChatTokens,
    Delta,
    EngineOptions,
    Finish,
    FinishReason,
    Request,
    Sampling,
    SentenceRule,
    Thought,
)
from tests.support import tiny_gguf

ENDS = (FinishReason.LENGTH, FinishReason.STOP)
GREEDY = Sampling(temperature=0, max_tokens=12)
PROMPT = tuple(range(40, 80))
ANY_CHARACTER = SentenceRule(r"(?s:(?P<end>.)(?=.))", r"(?s:(?P<end>.)\Z)")


class Bench:
    """A core, and what it emitted by request."""

    def __init__(
        self,
        model: Path,
        sequences: int = 3,
        batching: Batching = Batching.MIXED,
        cache_mib: int = 64,
        chat: ChatTokens = NO_CHAT_TOKENS,
    ) -> None:
        shape = ContextShape(sequences, context_tokens=128, batch_tokens=64, threads=1)
        options = EngineOptions(
            batching, prefill_chunk_tokens=16, cache_mib=cache_mib, max_waiting=4, chat=chat
        )
        self.events: dict[str, list[Event]] = {}
        self.core = assemble(model, shape, options, self._emit)

    def _emit(self, request_id: str, event: Event) -> None:
        self.events.setdefault(request_id, []).append(event)

    def submit(
        self,
        request_id: str,
        prompt: tuple[int, ...] = PROMPT,
        adapter: str = "",
        pinned: int = 0,
        party: str = "",
    ) -> None:
        self.core.submit(
            Request(request_id, prompt, adapter, pinned_tokens=pinned, sampling=GREEDY, party=party)
        )

    def load(self, name: str, folder: Path) -> None:
        self.core.keep_adapter(self.core.read_adapter(name, folder))

    def run(self) -> None:
        while self.core.busy:
            self.core.step()

    def finish(self, request_id: str) -> Finish:
        last = self.events[request_id][-1]
        assert isinstance(last, Finish)
        return last

    def ids(self, prompt: tuple[int, ...] = PROMPT, adapter: str = "") -> tuple[int, ...]:
        self.submit("alone", prompt, adapter)
        self.run()
        return self.finish("alone").token_ids


@pytest.fixture(params=list(Batching))
def bench(tiny_model: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(tiny_model, batching=request.param)
    yield bench
    bench.core.close()


def test_deltas_add_up_to_the_text_of_the_finish(bench: Bench) -> None:
    bench.submit("r")
    bench.run()
    deltas = [event.text for event in bench.events["r"] if isinstance(event, Delta)]
    assert "".join(deltas) == bench.finish("r").text
    assert bench.finish("r").reason in (FinishReason.LENGTH, FinishReason.STOP)


def think(bench: Bench, most: int) -> Finish:
    thought = Thought((*PROMPT, 90), end=200, closing=(200, 50), max_tokens=most)
    bench.core.submit(Request("thinker", PROMPT, sampling=GREEDY, thought=thought))
    bench.run()
    return bench.finish("thinker")


def test_a_reply_follows_the_closed_thought(bench: Bench) -> None:
    replied = think(bench, most=2)
    assert replied.thought_tokens == 2
    assert replied.token_ids == bench.ids((*PROMPT, 90, 200, 50))
    assert replied.prompt_tokens == len(PROMPT) + 1


def test_a_thought_is_bounded_and_nobody_hears_it(bench: Bench) -> None:
    replied = think(bench, most=9)
    deltas = [event.text for event in bench.events["thinker"] if isinstance(event, Delta)]
    assert 2 < replied.thought_tokens <= 9
    assert "".join(deltas) == replied.text
    assert 0 < len(replied.token_ids) <= GREEDY.max_tokens
    assert bench.core.stats().generated_tokens >= len(replied.token_ids)


def test_a_thought_needs_its_room(bench: Bench) -> None:
    with pytest.raises(RequestRejectedError, match="at most 127 fit"):
        think(bench, most=90)


def test_what_a_template_alone_may_write_is_never_drawn(tiny_model: Path) -> None:
    drawn = Bench(tiny_model).ids()
    masked = ChatTokens(masked=frozenset(drawn))
    assert set(drawn).isdisjoint(Bench(tiny_model, chat=masked).ids())


def test_a_template_may_end_replies_with_any_token(tiny_model: Path) -> None:
    first, *_ = Bench(tiny_model).ids()
    bench = Bench(tiny_model, chat=ChatTokens(ends=frozenset([first])))
    assert (bench.ids(), bench.finish("alone").reason) == ((), FinishReason.STOP)


def test_a_reply_ends_in_the_step_that_shows_its_last_sentence_to_be_whole(bench: Bench) -> None:
    three = replace(GREEDY, max_sentences=3)
    bench.submit("whole")
    bench.core.submit(Request("r", PROMPT, sampling=three, sentences=ANY_CHARACTER))
    bench.run()
    reply, whole = bench.finish("r"), bench.finish("whole")
    deltas = [event.text for event in bench.events["r"] if isinstance(event, Delta)]
    assert (reply.reason, reply.text) == (FinishReason.SENTENCES, whole.text[:3])
    assert "".join(deltas) == reply.text
    assert reply.token_ids == whole.token_ids[: len(reply.token_ids)] != whole.token_ids
    assert bench.core.stats().running == 0


def test_a_reply_with_a_whole_sentence_is_trimmed_at_its_limit(bench: Bench) -> None:
    sampling = replace(GREEDY, max_tokens=6)
    pair = SentenceRule(r"(?s:\A(?P<end>..)(?=.))", r"(?P<end>\A\Z)")
    bench.core.submit(Request("r", PROMPT, sampling=sampling, sentences=pair))
    bench.run()
    reply = bench.finish("r")
    assert (reply.reason, len(reply.text)) == (FinishReason.TRIMMED, 2)
    assert len(reply.token_ids) < 6


def test_turns_side_by_side_say_what_they_say_alone(bench: Bench, tiny_model: Path) -> None:
    prompts = {f"r{i}": tuple(range(30 + i, 70 + 2 * i)) for i in range(5)}
    alone = {name: Bench(tiny_model).ids(prompt) for name, prompt in prompts.items()}
    for name, prompt in list(prompts.items())[:4]:
        bench.submit(name, prompt)
    bench.core.step()
    bench.submit("r4", prompts["r4"])
    bench.run()
    assert {name: bench.finish(name).token_ids for name in prompts} == alone


def test_a_second_turn_pays_for_its_new_tokens_only(bench: Bench) -> None:
    bench.ids()
    longer = (*PROMPT, *range(100, 110))
    bench.submit("again", longer)
    bench.run()
    assert bench.finish("again").cached_tokens >= len(PROMPT)


def test_what_a_free_sequence_still_holds_is_used_without_a_cache(tiny_model: Path) -> None:
    bench = Bench(tiny_model, cache_mib=0)
    bench.ids()
    bench.submit("again", (*PROMPT, *range(100, 110)))
    bench.run()
    assert bench.finish("again").cached_tokens == len(PROMPT)


def test_a_reused_prefix_changes_nothing(bench: Bench, tiny_model: Path) -> None:
    longer = (*PROMPT, *range(100, 110))
    bench.ids()
    assert bench.ids(longer) == Bench(tiny_model).ids(longer)


def test_each_adapter_speaks_for_itself_in_a_mixed_crowd(
    bench: Bench, tiny_model: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        folder = tiny_gguf.write_adapter(tmp_path / name, seed=ord(name))
        bench.load(name, folder)
    fresh = Bench(tiny_model)
    fresh.load("a", tmp_path / "a")
    for name, adapter in (("r0", "a"), ("r1", ""), ("r2", "b")):
        bench.submit(name, PROMPT, adapter)
    bench.run()
    assert bench.finish("r0").token_ids == fresh.ids(adapter="a")
    assert bench.finish("r1").token_ids == fresh.ids()
    assert len({bench.finish(name).token_ids for name in ("r0", "r1", "r2")}) == 3


def test_a_cancelled_turn_frees_its_sequence_at_once(bench: Bench) -> None:
    bench.submit("r")
    bench.core.step()
    assert bench.core.stats().running == 1
    bench.core.cancel("r")
    assert bench.core.stats().running == 0
    assert bench.finish("r").reason is FinishReason.CANCELLED


def test_a_waiting_turn_can_be_cancelled(bench: Bench) -> None:
    for i in range(4):
        bench.submit(f"r{i}", PROMPT[i:])
    bench.core.step()
    bench.core.cancel("r3")
    assert bench.core.stats().waiting == 0


def test_an_adapter_stays_until_its_last_turn_ends(bench: Bench, tmp_path: Path) -> None:
    bench.load("a", tiny_gguf.write_adapter(tmp_path / "a", seed=1))
    bench.submit("r", PROMPT, "a")
    bench.core.step()
    bench.core.unload_adapter("a")
    assert bench.core.stats().adapters == ("a",)
    bench.run()
    assert bench.core.stats().adapters == ()


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        pytest.param(Request("r", ()), RequestRejectedError, id="empty"),
        pytest.param(Request("r", (5,) * 128), RequestRejectedError, id="too-long"),
        pytest.param(Request("r", (99999,)), RequestRejectedError, id="foreign-token"),
        pytest.param(Request("r", (5,), "nobody"), UnknownAdapterError, id="unknown-adapter"),
        pytest.param(Request("r", (5,), adapter_scale=9), RequestRejectedError, id="scale"),
        pytest.param(Request("r", (5,), said=((99999,),)), RequestRejectedError, id="foreign-said"),
        pytest.param(
            Request("r", (5,), sampling=Sampling(max_sentences=2)),
            RequestRejectedError,
            id="no-rule",
        ),
        pytest.param(
            Request("r", (5,), sampling=Sampling(grammar='root ::= "a"'), sentences=ANY_CHARACTER),
            RequestRejectedError,
            id="sentences-in-a-form",
        ),
    ],
)
def test_impossible_requests_are_refused_with_a_reason(
    bench: Bench, request_: Request, error: type[Exception]
) -> None:
    with pytest.raises(error):
        bench.core.submit(request_)


def test_a_full_queue_says_so(bench: Bench) -> None:
    for i in range(4):
        bench.submit(f"r{i}")
    with pytest.raises(EngineBusyError, match="4 turns are waiting"):
        bench.submit("one-too-many")


def test_who_crowds_a_full_queue_makes_room_for_another_party(bench: Bench) -> None:
    for i in range(4):
        bench.submit(f"a{i}", party="a")
    bench.submit("b0", party="b")
    assert isinstance(bench.events["a3"][-1], EngineBusyError)
    bench.run()
    assert bench.finish("b0").queue_ms < bench.finish("a2").queue_ms


def test_a_damaged_adapter_is_refused_and_the_rest_goes_on(bench: Bench, tmp_path: Path) -> None:
    folder = tiny_gguf.write_adapter(tmp_path / "a", seed=1)
    (folder / "adapter_model.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(AdapterRejectedError, match=r"adapter_model\.safetensors is unreadable"):
        bench.load("a", folder)
    assert bench.ids()


def test_an_adapter_of_another_shape_is_refused(bench: Bench, tmp_path: Path) -> None:
    folder = tiny_gguf.write_adapter(tmp_path / "a", seed=1)
    config = (folder / "adapter_config.json").read_text()
    (folder / "adapter_config.json").write_text(config.replace('"r": 4', '"r": 8'))
    with pytest.raises(AdapterRejectedError, match="shape"):
        bench.load("a", folder)


def test_a_persona_prefix_is_computed_once_for_all_who_arrive_together(bench: Bench) -> None:
    prompts = [(*PROMPT, *range(100, 104 + i)) for i in range(3)]
    for i, prompt in enumerate(prompts):
        bench.submit(f"r{i}", prompt, pinned=len(PROMPT))
    bench.run()
    cached = [bench.finish(f"r{i}").cached_tokens for i in range(3)]
    assert cached == [0, len(PROMPT), len(PROMPT)]


def test_takes_of_one_prompt_share_all_but_its_last_token(bench: Bench) -> None:
    for i in range(3):
        bench.submit(f"r{i}")
    bench.run()
    assert bench.finish("r2").cached_tokens == len(PROMPT) - 1
    assert len({bench.finish(f"r{i}").token_ids for i in range(3)}) == 1


def test_an_adapter_shares_no_prefix_with_another(bench: Bench, tmp_path: Path) -> None:
    for name in ("parent", "child"):
        bench.load(name, tiny_gguf.write_adapter(tmp_path / name, seed=len(name)))
    bench.ids(adapter="parent")
    bench.submit("r", PROMPT, "child")
    bench.run()
    assert bench.finish("r").cached_tokens == 0


def test_more_characters_than_sequences_all_get_their_turn(
    tiny_model: Path, tmp_path: Path
) -> None:
    bench = Bench(tiny_model, sequences=2)
    for i in range(4):
        bench.load(f"a{i}", tiny_gguf.write_adapter(tmp_path / f"a{i}", seed=i))
        bench.submit(f"r{i}", PROMPT, f"a{i}")
    bench.run()
    crowd = [bench.finish(f"r{i}").token_ids for i in range(4)]
    assert crowd == [bench.ids(adapter=f"a{i}") for i in range(4)]
    assert len(set(crowd)) == 4


def test_turns_move_together_when_others_end(tiny_model: Path, tmp_path: Path) -> None:
    bench = Bench(tiny_model)
    for i in range(3):
        bench.load(f"a{i}", tiny_gguf.write_adapter(tmp_path / f"a{i}", seed=i))
        bench.submit(f"r{i}", PROMPT, f"a{i}")
    for _ in range(6):
        bench.core.step()
    bench.core.cancel("r0")
    bench.run()
    assert bench.core.stats().kv_moves == 1
    said = [bench.finish(f"r{i}").token_ids for i in (1, 2)]
    assert said == [bench.ids(adapter=f"a{i}") for i in (1, 2)]


def test_an_adapter_at_half_strength_is_another_voice(bench: Bench, tmp_path: Path) -> None:
    bench.load("a", tiny_gguf.write_adapter(tmp_path / "a", seed=1))
    said = set()
    for scale in (0.0, 0.5, 1.0):
        request = Request(f"at-{scale}", PROMPT, "a", adapter_scale=scale, sampling=GREEDY)
        bench.core.submit(request)
        bench.run()
        said.add(bench.finish(f"at-{scale}").token_ids)
    assert len(said) == 3
    assert bench.ids() in said


def test_an_error_inside_the_graph_callback_fails_the_step(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tiny_model)
    monkeypatch.setattr(host_products, "customize", lambda *_: 1 / 0)
    bench.submit("r")
    bench.run()
    (error,) = bench.events["r"]
    assert isinstance(error, DecodeError)
    assert "division by zero" in str(error)
    monkeypatch.undo()
    assert bench.ids() == Bench(tiny_model).ids()


def test_a_late_take_shares_the_prompt_of_one_that_is_speaking(bench: Bench) -> None:
    bench.submit("first")
    for _ in range(5):
        bench.core.step()
    bench.submit("second")
    bench.run()
    assert bench.finish("second").cached_tokens == len(PROMPT) - 1
    assert bench.finish("second").token_ids == bench.finish("first").token_ids


# Choices


def compare(
    bench: Bench,
    request_id: str,
    prompt: tuple[int, ...] = PROMPT,
    adapter: str = "",
    pinned: int = 0,
) -> None:
    """Ask how likely each of two tokens is next."""
    bench.core.submit(
        Request(request_id, prompt, adapter, choices=(100, 101), pinned_tokens=pinned)
    )


def test_comparing_choices_says_nothing_and_frees_its_sequence(bench: Bench) -> None:
    compare(bench, "r")
    bench.run()
    (finish,) = bench.events["r"]
    assert isinstance(finish, Finish)
    assert (finish.text, finish.token_ids, finish.reason) == ("", (), FinishReason.STOP)
    assert len(finish.choices) == 2
    assert (bench.core.stats().running, bench.core.stats().generated_tokens) == (0, 0)


def test_choices_beside_running_replies_are_what_they_are_alone(
    bench: Bench, tiny_model: Path, tmp_path: Path
) -> None:
    alone = Bench(tiny_model, batching=bench.core.stats().batching)
    for one in (bench, alone):
        one.load("head", tiny_gguf.write_adapter(tmp_path / "head", seed=5))
    prompts = {f"c{at}": (*PROMPT, *range(100, 104 + 3 * at)) for at in range(3)}
    for name, prompt in prompts.items():
        compare(alone, name, prompt, "head")
        alone.run()
    bench.submit("reply")
    for _ in range(4):
        bench.core.step()
    for name, prompt in prompts.items():
        compare(bench, name, prompt, "head", pinned=len(PROMPT))
    bench.run()
    assert bench.finish("reply").token_ids == Bench(tiny_model).ids()
    measured = {name: bench.finish(name).choices for name in prompts}
    assert measured == {
        name: pytest.approx(alone.finish(name).choices, abs=1e-3) for name in prompts
    }
    assert len(set(measured.values())) == 3


def test_choices_after_one_prompt_read_it_once(bench: Bench) -> None:
    for at in range(3):
        compare(bench, f"c{at}", (*PROMPT, 100 + at, 2))
    bench.run()
    assert [bench.finish(f"c{at}").cached_tokens for at in range(3)] == [
        0,
        len(PROMPT),
        len(PROMPT),
    ]


def test_what_a_passing_question_reads_is_not_kept(bench: Bench) -> None:
    bench.submit("reply")
    bench.run()
    kept = bench.core.stats().cache_entries
    asked = (*PROMPT, *bench.finish("reply").token_ids, 90, 91)
    bench.core.submit(Request("question", asked, choices=(100, 101), passing=True))
    bench.run()
    assert bench.core.stats().cache_entries == kept
    assert bench.finish("question").cached_tokens == len(asked) - 3  # the last drawn was not read


@pytest.mark.parametrize("words", [(-1, 5), (5, tiny_gguf.VOCABULARY)])
def test_choices_outside_the_vocabulary_are_refused(bench: Bench, words: tuple[int, int]) -> None:
    with pytest.raises(RequestRejectedError, match="choices hold token ids outside"):
        bench.core.submit(Request("r", PROMPT, choices=words))


def test_comparing_choices_takes_no_settings_it_would_ignore(bench: Bench) -> None:
    with pytest.raises(RequestRejectedError, match="draws nothing"):
        bench.core.submit(Request("r", PROMPT, choices=(1, 2), sampling=GREEDY))


# Idle turns

LONG = tuple(range(1, 101))
BRIEF = Sampling(temperature=0, max_tokens=1)


def read_idly(bench: Bench, request_id: str, prompt: tuple[int, ...] = LONG) -> None:
    """Have the bench read a prompt that nobody waits for."""
    request = Request(request_id, prompt, sampling=BRIEF, background=True, idle=True)
    bench.core.submit(request)


def test_a_turn_finds_what_an_idle_one_has_read(bench: Bench) -> None:
    read_idly(bench, "ahead")
    bench.run()
    bench.submit("r", (*LONG[:99], 7, 8, 9))
    bench.run()
    assert bench.finish("r").cached_tokens == 99
    assert bench.core.stats().turns == 1  # an idle turn is nobody's


def test_an_idle_turn_gives_its_place_to_one_that_needs_it(tiny_model: Path) -> None:
    bench = Bench(tiny_model, sequences=1)
    read_idly(bench, "ahead")
    bench.core.step()
    bench.submit("r")
    bench.core.step()
    assert bench.finish("ahead").reason is FinishReason.CANCELLED
    assert bench.core.stats().running == 1


def test_what_an_idle_turn_has_read_by_then_is_kept(bench: Bench) -> None:
    read_idly(bench, "ahead")
    bench.core.step()
    bench.submit("r", (*LONG, 7))
    bench.run()
    assert 0 < bench.finish("r").cached_tokens < len(LONG)
    assert bench.finish("ahead").reason is FinishReason.CANCELLED


def test_an_idle_turn_starts_when_no_other_waits_and_takes_nobodys_place(bench: Bench) -> None:
    read_idly(bench, "ahead")
    for i in range(4):
        bench.submit(f"r{i}", PROMPT[i:])
    bench.core.step()
    assert (bench.core.stats().running, bench.core.stats().waiting) == (3, 1)
    assert "ahead" not in bench.events
    bench.run()
    assert bench.finish("ahead").cached_tokens < MIN_SHARED_TOKENS


def test_one_idle_turn_runs_at_a_time(bench: Bench) -> None:
    for i in range(3):
        read_idly(bench, f"ahead{i}", LONG[i:])
    bench.core.step()
    assert bench.core.stats().running == 1
    bench.run()
    assert {bench.finish(f"ahead{i}").reason for i in range(3)} <= set(ENDS)


def test_a_model_that_cannot_be_cut_finds_what_was_read_too(tmp_path: Path) -> None:
    model = tiny_gguf.write_model(tmp_path / "m.gguf", architecture="gemma3")
    bench = Bench(model)
    read_idly(bench, "ahead", LONG[:60])
    bench.run()
    bench.submit("r", (*LONG[:60], 7, 8, 9))
    bench.run()
    assert bench.finish("r").cached_tokens == 60
