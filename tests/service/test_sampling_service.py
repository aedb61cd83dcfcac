"""How a reply is drawn, as a game asks for it over gRPC."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from npc_client import server_process
from npc_client.client import Client, Conversation, SamplingOverrides
from npc_client.server_process import ServerProcess
from npc_server.engine.errors import DecodeError
from npc_server.engine.protocol import Request
from npc_server.engine.protocol import Sampling as EngineSampling
from personas.adapter_repo import Draft
from personas.fake import FakeTokenizer
from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from personas.reward_heads import METHOD
from personas.said_lines import SAID_LINES
from personas.sentences import ends_whole
from tests.support import tiny_gguf
from tests.support.calls import refusal
from tests.support.casts import mira_with
from tests.support.scripted_server import BASE_SHA256, WORDS, Stage, StageMaker

pytestmark = pytest.mark.service


def test_the_contract_names_what_the_engine_names() -> None:
    known = {field.name for field in dataclasses.fields(EngineSampling)}
    assert known >= set(SamplingOverrides.DESCRIPTOR.fields_by_name)


async def test_what_is_not_overridden_is_the_personas(stage: StageMaker) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    sampling = SamplingOverrides(temperature=0, max_tokens=200, stop=["END"], grammar="x")
    await made.client.say(session.session_id, "Hello.", sampling=sampling)
    used = made.engine.requests[-1].sampling
    assert (used.temperature, used.max_tokens, used.stop, used.grammar) == (0, 200, ("END",), "x")
    assert (used.min_p, used.top_k) == (0.1, 40)


async def test_another_take_may_be_drawn_differently(stage: StageMaker) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    first = await made.client.say(session.session_id, "Hello.")
    sampling = SamplingOverrides(temperature=1.5)
    await made.client.regenerate(session.session_id, first.turn_id, sampling=sampling)
    assert [request.sampling.temperature for request in made.engine.requests[-2:]] == [0.5, 1.5]


async def test_what_was_used_is_stored_with_the_turn(stage: StageMaker) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    sampling = SamplingOverrides(temperature=1.25, stop=["END", "\n"], min_tokens=3)
    reply = await made.client.say(session.session_id, "Hello.", seed=9, sampling=sampling)
    turn = made.store.turn(reply.turn_id)
    assert turn is not None
    used = {"temperature": 1.25, "stop": ["END", "\n"], "min_tokens": 3, "max_tokens": 80}
    assert used.items() <= dict(turn.sampling).items()
    assert (turn.sampling["seed"], turn.sampling["best_of"]) == (9, 1)


async def test_more_room_for_the_reply_is_less_for_old_conversation(stage: StageMaker) -> None:
    made = await stage(lambda _: "Aye.")
    session = await made.client.start_session("mira", "p1")
    await made.client.say(session.session_id, "Hello.")
    full = SamplingOverrides(max_tokens=1024)
    code, details = await refusal(made.client.say(session.session_id, "And?", sampling=full))
    assert (code, details[:17]) == (grpc.StatusCode.INVALID_ARGUMENT, "max_tokens is 102")
    before, most = made.engine.requests[-1].prompt_ids, SamplingOverrides(max_tokens=90)
    await made.client.say(session.session_id, "And?", sampling=most)
    assert len(made.engine.requests[-1].prompt_ids) > len(before)


async def test_a_short_reply_may_be_shorter_than_the_personas_least(
    stage: StageMaker, tmp_path: Path
) -> None:
    made = await stage(characters=mira_with(tmp_path, min_reply_tokens=30))
    session = await made.client.start_session("mira", "p1")
    await made.client.say(session.session_id, "Hello.", sampling=SamplingOverrides(max_tokens=10))
    used = made.engine.requests[-1].sampling
    assert (used.min_tokens, used.max_tokens) == (10, 10)


# Whole sentences


async def test_a_form_ends_with_the_form_and_no_sentence_does(stage: StageMaker) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    await made.client.say(session.session_id, "Hello.")
    for form in (SamplingOverrides(grammar="x"), SamplingOverrides(json_schema="{}")):
        await made.client.say(session.session_id, "Hello.", sampling=form)
    rules = [request.sentences is not None for request in made.engine.requests[-3:]]
    assert rules == [True, False, False]
    assert [request.sampling.max_sentences for request in made.engine.requests[-3:]] == [2, 0, 0]


async def test_a_call_may_have_more_sentences_than_the_persona_or_no_rule(
    stage: StageMaker,
) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    for most in (9, 0):
        sampling = SamplingOverrides(max_sentences=most)
        await made.client.say(session.session_id, "Hello.", sampling=sampling)
    story, raw = made.engine.requests[-2:]
    assert story.sentences is not None
    assert (story.sampling.max_sentences, raw.sentences) == (9, None)


# What was said before


async def test_what_was_said_in_the_session_is_not_to_be_said_again(stage: StageMaker) -> None:
    made = await stage(lambda request: f"Take {request.sampling.seed}.")
    session = await made.client.start_session("mira", "p1")
    first = await made.client.say(session.session_id, "Hello.", seed=1)
    await made.client.edit(first.turn_id, "Morning.")
    second = await made.client.say(session.session_id, "And?", seed=2)
    third = await made.client.regenerate(session.session_id, second.turn_id, seed=3)
    said = [FakeTokenizer().decode(ids) for ids in made.engine.requests[-1].said]
    assert said == ["Morning.", "Take 2."]
    turn = made.store.turn(third.turn_id)
    assert turn is not None
    assert turn.sampling["said"] == said


async def test_where_phrases_are_free_nothing_counts_as_said(
    stage: StageMaker, tmp_path: Path
) -> None:
    made = await stage(characters=mira_with(tmp_path, dry_multiplier=0, most_said_again=1))
    session = await made.client.start_session("mira", "p1")
    for _ in range(2):
        reply = await made.client.say(session.session_id, "Hello.")
    turn = made.store.turn(reply.turn_id)
    assert turn is not None
    assert made.engine.requests[-1].said == ()
    assert "said" not in turn.sampling


async def test_only_the_latest_lines_of_a_long_talk_count_as_said(stage: StageMaker) -> None:
    made = await stage(lambda request: f"Take {request.sampling.seed}.")
    session = await made.client.start_session("mira", "p1")
    for seed in range(SAID_LINES + 3):
        await made.client.say(session.session_id, f"Line {seed}.", seed=seed)
    *_, last = (request for request in made.engine.requests if not request.background)
    said = [FakeTokenizer().decode(ids) for ids in last.said]
    assert said == [f"Take {seed}." for seed in range(2, SAID_LINES + 2)]


# Best of several


LINES = {0: "As an AI, I have no hands.", 1: "By the sea, no!", 2: "Iron first. Talk after."}


@pytest.fixture
async def best_of_three(stage: StageMaker, tmp_path: Path) -> Stage:
    cast = mira_with(tmp_path, best_of=3)
    return await stage(lambda request: LINES[request.sampling.seed], characters=cast)


async def test_the_best_of_several_is_said_stored_and_continued_from(
    best_of_three: Stage,
) -> None:
    client, pieces = best_of_three.client, list[str]()
    session = await client.start_session("mira", "p1")
    reply = await client.say(session.session_id, "Hello.", seed=0, on_text=pieces.append)
    assert (reply.text, reply.candidates, pieces) == (LINES[2], 3, [LINES[2]])
    turn = best_of_three.store.turn(reply.turn_id)
    assert turn is not None
    assert (turn.reply_text, turn.seed) == (LINES[2], 0)
    assert (turn.sampling["best_of"], turn.sampling["seed"]) == (3, 2)
    assert len(best_of_three.store.turns("mira")) == 1


async def test_another_take_is_not_what_was_said_already(stage: StageMaker, tmp_path: Path) -> None:
    said = {0: LINES[2], 1: LINES[2], 2: "Speak up, the bellows are loud."}
    cast = mira_with(tmp_path, best_of=3)
    made = await stage(lambda request: said[request.sampling.seed], characters=cast)
    session = await made.client.start_session("mira", "p1")
    first = await made.client.say(session.session_id, "Hello.", seed=0)
    again = await made.client.regenerate(session.session_id, first.turn_id, seed=0)
    assert (first.text, again.text) == (said[0], said[2])


async def test_a_player_who_leaves_frees_the_engine_of_all_candidates(
    best_of_three: Stage,
) -> None:
    engine, client = best_of_three.engine, best_of_three.client
    session = await client.start_session("mira", "p1")
    engine.gate.clear()
    call = asyncio.create_task(client.say(session.session_id, "Hello.", seed=0))
    while engine.running < 3:
        await asyncio.sleep(0.01)
    call.cancel()
    async with asyncio.timeout(30):
        while engine.running:
            await asyncio.sleep(0.01)
    engine.gate.set()
    assert (await client.say(session.session_id, "Hello?", seed=0)).text == LINES[2]


async def test_only_when_all_candidates_fail_the_turn_fails(
    stage: StageMaker, tmp_path: Path
) -> None:
    failing = set[int]()

    def script(request: Request) -> str:
        if request.sampling.seed in failing:
            raise DecodeError("no luck")
        return "Aye."

    made = await stage(script, characters=mira_with(tmp_path, best_of=3))
    session = await made.client.start_session("mira", "p1")
    failing |= {0, 2}
    reply = await made.client.say(session.session_id, "Hello.", seed=0)
    assert (reply.text, reply.candidates) == ("Aye.", 1)
    failing.add(1)
    code, _ = await refusal(made.client.say(session.session_id, "Hello?", seed=0))
    assert code is grpc.StatusCode.INTERNAL


# The best of several by the character's reward head


LIKED = {0: "Cold iron bends nobody.", 1: "Iron first. Talk after.", 2: "The moss lights the way."}


def reply_in(request: Request) -> str:
    """The reply that a request asks the head about."""
    return FakeTokenizer().decode(request.prompt_ids[:-1]).rpartition("assistant\n")[2]


@pytest.fixture
async def judged(stage: StageMaker, tmp_path: Path) -> Stage:
    """Mira draws three, and a head that likes moss is live."""
    cast = mira_with(tmp_path, best_of=3)
    made = await stage(lambda request: LIKED[request.sampling.seed], characters=cast)
    made.engine.judge = lambda request: (float("moss" in reply_in(request)), 0.0)
    made.publish_head("mira")
    while not made.engine.adapters:  # the server polls the disk
        await asyncio.sleep(0.01)
    return made


async def said(made: Stage) -> str:
    """Mira's reply to a new player."""
    session = await made.client.start_session("mira", "p1")
    return (await made.client.say(session.session_id, "Hello.", seed=0)).text


async def test_of_faultless_replies_the_head_chooses_and_the_record_says_so(judged: Stage) -> None:
    assert await said(judged) == LIKED[2]
    (turn,) = judged.store.turns("mira")
    assert turn.reply_text == LIKED[2]
    assert (turn.sampling["seed"], turn.sampling["judge"]) == (2, judged.heads.aliases("mira").live)


async def test_a_leak_loses_however_much_the_head_likes_it(
    stage: StageMaker, tmp_path: Path
) -> None:
    secret = load_characters(SAMPLE_CHARACTERS)["mira"].lore.secrets[0].leak_words[0]
    lines = {**LIKED, 0: f"Moss. It was {secret}."}
    cast = mira_with(tmp_path, best_of=3)
    made = await stage(lambda request: lines[request.sampling.seed], characters=cast)
    made.engine.judge = lambda request: (9.0 * (secret in reply_in(request)), 0.0)
    made.publish_head("mira")
    while not made.engine.adapters:
        await asyncio.sleep(0.01)
    assert await said(made) == LIKED[1]


async def test_a_head_that_fails_leaves_the_choice_to_the_checks(judged: Stage) -> None:
    def fail(request: Request) -> tuple[float, ...]:
        raise DecodeError("no luck")

    judged.engine.judge = fail
    assert await said(judged) == LIKED[0]
    (turn,) = judged.store.turns("mira")
    assert "judge" not in turn.sampling


async def test_without_a_head_nobody_is_asked(best_of_three: Stage) -> None:
    assert await said(best_of_three) == LINES[2]
    assert [request.choices for request in best_of_three.engine.requests[1:]] == [()] * 3


async def test_a_character_that_draws_one_reply_needs_no_head_in_memory(
    stage: StageMaker,
) -> None:
    made = await stage()
    made.publish_head("mira")
    await asyncio.sleep(0.2)  # several polls of the disk
    assert made.engine.adapters == {}


async def test_a_restarted_engine_has_its_heads_again(judged: Stage) -> None:
    starts = judged.engine.starts
    judged.engine.die()
    async with asyncio.timeout(5):
        while judged.engine.starts == starts or not judged.engine.adapters:
            await asyncio.sleep(0.01)
        await judged.client.wait_until_serving(5)
    assert await said(judged) == LIKED[2]


async def test_a_voice_is_no_head(stage: StageMaker, tmp_path: Path) -> None:
    made = await stage(characters=mira_with(tmp_path, best_of=3))
    source = tiny_gguf.write_adapter(tmp_path / "voice", seed=3)
    draft = Draft("mira", None, BASE_SHA256, "dpo", {}, "", (), {})
    made.heads.promote("mira", made.heads.publish(draft, source).version)
    await asyncio.sleep(0.2)  # several polls of the disk
    assert made.engine.adapters == {}
    assert await said(made) == "reply 0"


async def test_a_head_is_no_voice(stage: StageMaker, tmp_path: Path) -> None:
    made = await stage()
    source = tiny_gguf.write_adapter(tmp_path / "head", seed=3)
    draft = Draft("mira", None, BASE_SHA256, METHOD, WORDS, "", (), {})
    version = made.repo.publish(draft, source).version
    code, why = await refusal(made.client.promote("mira", version))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "is a reward head, not a voice" in why
    assert made.repo.aliases("mira").live is None


# The real model


@pytest.fixture(scope="module")
def real_server(
    real_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("real")
    environment = {"NPC_PATHS_DATA": str(folder / "data"), "NPC_MODEL_BASE": str(real_model)}
    running = server_process.start(folder / "server.log", environment)
    yield running
    server_process.stop(running)


@pytest.fixture
async def client(real_server: ServerProcess) -> AsyncIterator[Client]:
    async with Client(real_server.address) as client:
        await client.wait_until_serving(60)
        yield client


@pytest.fixture
async def talk(client: Client) -> Conversation:
    return await client.start_session("mira", "p1")


@pytest.mark.real_model
@pytest.mark.parametrize(
    ("sampling", "said"),
    [
        (SamplingOverrides(temperature=9), "temperature is 9.0; 0 (always the likeliest"),
        (SamplingOverrides(min_tokens=200), "min_tokens 200 is above max_tokens 80; lower it"),
        (
            SamplingOverrides(grammar='root ::= "Aye" |\n  nay'),
            "grammar line 2, column 3: no rule is named 'nay'; the rules are root",
        ),
        (
            SamplingOverrides(grammar='root ::= root "a"'),
            "grammar line 1, column 1: rule 'root' never ends; give it an alternative without",
        ),
        (
            SamplingOverrides(json_schema='{"items": {"uniqueItems": true}}'),
            "json_schema at /items: 'uniqueItems' is not supported",
        ),
        (
            SamplingOverrides(json_schema='{"type": "object",}'),
            "json_schema line 1, column 1",
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_drawn_is_refused_with_field_and_place(
    client: Client, talk: Conversation, sampling: SamplingOverrides, said: str
) -> None:
    code, details = await refusal(client.say(talk.session_id, "Hello.", sampling=sampling))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details[: len(said)] == said


@pytest.mark.real_model
async def test_a_reply_ends_with_its_sentences_and_stream_and_text_agree(
    client: Client, talk: Conversation
) -> None:
    pieces = list[str]()
    one = SamplingOverrides(max_sentences=1, min_tokens=60, max_tokens=120)
    reply = await client.say(
        talk.session_id, "Tell me everything.", seed=3, sampling=one, on_text=pieces.append
    )
    assert reply.finish_reason == "sentences"
    assert "".join(pieces) == reply.text
    assert ends_whole(reply.text)
    assert 60 <= reply.tokens < 120


@pytest.mark.real_model
async def test_a_reply_cut_at_its_limit_ends_at_its_last_whole_sentence(
    client: Client, talk: Conversation
) -> None:
    pieces = list[str]()
    cut = SamplingOverrides(max_sentences=99, min_tokens=40, max_tokens=70)
    reply = await client.say(
        talk.session_id, "Tell me everything.", seed=3, sampling=cut, on_text=pieces.append
    )
    assert reply.finish_reason == "length"
    assert "".join(pieces) == reply.text
    assert ends_whole(reply.text)
    assert 40 <= reply.tokens <= 70


@pytest.mark.real_model
async def test_a_grammar_that_runs_wild_ends_its_own_reply_alone(
    client: Client, talk: Conversation
) -> None:
    other = await client.start_session("fenn", "p2")
    ways = " | ".join(f'"b{i}" x' for i in range(2300))
    wild = SamplingOverrides(grammar=f'root ::= "a" x\nx ::= "." | {ways}', temperature=0)
    refused, heard = await asyncio.gather(
        refusal(client.say(talk.session_id, "Hello.", sampling=wild)),
        client.say(other.session_id, "Hello."),
    )
    assert refused[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert "too many ways to go on" in refused[1]
    assert heard.text


@pytest.mark.real_model
async def test_a_schema_yields_json(client: Client, talk: Conversation) -> None:
    properties = {"mood": {"enum": ["calm", "cross"]}, "say": {"type": "string", "maxLength": 80}}
    schema = {"type": "object", "properties": properties, "required": ["mood", "say"]}
    sampling = SamplingOverrides(json_schema=json.dumps(schema), max_tokens=150)
    reply = await client.say(talk.session_id, "How are you?", sampling=sampling)
    answer = json.loads(reply.text)
    assert answer.keys() == {"mood", "say"}
    assert answer["mood"] in ("calm", "cross")


@pytest.mark.real_model
async def test_every_token_has_its_log_probability_on_request(
    client: Client, talk: Conversation
) -> None:
    sampling = SamplingOverrides(logprobs=True, min_tokens=12, max_tokens=20)
    reply = await client.say(talk.session_id, "Hello.", sampling=sampling)
    assert 12 <= reply.tokens <= 20
    assert len(reply.token_logprobs) == reply.tokens
    assert all(value <= 0 for value in reply.token_logprobs)
    without = await client.say(talk.session_id, "And?")
    assert without.token_logprobs == ()
