"""From logits to a token.

The draw itself is llama.cpp's: penalties, top-k, top-p, min-p, temperature and the seeded choice.
It gets only what can matter, since a step draws for every running turn: the penalties see the
tokens said so far, the draw sees the likeliest ones, picked out of the whole vocabulary here.
A token that the form refuses is drawn again from those it allows, so a form costs little where the
model keeps to it anyway.

What the rules of replies refuse (`reply_rules`) is drawn again without it.

The same seed and the same logits give the same token, whatever else runs.
"""

from __future__ import annotations

import codecs
import ctypes
import math
import threading
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import llama_cpp as lc
import numpy as np
import numpy.typing as npt

from npc_server.engine.errors import DecodeError, RequestRejectedError
from npc_server.engine.llama import Llama
from npc_server.engine.protocol import Sampling, SentenceRule
from npc_server.engine.sampling.forms import Form, Forms
from npc_server.engine.sampling.reply_end import ReplyEnd, is_mark
from npc_server.engine.sampling.reply_rules import ReplyRules, Verdict
from npc_server.engine.sampling.said_phrases import SaidLine, SaidPhrases, read_line
from npc_server.engine.sampling.speaker_names import SpeakerNames
from npc_server.engine.sampling.word_beginnings import goes_on_with_a_word
from npc_server.engine.vocab import tokenize

Logits = npt.NDArray[np.float32]
Ids = npt.NDArray[np.intp]

#: Looked for at every token of a stream, which holds back as much text as could begin the longest.
#: An authored character may have as many (`personas.persona`), so that a call may say the same.
MAX_STOPS = 16
MAX_STOP_CHARACTERS = 256
_SEED_MODULUS = 0xFFFFFFFF  # this value itself means "random" to llama.cpp
_GREEDY_BELOW = 0.01  # temperatures that would divide logits out of the range of floats
_BREAKERS = (b"\n", b":", b'"', b"*")  # a phrase does not go on across these
_DRY_WINDOW_TOKENS = 2048  # of earlier replies and this one; the prompt is not looked at
_DRY_LINES = 16  # of earlier replies, the latest
_BETWEEN_REPLIES = "\n"  # a breaker
_GRID_ROWS = 64
_TRIED = 128  # likeliest tokens that a slow form is asked for one by one, before any will do
_MOST_REFUSED = 64  # tokens in one place; then the sentence ends, or the reply
_KEPT_LINES = 1024  # earlier replies that were read
_UNUSABLE = "the model computed no usable logits; its adapter or the base may be damaged"


class Sampler:
    """Draws the tokens of one turn, and remembers them.

    `said` are earlier replies, whose phrases count as said: to the penalty on phrases (DRY), and to
    the share that may be said again. The penalty on single tokens does not look at them: it would
    forbid the names of things. A word begun is ended as it was, since half a name is worse than a
    phrase said twice.
    """

    def __init__(
        self,
        llama: Llama,
        sampling: Sampling,
        said: Sequence[Sequence[int]] = (),
        sentences: SentenceRule | None = None,
        speakers: Sequence[str] = (),
    ) -> None:
        self._llama = llama
        self._sampling = sampling
        self._workspace = _workspace_of(llama)
        self._drawn = 0
        lately = said[-_DRY_LINES:]
        self._said = self._workspace.word_beginnings(lately)  # distinct tokens
        self._form = self._workspace.forms.begin(sampling)
        self._penalties = _penalty_chain(llama, sampling, lately)
        self._rules = None
        if not sampling.in_form:
            self._rules = self._workspace.rules(sampling, said, sentences, speakers)
        self._marks = self._workspace.marks(sentences) if sentences else _NO_IDS
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._chain = None if sampling.temperature < _GREEDY_BELOW else _draw_chain(sampling)

    def sample(self, row: int) -> int:
        """Draw the token that follows the batch row with this index, and remember it.

        Raises RequestRejectedError when the form cannot be followed any further, and DecodeError
        when there is nothing to draw from.
        """
        logits = self._adjust(self._llama.logits(row))
        token = self._draw(logits)
        if token in self._llama.chat.masked:  # seldom, so that nobody pays for it beforehand
            logits = self._workspace.without_masked(logits)
            token = self._draw(logits)
        if not math.isfinite(logits[token]):
            raise DecodeError(_UNUSABLE)
        if self._rules is not None:
            token = self._fit(self._rules, logits, token)
        self._remember(token)
        return token

    def sample_thought(self, row: int, end: int) -> int:
        """Draw the token of a thought that follows this batch row; no form binds it.

        `end`: the one mark that it may hold. Raises DecodeError when there is nothing to draw from.
        """
        logits = self._llama.logits(row)
        token = self._likely(logits)
        if token != end and token in self._llama.chat.masked:
            floor = logits[end]
            logits = self._workspace.without_masked(logits)
            logits[end] = floor
            token = self._likely(logits)
        if not math.isfinite(logits[token]):
            raise DecodeError(_UNUSABLE)
        return token

    def _fit(self, rules: ReplyRules, logits: Logits, token: int) -> int:
        """The token, or another that the rules let through."""
        for _ in range(_MOST_REFUSED):
            verdict = self._judge(rules, token)
            if verdict is Verdict.FITS:
                return token
            logits = self._workspace.without_masked(logits)
            if verdict is Verdict.MARK and (mark := self._find_mark(rules, logits)) is not None:
                return mark
            if verdict is Verdict.MARK and token not in self._workspace.end_ids:
                return token
            logits[self._workspace.ends if token in self._workspace.end_ids else token] = -np.inf
            if not np.isfinite(logits.max()):
                break
            token = self._draw(logits)
        mark = self._find_mark(rules, logits) if rules.takes_mark else None
        return _best(logits, self._workspace.closing) if mark is None else mark

    def _judge(self, rules: ReplyRules, token: int) -> Verdict:
        if token in self._workspace.end_ids:
            return rules.judge_end()
        text = self._workspace.text_of(token)
        if text is None or self._decoder.getstate()[0]:
            return Verdict.FITS  # a character that has begun is ended as it was
        return rules.judge(text)

    def _find_mark(self, rules: ReplyRules, logits: Logits) -> int | None:
        """The likeliest mark that makes a sentence whole here."""
        in_order = self._marks[np.argsort(-logits[self._marks], kind="stable")].tolist()
        texts = ((mark, self._workspace.text_of(mark)) for mark in in_order)
        return next((mark for mark, text in texts if text and rules.ends_sentence(text)), None)

    def close(self) -> None:
        """Free what llama.cpp holds for the turn; further calls do nothing."""
        for sampler in filter(None, (self._penalties, self._chain)):
            lc.llama_sampler_free(sampler)
        self._penalties = self._chain = None

    def _adjust(self, logits: Logits) -> Logits:
        """The logits with penalties, and without ends that would come too early."""
        too_early = self._too_early and self._form is None
        penalised = self._penalties is not None and len(self._said) > 0
        push = self._rules.push_to_mark if self._rules else 0.0
        if not too_early and not penalised and not push:
            return logits
        adjusted = self._workspace.adjusted
        np.copyto(adjusted, logits)
        if penalised:
            adjusted[self._said] = self._workspace.apply(self._penalties, self._said, logits)
        if push:
            adjusted[self._marks] += np.float32(push)
        if too_early:
            adjusted[self._workspace.ends] = -np.inf
        return adjusted

    @property
    def _too_early(self) -> bool:
        return self._drawn < self._sampling.min_tokens

    def _draw(self, logits: Logits) -> int:
        if self._form is not None and self._form.must_end:
            return _best(logits, self._workspace.closing)
        token = self._likely(logits)
        if self._form is None or self._allows(self._form, token):
            return token
        return self._choose(logits, self._find_allowed(self._form, logits))

    def _likely(self, logits: Logits) -> int:
        if self._chain is None:
            return int(logits.argmax())
        return self._choose(logits, likeliest(logits, self._sampling.top_k))

    def _choose(self, logits: Logits, among: Ids) -> int:
        if not len(among):
            raise DecodeError(_UNUSABLE)  # nothing is as great as not-a-number
        if self._chain is None:
            return _best(logits, among)
        return self._workspace.choose(self._chain, among, logits)

    def _allows(self, form: Form, token: int) -> bool:
        if token in self._workspace.closes:
            return form.may_end and not self._too_early
        return form.allows(token)

    def _find_allowed(self, form: Form, logits: Logits) -> Ids:
        """The likeliest tokens that the form allows; ends too, where it may end."""
        if not form.quick and len(found := self._find_likely(form, logits)):
            return found
        allowed = form.possible()
        if form.may_end and not (self._too_early and len(allowed)):
            allowed = np.append(allowed, self._workspace.closing)
        return allowed[likeliest(logits[allowed], self._sampling.top_k)]

    def _find_likely(self, form: Form, logits: Logits) -> Ids:
        """Those of the likeliest tokens that the form allows; one is enough where none is drawn."""
        first = likeliest(logits, _TRIED)
        found: list[int] = []
        for token in first[np.argsort(-logits[first], kind="stable")].tolist():
            if self._allows(form, token):
                found.append(token)
                if self._chain is None:
                    break
        return np.array(found, np.intp)

    def _remember(self, token: int) -> None:
        self._drawn += 1
        if self._form is not None and token not in self._workspace.closes:
            self._form.accept(token)
        if self._rules is not None and token not in self._workspace.end_ids:
            self._rules.add(self._decoder.decode(self._workspace.piece(token)))
        if self._penalties is not None:
            lc.llama_sampler_accept(self._penalties, token)
            if token not in self._said:
                self._said = np.append(self._said, token)


def check_sampling(llama: Llama, sampling: Sampling) -> None:
    """Raise RequestRejectedError for values out of range and grammars that cannot be used."""
    for field, right, limits in _RANGES:
        value = getattr(sampling, field)
        if not right(value):  # written so that NaN is refused
            raise RequestRejectedError(f"{field} is {value}; {limits}")
    if sampling.min_tokens > sampling.max_tokens:
        counts = f"min_tokens {sampling.min_tokens} is above max_tokens {sampling.max_tokens}"
        raise RequestRejectedError(f"{counts}; lower it")
    _check_stops(sampling.stop)
    if sampling.grammar and sampling.json_schema:
        raise RequestRejectedError("grammar and json_schema are both given; send one of them")
    if sampling.grammar or sampling.json_schema:
        _workspace_of(llama).forms.begin(sampling)


#: By field: what is right, and how to say so.
_RANGES: tuple[tuple[str, Callable[[float], bool], str], ...] = (
    ("temperature", lambda v: 0 <= v <= 5, "0 (always the likeliest token) to 5"),
    ("top_k", lambda v: 0 <= v < 2**31, "0 (no limit) or more"),
    ("top_p", lambda v: 0 < v <= 1, "above 0, up to 1 (no limit)"),
    ("min_p", lambda v: 0 <= v < 1, "0 (no limit) up to, but not including, 1"),
    ("repeat_penalty", lambda v: 0 < v < math.inf, "above 0; 1 is none"),
    ("repeat_window_tokens", lambda v: 0 <= v <= 4096, "0 (none) to 4096"),
    ("dry_multiplier", lambda v: 0 <= v < math.inf, "0 (none) or more"),
    ("dry_base", lambda v: 1 <= v < math.inf, "at least 1"),
    ("dry_allowed_tokens", lambda v: 1 <= v < 2**31, "at least 1"),
    ("most_said_again", lambda v: 0 <= v <= 1, "0 (nothing) to 1 (no limit)"),
    ("min_tokens", lambda v: v >= 0, "0 or more"),
    ("max_tokens", lambda v: v >= 1, "at least 1"),
    ("max_sentences", lambda v: v >= 0, "0 (no limit) or more"),
)


def _check_stops(stops: tuple[str, ...]) -> None:
    if len(stops) > MAX_STOPS:
        raise RequestRejectedError(f"stop has {len(stops)} texts; at most {MAX_STOPS} are taken")
    for stop in stops:
        if not 0 < len(stop) <= MAX_STOP_CHARACTERS:
            limits = f"1 to {MAX_STOP_CHARACTERS} are taken"
            raise RequestRejectedError(f"stop has a text of {len(stop)} characters; {limits}")


def token_logprob(logits: Logits, token: int) -> float:
    """Log-probability of a token under softmax(logits), in nats."""
    return token_logprobs(logits, (token,))[0]


def token_logprobs(logits: Logits, tokens: Sequence[int]) -> tuple[float, ...]:
    """Log-probability of each of some tokens under softmax(logits), in nats."""
    top = float(logits.max())
    weights = _scratch(len(logits))
    np.subtract(logits, np.float32(top), out=weights)
    np.exp(weights, out=weights)
    # A product with ones: numpy's own sum of floats is careful, and twice as slow.
    total = top + math.log(float(weights @ _ones(len(logits))))
    return tuple(float(logits[token]) - total for token in tokens)


_local = threading.local()


def _scratch(size: int) -> Logits:
    """A buffer of this thread, overwritten by the next use."""
    buffer: Logits | None = getattr(_local, "scratch", None)
    if buffer is None or len(buffer) != size:
        buffer = _local.scratch = np.empty(size, np.float32)
    return buffer


@lru_cache(maxsize=4)
def _ones(size: int) -> Logits:
    return np.ones(size, np.float32)


def likeliest(logits: Logits, count: int) -> Ids:
    """The tokens with the `count` greatest logits, and some more; 0 = all."""
    columns = len(logits) // _GRID_ROWS
    if count == 0 or count >= len(logits):
        return np.arange(len(logits))
    if count > columns:
        least = np.partition(logits, -count)[-count]
    else:
        # As many columns of a grid as tokens are wanted have a greatest element at least as great
        # as the least wanted one, so no sorting of the whole vocabulary is needed.
        tops = logits[: _GRID_ROWS * columns].reshape(_GRID_ROWS, columns).max(axis=0)
        least = np.partition(tops, columns - count)[columns - count]
    return np.flatnonzero(logits >= least)


def _best(logits: Logits, among: Ids) -> int:
    return int(among[logits[among].argmax()])


def _draw_chain(sampling: Sampling) -> Any:
    links = [lc.llama_sampler_init_top_k(sampling.top_k)] if sampling.top_k else []
    if sampling.top_p < 1:
        links.append(lc.llama_sampler_init_top_p(sampling.top_p, 1))
    if sampling.min_p > 0:
        links.append(lc.llama_sampler_init_min_p(sampling.min_p, 1))
    links.append(lc.llama_sampler_init_temp(sampling.temperature))
    links.append(lc.llama_sampler_init_dist(sampling.seed % _SEED_MODULUS))
    return _chain(links)


def _penalty_chain(llama: Llama, sampling: Sampling, said: Sequence[Sequence[int]]) -> Any:
    """What lowers tokens that were said before; None when nothing does."""
    links: list[Any] = []
    if sampling.repeat_penalty != 1 and sampling.repeat_window_tokens:
        window, penalty = sampling.repeat_window_tokens, sampling.repeat_penalty
        links.append(lc.llama_sampler_init_penalties(llama.vocab_size, window, penalty, 0.0, 0.0))
    if sampling.dry_multiplier:
        links.append(_workspace_of(llama).new_dry(sampling, said))
    return _chain(links) if links else None


def _chain(links: list[Any]) -> Any:
    chain = lc.llama_sampler_chain_init(lc.llama_sampler_chain_default_params())
    for link in links:
        lc.llama_sampler_chain_add(chain, link)
    return chain


class _Workspace:
    """What the turns of one model share: facts of its vocabulary, and room to work in.

    Used from the model's one thread; nothing in it outlasts a draw but the facts.
    """

    def __init__(self, llama: Llama) -> None:
        vocab, size = llama.vocab, llama.vocab_size
        #: Tokens that end a reply; other control tokens end it too, but by a mistake of the model.
        self.closes = frozenset(token for token in range(size) if _closes(llama, token))
        self.closing = np.array(sorted(self.closes), np.intp)
        self.ends = np.array([token for token in range(size) if llama.is_end(token)], np.intp)
        self.end_ids = frozenset(self.ends.tolist())  # none writes anything, however it is stored
        self._pieces = [b"" if t in self.end_ids else llama.token_bytes(t) for t in range(size)]
        self.adjusted = np.empty(size, np.float32)
        self._marks: dict[SentenceRule, Ids] = {}
        self._texts: dict[int, str | None] = {}
        self._read_line = lru_cache(_KEPT_LINES)(self._read)
        self._masked = np.array(sorted(llama.chat.masked), np.intp)
        self._vocab = vocab
        self._begins_word: dict[int, bool] = {}
        self._between = tokenize(vocab, _BETWEEN_REPLIES, parse_special=False)[-1]
        self._dry: dict[tuple[float, float, int], Any] = {}
        self._entries = (lc.llama_token_data * size)()
        self._table = np.frombuffer(self._entries, _ENTRY)
        self._ids, self._logits = self._table["id"], self._table["logit"]
        self._candidates: Any = lc.llama_token_data_array()
        self._candidates.data = self._entries

    @cached_property
    def forms(self) -> Forms:
        """Forms over this vocabulary; made when the first is asked for, some tenths of a second."""
        silent = (token for token, piece in enumerate(self._pieces) if not piece)
        return Forms(self._pieces, next(iter(self.closing.tolist()), next(silent, 0)))

    def rules(
        self,
        sampling: Sampling,
        said: Sequence[Sequence[int]],
        sentences: SentenceRule | None,
        speakers: Sequence[str],
    ) -> ReplyRules | None:
        """What a reply keeps to; None where that is nothing."""
        phrases = end = names = None
        if sampling.most_said_again < 1 and said:
            lines = [self._read_line(tuple(tokens)) for tokens in said]
            phrases = SaidPhrases(lines, sampling.most_said_again)
        if sentences is not None:
            end = ReplyEnd(sentences, sampling.max_tokens)
        if speakers:
            names = SpeakerNames(speakers)
        return ReplyRules(phrases, end, names) if phrases or end or names else None

    def _read(self, tokens: tuple[int, ...]) -> SaidLine:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return read_line([decoder.decode(self._pieces[token]) for token in tokens])

    def marks(self, rule: SentenceRule) -> Ids:
        """The tokens that can end a sentence."""
        if rule not in self._marks:
            texts = (piece.decode("utf-8", "ignore") for piece in self._pieces)
            found = [token for token, text in enumerate(texts) if is_mark(rule, text)]
            self._marks[rule] = np.array(found, np.intp)
        return self._marks[rule]

    def piece(self, token: int) -> bytes:
        """What a token writes; ends write nothing."""
        return self._pieces[token]

    def text_of(self, token: int) -> str | None:
        """The text of a token; None where it is no whole characters."""
        if token not in self._texts:
            try:
                self._texts[token] = self._pieces[token].decode()
            except UnicodeDecodeError:
                self._texts[token] = None
        return self._texts[token]

    def apply(self, sampler: Any, tokens: Ids, logits: Logits) -> Logits:
        """The logits of these tokens behind a sampler that keeps their order."""
        self._run(sampler, tokens, logits)
        return self._logits[: len(tokens)]

    def choose(self, sampler: Any, tokens: Ids, logits: Logits) -> int:
        """Which of these tokens a sampler chooses."""
        self._run(sampler, tokens, logits)
        return int(self._ids[self._candidates.selected])

    def without_masked(self, logits: Logits) -> Logits:
        """The logits with none for what no reply may hold."""
        if logits is not self.adjusted:
            np.copyto(self.adjusted, logits)
        self.adjusted[self._masked] = -np.inf
        return self.adjusted

    def _run(self, sampler: Any, tokens: Ids, logits: Logits) -> None:
        count = len(tokens)
        self._ids[:count] = tokens
        self._logits[:count] = logits[tokens]
        self._candidates.size, self._candidates.selected, self._candidates.sorted = count, -1, False
        lc.llama_sampler_apply(sampler, ctypes.byref(self._candidates))

    def word_beginnings(self, texts: Sequence[Sequence[int]]) -> Ids:
        """The distinct tokens of these texts that do not go on with a word."""
        found = {token for tokens in texts for token in tokens if self._begins(token)}
        return np.array(sorted(found), np.intp)

    def _begins(self, token: int) -> bool:
        if token not in self._begins_word:
            self._begins_word[token] = not goes_on_with_a_word(self._pieces[token])
        return self._begins_word[token]

    def new_dry(self, sampling: Sampling, said: Sequence[Sequence[int]]) -> Any:
        """A turn's own sampler, which has seen what was said."""
        dry = lc.llama_sampler_clone(self._dry_of(sampling))
        for tokens in said:
            for token in (*tokens, self._between):
                lc.llama_sampler_accept(dry, token)
        return dry

    def _dry_of(self, sampling: Sampling) -> Any:
        """The sampler to be cloned for a turn: finding the breakers takes some milliseconds."""
        key = (sampling.dry_multiplier, sampling.dry_base, sampling.dry_allowed_tokens)
        if key not in self._dry:
            if len(self._dry) >= _MOST_DRY:
                lc.llama_sampler_free(self._dry.pop(next(iter(self._dry))))
            breakers = (ctypes.c_char_p * len(_BREAKERS))(*_BREAKERS)
            self._dry[key] = lc.llama_sampler_init_dry(
                self._vocab, *key, _DRY_WINDOW_TOKENS, breakers, len(_BREAKERS)
            )
        return self._dry[key]


def _closes(llama: Llama, token: int) -> bool:
    """Whether the token ends a reply; other control tokens end it by a mistake of the model."""
    return bool(lc.llama_vocab_is_eog(llama.vocab, token) or token in llama.chat.ends)


_NO_IDS = np.array([], np.intp)
_ENTRY = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
_MOST_DRY = 16
_workspaces: WeakKeyDictionary[Llama, _Workspace] = WeakKeyDictionary()


def _workspace_of(llama: Llama) -> _Workspace:
    workspace = _workspaces.get(llama)
    if workspace is None:
        workspace = _workspaces[llama] = _Workspace(llama)
    return workspace
