"""Which of several replies is said."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from npc_server.adapters import LiveAdapter
from npc_server.engine.errors import DecodeError, EngineBusyError, EngineError
from npc_server.engine.fake import FakeEngine, finish_of
from npc_server.engine.protocol import Request, Sampling
from npc_server.reranking import (
    Candidate,
    FaultScorer,
    Judged,
    candidate_requests,
    choose_favourite,
    draw,
    draw_something_new,
    finalists,
)
from personas.fake import FakeTokenizer
from personas.persona import Persona
from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from personas.render import Line, Speaker
from tests.support.smiths import LANGUAGES, lines_in, smith

REQUEST = Request("r", (1, 2, 3), sampling=Sampling(seed=2**32 - 2))
CLEAN = "Iron first. Talk after."


@pytest.fixture
def mira() -> Persona:
    return load_characters(SAMPLE_CHARACTERS)["mira"]


def chosen(mira: Persona, *replies: str, history: tuple[Line, ...] = ()) -> str:
    """Which of the replies wins."""
    candidates = [Candidate(REQUEST, finish_of(REQUEST, reply)) for reply in replies]
    return finalists(candidates, FaultScorer(), Judged(mira, "Hello.", history))[0].reply.text


def test_candidates_differ_in_seed_and_name_alone() -> None:
    requests = candidate_requests(REQUEST, 3)
    assert [request.request_id for request in requests] == ["r", "r-1", "r-2"]
    assert [request.sampling.seed for request in requests] == [2**32 - 2, 2**32 - 1, 0]
    assert {request.prompt_ids for request in requests} == {REQUEST.prompt_ids}


@pytest.mark.parametrize(
    "faulty",
    [
        pytest.param("", id="empty"),
        pytest.param("As an AI, I have no hands.", id="out-of-character"),
        pytest.param("By the sea, no!", id="taboo"),
        pytest.param("Go and hang yourself.", id="unsafe"),
        pytest.param("Mind the sparks!", id="said-before"),
        pytest.param("No, no, no, no, no, no, no, no, no.", id="loop"),
        pytest.param("One. Two. Three. Four.", id="too-many-sentences"),
        pytest.param("Iron first, and then I would", id="cut-off"),
    ],
)
def test_a_clean_reply_is_better_than_a_faulty_one(mira: Persona, faulty: str) -> None:
    history = (Line(Speaker.CHARACTER, "Mind the sparks."), Line(Speaker.PLAYER, CLEAN))
    assert chosen(mira, faulty, CLEAN, history=history) == CLEAN


def test_a_leaked_secret_is_worse_than_all_else_together(mira: Persona) -> None:
    leak = f"It was {mira.lore.secrets[0].leak_words[0]}."
    worst = "By the sea, as an AI I say. " * 5 + "And"
    assert chosen(mira, leak, worst) == worst


def test_a_secret_for_a_while_is_kept_as_long_as_it_is_one(mira: Persona) -> None:
    later = mira.lore.secrets[0].model_copy(update={"when": "quest.mill >= 2"})
    lore = mira.lore.model_copy(update={"secrets": (later,)})
    persona, leak = mira.model_copy(update={"lore": lore}), f"It was {later.leak_words[0]}."
    at_first, then = ({"quest.mill": done} for done in (0, 2))
    assert FaultScorer().score(Judged(persona, "Why?", state=at_first), leak) == 0
    assert FaultScorer().score(Judged(persona, "Why?", state=then), leak) < 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_leak_is_never_preferred_in_any_language(language: str) -> None:
    lines = lines_in(language)
    for worse in (*lines["leaks"], *lines["machine"], lines["unsafe"], lines["taboo"]["broken"]):
        assert chosen(smith(language), worse, lines["right"]) == lines["right"]


def test_of_equals_the_first_is_said(mira: Persona) -> None:
    assert chosen(mira, "", CLEAN, "Cold iron bends nobody.") == CLEAN


async def test_candidates_are_drawn_side_by_side() -> None:
    engine = FakeEngine()
    engine.gate.clear()
    drawing = asyncio.create_task(draw(engine, candidate_requests(REQUEST, 3)))
    while engine.running < 3:
        await asyncio.sleep(0)
    engine.gate.set()
    assert [c.reply.text for c in await drawing] == [f"reply {i % 2**32}" for i in (-2, -1, 0)]


async def test_one_that_fails_leaves_the_others() -> None:
    def script(request: Request) -> str:
        if request.request_id == "r":
            raise DecodeError("no luck")
        return CLEAN

    assert len(await draw(FakeEngine(script), candidate_requests(REQUEST, 3))) == 2


async def test_as_many_more_are_drawn_when_all_were_said_before() -> None:
    engine = FakeEngine(lambda request: f"No bread, {'love' if request.sampling.seed else 'dear'}.")
    drawn = await draw_something_new(engine, REQUEST, 2, ["No bread, love!"])
    assert [one.reply.text for one in drawn] == ["No bread, love."] * 2 + [
        "No bread, dear.",
        "No bread, love.",
    ]
    assert len({one.request.request_id for one in drawn}) == 4


async def test_one_new_reply_is_enough() -> None:
    drawn = await draw_something_new(FakeEngine(), REQUEST, 2, ["reply 4294967294"])
    assert len(drawn) == 2


async def test_the_likeliest_reply_is_not_drawn_twice() -> None:
    greedy = replace(REQUEST, sampling=replace(REQUEST.sampling, temperature=0))
    assert len(await draw_something_new(FakeEngine(lambda _: "Aye."), greedy, 2, ["Aye."])) == 2


async def test_when_no_more_can_be_drawn_the_first_count() -> None:
    def script(request: Request) -> str:
        if request.request_id in ("r-2", "r-3"):
            raise EngineBusyError("busy")
        return "Aye."

    assert len(await draw_something_new(FakeEngine(script), REQUEST, 2, ["Aye."])) == 2


async def test_when_all_fail_the_first_failure_is_told() -> None:
    errors: dict[str, EngineError] = {"r": EngineBusyError("busy"), "r-1": DecodeError("no luck")}

    def script(request: Request) -> str:
        raise errors[request.request_id]

    with pytest.raises(EngineBusyError):
        await draw(FakeEngine(script), candidate_requests(REQUEST, 2))


async def test_cancelling_frees_the_engine_of_all_before_it_returns() -> None:
    engine = FakeEngine(lambda _: "a long reply")
    engine.gate.clear()
    drawing = asyncio.create_task(draw(engine, candidate_requests(REQUEST, 4)))
    while engine.running < 4:
        await asyncio.sleep(0)
    drawing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drawing
    assert engine.running == 0


async def test_a_broken_engine_breaks_the_turn_and_leaves_nothing_running() -> None:
    def script(request: Request) -> str:
        if request.request_id == "r":
            raise ZeroDivisionError
        return "a long reply"

    engine = FakeEngine(script)
    engine.gate.clear()
    with pytest.raises(ZeroDivisionError):
        await draw(engine, candidate_requests(REQUEST, 3))
    assert engine.running == 0


# The head's word


HEAD = LiveAdapter("v0001-00000000", "head", contrast=(7, 8))
TOKENIZER = FakeTokenizer()


def reply_in(request: Request) -> str:
    """The reply that a request asks the head about."""
    assert request.prompt_ids[-1] == TOKENIZER.control("<|im_end|>")
    return TOKENIZER.decode(request.prompt_ids[len(REQUEST.prompt_ids) : -1])


async def favoured(
    score: Callable[[Request], float], *replies: str, head: LiveAdapter = HEAD
) -> tuple[str | None, FakeEngine]:
    """The head's favourite, and the engine that was asked for it."""
    engine = FakeEngine()
    engine.adapters["head"] = Path()
    engine.judge = lambda request: (score(request), 0.0)
    candidates = [
        Candidate(request, finish_of(request, reply))
        for request, reply in zip(candidate_requests(REQUEST, len(replies)), replies, strict=True)
    ]
    chosen = await choose_favourite(engine, head, TOKENIZER, candidates)
    return chosen.reply.text if chosen else None, engine


async def test_the_head_judges_each_reply_after_the_prompt_it_answers() -> None:
    chosen, engine = await favoured(lambda request: len(reply_in(request)), "One.", "Three.", "Two")
    assert chosen == "Three."
    asked = engine.requests
    assert {(one.adapter, one.choices, one.sampling) for one in asked} == {
        ("head", (7, 8), Sampling())
    }
    assert len({one.request_id for one in asked}) == 3


async def test_of_replies_that_please_equally_the_first_is_said() -> None:
    assert (await favoured(lambda _: 1.0, "One.", "Two."))[0] == "One."


@pytest.mark.parametrize("head", [LiveAdapter(), LiveAdapter("v0001-00000000", "unknown", (7, 8))])
async def test_without_a_head_in_the_engine_nobody_judges(head: LiveAdapter) -> None:
    chosen, engine = await favoured(lambda _: 1.0, "One.", "Two.", head=head)
    assert (chosen, engine.requests) == (None, [])


async def test_one_reply_needs_no_judge() -> None:
    chosen, engine = await favoured(lambda _: 1.0, "One.")
    assert (chosen, engine.requests) == (None, [])


@pytest.mark.parametrize("score", [math.nan, math.inf])
async def test_a_score_that_is_no_number_decides_nothing(score: float) -> None:
    assert (await favoured(lambda _: score, "One.", "Two."))[0] is None


async def test_one_reply_that_cannot_be_scored_leaves_the_choice_to_the_checks() -> None:
    def score(request: Request) -> float:
        if reply_in(request) == "Two.":
            raise DecodeError("no luck")
        return 1.0

    assert (await favoured(score, "One.", "Two."))[0] is None
