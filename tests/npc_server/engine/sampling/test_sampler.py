"""Drawing tokens: as llama.cpp draws them, within the limits that were asked for."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import llama_cpp as lc
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from benchmarks.conversation.figures import phrases_again
from npc_server.engine.errors import DecodeError, RequestRejectedError
from npc_server.engine.llama import BatchRow, ContextShape, Llama
from npc_server.engine.protocol import Sampling, SentenceRule
from npc_server.engine.sampling import Sampler, check_sampling, likeliest, sampler, token_logprob
from npc_server.engine.sentence_end import SentenceEnds
from npc_server.engine.vocab import tokenize
from npc_server.turns import SENTENCE_RULE
from personas import authored_fields
from personas.sentences import ends_whole

PROMPT = """<|im_start|>system
You are Mira, a blacksmith.<|im_end|>
<|im_start|>user
How are you today?<|im_end|>
<|im_start|>assistant
"""
#: No turn marks: after one, tokens that no training ever told apart are equally likely, and nothing
#: promises which of equals comes first.
PROSE = """The harbour was quiet when the blacksmith opened her shutters. She had slept badly, the
wind had been at the tiles all night, and the first cart of ore was late again. 'It will come,' said
the old woman from the chandlery, who said so every morning and was right about half of the time."""


@pytest.fixture(scope="module")
def llama(real_model: Path) -> Iterator[Llama]:
    llama = Llama(real_model, ContextShape(1, context_tokens=512, batch_tokens=128, threads=2))
    yield llama
    llama.close()


def said(
    llama: Llama,
    sampling: Sampling,
    prompt_text: str = PROMPT,
    earlier: Sequence[Sequence[int]] = (),
    sentences: SentenceRule | None = None,
) -> list[int]:
    """The tokens of a reply, its end left out."""
    prompt = tokenize(llama.vocab, prompt_text, parse_special=True)
    llama.clear(0)
    llama.decode([BatchRow(t, i, 0, i == len(prompt) - 1) for i, t in enumerate(prompt)])
    sampler, tokens, row = (
        Sampler(llama, sampling, earlier, sentences),
        list[int](),
        len(prompt) - 1,
    )
    while len(tokens) < sampling.max_tokens:
        token = sampler.sample(row)
        if llama.is_end(token):
            break
        llama.decode([BatchRow(token, len(prompt) + len(tokens), 0, True)])
        tokens.append(token)
        row = 0
    sampler.close()
    return tokens


def text_of(llama: Llama, sampling: Sampling) -> str:
    return _text(llama, said(llama, sampling))


def reference(llama: Llama, sampling: Sampling) -> object:
    """llama.cpp's own chain over the whole vocabulary."""
    links = [lc.llama_sampler_init_top_k(sampling.top_k)] if sampling.top_k else []
    if sampling.repeat_penalty != 1:
        window, penalty = sampling.repeat_window_tokens, sampling.repeat_penalty
        penalties = lc.llama_sampler_init_penalties(llama.vocab_size, window, penalty, 0, 0)
        links.insert(0, penalties)
    links.append(lc.llama_sampler_init_top_p(sampling.top_p, 1))
    links.append(lc.llama_sampler_init_min_p(sampling.min_p, 1))
    links.append(lc.llama_sampler_init_temp(sampling.temperature))
    links.append(lc.llama_sampler_init_dist(sampling.seed))
    chain = lc.llama_sampler_chain_init(lc.llama_sampler_chain_default_params())
    for link in links:
        lc.llama_sampler_chain_add(chain, link)
    return chain


@pytest.mark.real_model
@pytest.mark.parametrize(
    "sampling",
    [
        pytest.param(Sampling(temperature=0.6, min_p=0.1), id="usual"),
        pytest.param(Sampling(temperature=5, top_k=100, repeat_penalty=1.5), id="wild"),
        pytest.param(Sampling(top_k=7, repeat_penalty=0.8, repeat_window_tokens=5), id="raised"),
        pytest.param(Sampling(top_k=0, top_p=0.9, repeat_penalty=1.1), id="whole-vocabulary"),
    ],
)
def test_a_draw_is_llama_cpps_over_the_whole_vocabulary(llama: Llama, sampling: Sampling) -> None:
    prompt = tokenize(llama.vocab, PROSE, parse_special=False)
    llama.clear(0)
    llama.decode([BatchRow(t, i, 0, True) for i, t in enumerate(prompt)])
    for seed in range(4):
        sampler = Sampler(llama, replace(sampling, seed=seed))
        chain = reference(llama, replace(sampling, seed=seed))
        ours = [sampler.sample(row) for row in range(len(prompt))]
        theirs = [lc.llama_sampler_sample(chain, llama.context, row) for row in range(len(prompt))]
        assert ours == theirs


@pytest.mark.real_model
def test_the_same_seed_says_the_same_and_another_something_else(llama: Llama) -> None:
    usual = Sampling(temperature=1, max_tokens=12)
    assert said(llama, usual) == said(llama, usual) != said(llama, replace(usual, seed=1))


@pytest.mark.real_model
def test_a_reply_has_its_least_number_of_tokens(llama: Llama) -> None:
    short = Sampling(temperature=0, max_tokens=60)
    length = len(said(llama, short))
    longer = replace(short, min_tokens=length + 5)
    assert length < 55
    assert len(said(llama, longer)) >= length + 5


@pytest.mark.real_model
def test_dry_breaks_a_loop(llama: Llama) -> None:
    loop = Sampling(temperature=0, min_tokens=48, max_tokens=48)
    prompt = "tick tock tack," + " tick tock tack," * 12
    assert _repeated_share(said(llama, loop, prompt)) > 0.8
    assert _repeated_share(said(llama, replace(loop, dry_multiplier=4.0), prompt)) < 0.2


@pytest.mark.real_model
def test_a_greedy_reply_that_was_said_before_is_not_said_again(llama: Llama) -> None:
    greedy = Sampling(temperature=0, max_tokens=24, dry_multiplier=0.8)
    takes = [said(llama, greedy)]
    for _ in range(4):
        takes.append(said(llama, greedy, earlier=takes))
    assert len(set(map(tuple, takes))) == 5


@pytest.mark.real_model
def test_the_end_of_a_word_said_before_is_not_lowered(llama: Llama) -> None:
    name = tokenize(llama.vocab, " Old Patience Xanthippe", parse_special=False)
    begun = [token for token in name if llama.token_bytes(token).startswith(b" ")]
    sampler = Sampler(llama, Sampling(dry_multiplier=5), [name])
    assert sorted(sampler._said.tolist()) == sorted(set(begun))
    assert len(begun) == 3 < len(name)


@pytest.mark.real_model
def test_earlier_replies_do_not_weigh_on_single_words(llama: Llama) -> None:
    plain = Sampling(temperature=0, max_tokens=12, repeat_penalty=1.5)
    reply = said(llama, plain)
    assert said(llama, plain, earlier=[reply]) == reply


@pytest.mark.real_model
def test_no_reply_says_more_than_a_fifth_of_an_earlier_one_again(llama: Llama) -> None:
    bound = Sampling(temperature=0, max_tokens=24, most_said_again=0.2)
    takes: list[list[int]] = []
    for seed in range(6):
        takes.append(said(llama, replace(bound, seed=seed), earlier=takes))
    texts = [_text(llama, tokens) for tokens in takes]
    pairs = [(text, before) for i, text in enumerate(texts) for before in texts[:i]]
    assert max(phrases_again(text, [before]) for text, before in pairs) <= 0.2
    assert len(set(texts)) == len(texts)


@pytest.mark.real_model
def test_the_share_said_again_changes_nothing_where_nothing_was_said(llama: Llama) -> None:
    bound = Sampling(max_tokens=12, most_said_again=0)
    free = replace(bound, most_said_again=1)
    assert said(llama, bound) == said(llama, free)
    assert said(llama, bound) == said(llama, bound)


@pytest.mark.real_model
@pytest.mark.parametrize("most_tokens", [6, 12, 24])
def test_a_reply_ends_where_a_sentence_does(llama: Llama, most_tokens: int) -> None:
    for seed in range(4):
        sampling = Sampling(max_tokens=most_tokens, seed=seed)
        ends = SentenceEnds(SENTENCE_RULE, 0)
        reply = _text(llama, said(llama, sampling, sentences=SENTENCE_RULE))
        assert ends_whole(ends.push(reply) + ends.cut())


@pytest.mark.real_model
def test_a_form_is_kept_to_whatever_was_said(llama: Llama) -> None:
    sampling = Sampling(json_schema='{"enum": ["the same words again"]}', most_said_again=0)
    reply = said(llama, sampling)
    assert said(llama, sampling, earlier=[reply]) == reply


def _text(llama: Llama, tokens: Sequence[int]) -> str:
    return b"".join(llama.token_bytes(token) for token in tokens).decode("utf-8", "replace")


def _repeated_share(tokens: list[int]) -> float:
    runs = [tuple(tokens[i : i + 6]) for i in range(len(tokens) - 5)]
    return 1 - len(set(runs)) / len(runs)


@pytest.mark.real_model
@pytest.mark.parametrize("temperature", [0, 0.6, 2])
def test_a_grammar_is_kept_to_its_end(llama: Llama, temperature: float) -> None:
    grammar = 'root ::= ("Aye" | "Nay") ", " [a-z ]{5,30} ". é日"'
    text = text_of(llama, Sampling(temperature=temperature, grammar=grammar))
    assert text.startswith(("Aye, ", "Nay, "))
    assert text.endswith(". é日")


MOOD = {"enum": ["calm", 'so-"so"']}
SCHEMAS: dict[str, dict[str, Any]] = {
    "said": {"type": "object", "properties": {"mood": MOOD, "say": {"type": "string", "maxLength":
        60}}, "required": ["mood", "say"]},
    "object-or-null": {"type": ["object", "null"], "properties": {"mood": MOOD}, "required":
        ["mood"], "additionalProperties": False},
    "name-or-null": {"type": "object", "properties": {"nick": {"type": ["string", "null"],
        "maxLength": 3}}, "required": ["nick"]},
    "reference": {"$ref": "#/$defs/n", "maxLength": 8, "$defs": {"n": {"type": "string"}}},
    "range": {"type": "object", "properties": {"age": {"type": "integer", "minimum": 18, "maximum":
        65}}, "required": ["age"]},
    "email": {"type": "object", "properties": {"m": {"type": "string", "format": "email",
        "maxLength": 20}}, "required": ["m"]},
    "pattern": {"type": "array", "items": {"type": "string", "pattern": "^[A-Z][a-z]{2,6}$"},
        "minItems": 1, "maxItems": 3},
}  # fmt: skip


@pytest.mark.real_model
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_reply_of_the_base_keeps_to_its_schema(llama: Llama, schema: dict[str, Any]) -> None:
    checker = Draft202012Validator.FORMAT_CHECKER
    for seed in range(3):
        sampling = Sampling(json_schema=json.dumps(schema), repeat_penalty=1.1, seed=seed)
        reply = json.loads(text_of(llama, sampling))
        Draft202012Validator(schema, format_checker=checker).validate(reply)


@pytest.mark.real_model
def test_a_complete_grammar_ends_the_reply_before_its_least_length(llama: Llama) -> None:
    sampling = Sampling(grammar='root ::= "Aye" "."', min_tokens=20, max_tokens=24)
    assert text_of(llama, sampling) == "Aye."
    assert len(said(llama, replace(sampling, grammar='root ::= "a"+'))) >= 20


@pytest.mark.real_model
def test_a_log_probability_is_that_of_the_softmax(llama: Llama) -> None:
    said(llama, Sampling(temperature=0, max_tokens=3))
    logits = llama.logits(0).astype(np.float64)
    exact = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
    found = [token_logprob(llama.logits(0), token) for token in range(0, len(logits), 500)]
    assert found == pytest.approx(exact[::500].tolist(), abs=1e-4)


@pytest.mark.parametrize("count", [0, 1, 40, 129, 5000, 10_000])
def test_the_likeliest_are_found_whatever_their_number(count: int) -> None:
    logits = np.random.default_rng(0).normal(size=8_300).astype(np.float32)
    exact = np.argsort(-logits)[: count or None].tolist()
    found = likeliest(logits, count).tolist()
    assert set(found) >= set(exact)
    assert len(found) <= 4 * len(exact)


class Numbers:
    """A model that computes given logits."""

    def __init__(self, tiny: Llama, logits: list[float]) -> None:
        self._tiny, self._logits = tiny, np.array(logits, np.float32)

    def __getattr__(self, name: str) -> object:
        return getattr(self._tiny, name)

    def logits(self, _row: int) -> object:
        return self._logits


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Llama:
    return Llama(tiny_model, ContextShape(1, 64, 32, 1))


@pytest.mark.parametrize("temperature", [0, 1])
def test_logits_that_are_no_numbers_are_an_error(tiny: Llama, temperature: float) -> None:
    broken = Numbers(tiny, [math.nan] * tiny.vocab_size)
    sampler = Sampler(broken, Sampling(temperature=temperature))  # type: ignore[arg-type]
    with pytest.raises(DecodeError, match="no usable logits"):
        sampler.sample(0)


@pytest.mark.parametrize(
    ("sampling", "said"),
    [
        (Sampling(temperature=-0.1), "temperature is -0.1; 0 (always the likeliest token) to 5"),
        (Sampling(temperature=5.1), "temperature is 5.1; "),
        (Sampling(temperature=math.nan), "temperature is nan; "),
        (Sampling(top_k=-1), "top_k is -1; 0 (no limit) or more"),
        (Sampling(top_p=0), "top_p is 0; above 0, up to 1 (no limit)"),
        (Sampling(top_p=1.01), "top_p is 1.01; "),
        (Sampling(min_p=1), "min_p is 1; 0 (no limit) up to, but not including, 1"),
        (Sampling(repeat_penalty=0), "repeat_penalty is 0; above 0; 1 is none"),
        (Sampling(repeat_penalty=math.inf), "repeat_penalty is inf; "),
        (Sampling(dry_multiplier=-1), "dry_multiplier is -1; 0 (none) or more"),
        (Sampling(dry_base=0.9), "dry_base is 0.9; at least 1"),
        (Sampling(dry_allowed_tokens=0), "dry_allowed_tokens is 0; at least 1"),
        (Sampling(most_said_again=1.1), "most_said_again is 1.1; 0 (nothing) to 1 (no limit)"),
        (Sampling(max_tokens=0), "max_tokens is 0; at least 1"),
        (Sampling(min_tokens=97), "min_tokens 97 is above max_tokens 96; lower it"),
        (Sampling(stop=("x",) * 17), "stop has 17 texts; at most 16 are taken"),
        (Sampling(stop=("",)), "stop has a text of 0 characters; 1 to 256 are taken"),
        (Sampling(grammar="x", json_schema="{}"), "grammar and json_schema are both given"),
        (Sampling(grammar="root ::= x"), "grammar line 1, column 10: no rule is named 'x'"),
        (Sampling(json_schema="{"), "json_schema line 1, column 2: expecting property name"),
        (
            Sampling(json_schema='{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}'),
            "json_schema at /: never ends; leave a way without more of itself",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_by_name(
    tiny: Llama, sampling: Sampling, said: str
) -> None:
    with pytest.raises(RequestRejectedError) as caught:
        check_sampling(tiny, sampling)
    assert str(caught.value)[: len(said)] == said


def test_what_can_be_drawn_is_let_pass(tiny: Llama) -> None:
    check_sampling(tiny, Sampling())
    check_sampling(tiny, Sampling(temperature=5, top_p=1, min_p=0.99, stop=("END",)))
    check_sampling(tiny, Sampling(grammar='root ::= "a" | ""'))
    check_sampling(tiny, Sampling(json_schema='{"type": "boolean"}'))


def test_a_call_may_stop_where_a_persona_may() -> None:
    """Neither may import the other."""
    ours = (sampler.MAX_STOPS, sampler.MAX_STOP_CHARACTERS)
    assert ours == (authored_fields.MAX_STOPS, authored_fields.MAX_STOP_CHARACTERS)
