"""One reply under the guard, over scripted tries."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npc_server.engine.fake import finish_of
from npc_server.engine.protocol import Delta, Finish, Request, Sampling
from npc_server.guard_hits import GuardAction, GuardHit
from npc_server.guarded_reply import RETRY_STEP, Guarded, Speech, again, speak
from personas.fake import FakeTokenizer
from personas.guarded_stream import watch_of
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

MIRA = watch_of(load_characters(SAMPLE_CHARACTERS)["mira"])
TOKENIZER = FakeTokenizer()
ASKED = Request("turn", (1, 2, 3), sampling=Sampling(seed=7, max_sentences=2, max_tokens=80))
FALLBACK = "Old iron is best left cold."
LEAK = "leak"


class Tries:
    """An engine of scripted tries, each given as the pieces that it comes in."""

    def __init__(self, *tries: Sequence[str]) -> None:
        self._tries = list(tries)
        self.requests: list[Request] = []
        self.open = 0

    async def generate(self, request: Request) -> AsyncGenerator[Delta | Finish]:
        """The next try."""
        self.requests.append(request)
        pieces = self._tries[len(self.requests) - 1]
        self.open += 1
        try:
            for piece in pieces:
                yield Delta(piece)
            yield replace(finish_of(request, "".join(pieces)), text="".join(pieces))
        finally:
            self.open -= 1


async def heard(tries: Tries, request: Request = ASKED) -> tuple[str, Guarded]:
    """What was sent, and how it ended."""
    speech = Speech(tries.generate, TOKENIZER, request, MIRA, FALLBACK)
    sent, ends = "", list[Guarded]()
    async with aclosing(speak(speech)) as events:
        async for event in events:
            if isinstance(event, Delta):
                sent += event.text
            else:
                ends.append(event)
    (ended,) = ends
    assert tries.open == 0
    assert ended.reply.text == sent
    return sent, ended


def signs(text: str) -> list[str]:
    return list(text)


async def test_a_reply_without_fault_is_sent_as_it_was_drawn() -> None:
    sent, ended = await heard(Tries(signs("Hot iron. Mind the sparks.")))
    assert sent == "Hot iron. Mind the sparks."
    assert (ended.hits, ended.in_one_piece, ended.seed) == ((), True, None)


async def test_a_fault_at_the_beginning_is_drawn_again_and_nobody_notices() -> None:
    tries = Tries(signs("My fault, all of it."), signs("Hot iron."))
    sent, ended = await heard(tries)
    assert sent == "Hot iron."
    assert ended.hits == (GuardHit(LEAK, GuardAction.RETRIED),)
    assert ended.seed == tries.requests[1].sampling.seed == 7 + RETRY_STEP
    assert ended.in_one_piece
    assert tries.requests[1].prompt_ids == ASKED.prompt_ids


async def test_the_second_try_goes_on_from_what_was_sent() -> None:
    tries = Tries(signs("It was my locking pin."), signs(" hammer."))
    sent, ended = await heard(tries)
    assert sent == "It was my hammer."
    assert tries.requests[1].prompt_ids == (*ASKED.prompt_ids, *TOKENIZER.encode("It was my"))
    assert ended.reply.prompt_tokens == len(ASKED.prompt_ids)
    assert not ended.in_one_piece


async def test_a_reply_ends_behind_whole_sentences_that_were_sent() -> None:
    tries = Tries(["Hot iron.", " It was my locking pin."])
    sent, ended = await heard(tries)
    assert sent == "Hot iron."
    assert ended.hits == (GuardHit(LEAK, GuardAction.CUT),)
    assert len(tries.requests) == 1


async def test_after_two_faults_a_fallback_line_takes_their_place() -> None:
    sent, ended = await heard(Tries(signs("My fault."), signs("Flaw.")))
    assert sent == FALLBACK
    assert ended.hits == (
        GuardHit(LEAK, GuardAction.RETRIED),
        GuardHit(LEAK, GuardAction.FELL_BACK),
    )


async def test_a_reply_that_was_begun_breaks_off_before_the_fallback_line() -> None:
    sent, _ = await heard(Tries(signs("It was my locking pin."), signs(" flaw, then.")))
    assert sent == f"It was my— {FALLBACK}"


async def test_greedy_drawing_would_only_repeat_the_fault() -> None:
    greedy = replace(ASKED, sampling=replace(ASKED.sampling, temperature=0))
    tries = Tries(signs("My fault."))
    assert (await heard(tries, greedy))[0] == FALLBACK
    assert len(tries.requests) == 1


@pytest.mark.parametrize(
    ("second", "sent"), [('{"say": "iron"}', '{"say": "iron"}'), ('{"say": "flaw"}', "")]
)
async def test_a_form_is_sent_whole_or_not_at_all(second: str, sent: str) -> None:
    form = replace(ASKED, sampling=replace(ASKED.sampling, grammar="root ::= x"))
    tries = Tries(signs('{"say": "my fault"}'), signs(second))
    found, ended = await heard(tries, form)
    assert found == sent
    action = GuardAction.RETRIED if sent else GuardAction.WITHHELD
    assert ended.hits[-1] == GuardHit(LEAK, action)


async def test_a_cancelled_second_try_leaves_the_engine_free() -> None:
    tries = Tries(signs("It was my locking pin."), signs(" hammer and my tongs."))
    speech = Speech(tries.generate, TOKENIZER, ASKED, MIRA, FALLBACK)
    sent = ""
    async with aclosing(speak(speech)) as events:
        async for event in events:
            assert isinstance(event, Delta)
            sent += event.text
            if sent == "It was my hammer":
                break
    assert len(tries.requests) == 2
    assert tries.open == 0


def test_the_second_try_has_what_is_left_of_the_limits() -> None:
    sampling = replace(ASKED.sampling, min_tokens=20)
    request = again(replace(ASKED, sampling=sampling), "Aye. It was", TOKENIZER)
    assert request.sampling.max_sentences == 1
    assert request.sampling.max_tokens == 80 - len("Aye. It was")
    assert request.sampling.min_tokens == 20 - len("Aye. It was")


def test_the_seed_of_the_second_try_follows_from_the_first() -> None:
    seeds = [again(ASKED, "", TOKENIZER).sampling.seed for _ in range(2)]
    assert seeds == [7 + RETRY_STEP] * 2
    late = replace(ASKED, sampling=replace(ASKED.sampling, seed=2**32 - 1))
    assert 0 <= again(late, "", TOKENIZER).sampling.seed < 2**32


SAYINGS = st.lists(
    st.sampled_from(["Hot iron.", " It was my", " locking", " pin", " flaw", " hammer.", " Aye."]),
    min_size=1,
    max_size=6,
)


@given(SAYINGS, SAYINGS)
async def test_no_fault_is_ever_sent(first: list[str], second: list[str]) -> None:
    sent, ended = await heard(Tries(first, second))
    assert MIRA.fault_in(sent) is None
    assert bool(ended.hits) is (MIRA.fault_in("".join(first)) is not None)
