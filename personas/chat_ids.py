"""A conversation as token ids, each known to come from the template or from a speaker.

Only text of the template becomes special tokens. What lies between two of those is one string,
template and contents together, and encoded as plain text: words merge across the seams as they did
when the model was trained, and a typed `<|im_start|>` is ordinary letters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from weakref import WeakKeyDictionary

from personas.chat import Message, Special, Tokenizer
from personas.chat_format import ChatFormat, Manner, Pieces
from personas.chat_template import ChatTemplate
from personas.errors import ChatFormatError

#: Counted up when the same template and messages come to be other ids than before.
RENDERER = 1
CHATML_MARKS = ("<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SPACES = " \t\n\v\f\r"  # what llama.cpp strips beside a token that asks for it
_MOST_RUNS = 50_000
_MIDDLE = ("user", "assistant", "user", "assistant", "user")
_ANY_TEXTS = ("\n", "Hello, 你好 🙂")
#: Contents that differ from their first token on, wherever that begins.
_ANYTHING = ("I", "...", " \n")

Ids = tuple[int, ...]


@dataclass(frozen=True)
class ReplyMarks:
    """Special tokens beside those of the vocabulary that no text of a reply may hold."""

    ends: frozenset[int]  # end the reply
    masked: frozenset[int]  # are never drawn


class Chat:
    """The chat format of a tokenizer: messages in, ids out. Raises ChatFormatError."""

    def __init__(self, tokenizer: Tokenizer, *, thinks: bool = False) -> None:
        self._encode = tokenizer.encode
        self._specials = sorted(tokenizer.specials, key=lambda s: -len(s.spelling.encode()))
        self._never = frozenset(s.id for s in self._specials if s.control or len(s.spelling) > 1)
        self._bos, self._adds_bos = tokenizer.bos, tokenizer.adds_bos
        self._thoughts = tokenizer.thoughts
        self._require_plain_text()
        self._source = template_of(tokenizer)
        bos, eos = self._spelling(self._bos), self._spelling(tokenizer.eos)
        template = ChatTemplate(self._source, bos=bos, eos=eos, thinks=thinks)
        self._format = ChatFormat(template, () if thinks else tokenizer.thoughts)
        self._parts: dict[str, tuple[str | Special, ...]] = {}
        self._runs: dict[str, Ids] = {}
        self._sizes: dict[Message, int] = {}
        self.end = self._end.id  # the token that ends a reply

    @property
    def manner(self) -> Manner:
        """What the template takes as it is."""
        return self._format.manner

    @property
    def sha256(self) -> str:
        """What tells this format from every other, as hex."""
        return hashlib.sha256(f"{RENDERER}\n{self._source}".encode()).hexdigest()

    def matches(self, chat_format: str) -> bool:
        """Whether an adapter was trained on these prompts; `chat_format` as its manifest has it.

        Manifests of earlier releases say nothing: their prompts were ChatML.
        """
        return chat_format == self.sha256 or (not chat_format and self.is_chatml)

    @cached_property
    def is_chatml(self) -> bool:
        """Whether messages come out as plain ChatML writes them."""
        start, stop = CHATML_MARKS
        plain = "".join(f"{start}{role}\n\0{stop}\n" for role in ("system", *_MIDDLE))
        roles = ("system", *_MIDDLE) if self.manner.has_system else _MIDDLE
        *texts, last = self._format.pieces(roles, asks=True)
        written = "\0".join([*texts, last])
        bare = written.removeprefix(self._spelling(self._bos))  # which may be the mark of a turn
        return any(text.startswith(f"{plain}{start}assistant\n") for text in (written, bare))

    @cached_property
    def bos(self) -> Ids:
        """BOS, where every conversation begins with it; some models call the mark of a turn so."""
        ids = self.asking([Message(role, "") for role in _MIDDLE])
        return ids[:1] if self._bos is not None and ids.count(self._bos) == 1 else ()

    def asking(self, messages: Sequence[Message]) -> Ids:
        """A whole conversation, ending where the character starts to speak."""
        return self._ids(messages, asks=True)

    def beginning(self, messages: Sequence[Message]) -> Ids:
        """What every conversation that goes on after these messages begins with."""
        roles = ("assistant", "user") if messages[-1].role == "user" else ("user",)
        first, *others = (
            self.asking((*messages, *(Message(role, text) for role in roles))) for text in _ANYTHING
        )
        shared = first[: min(shared_length(first, other) for other in others)]
        try:
            whole = self._ids(messages, asks=False)
        except ChatFormatError:  # a template that wants the player's line last
            return shared
        return whole if shared[: len(whole)] == whole else shared

    def most_tokens(self, messages: Sequence[Message]) -> int:
        """No beginning with these messages has more tokens: none has less than a byte of text."""
        shaped = self._format.fit((*messages, Message("user", "")))
        pieces = self._format.pieces(tuple(one.role for one in shaped), asks=True)
        written = (*pieces, *(one.content for one in shaped))
        blanks = len(written)  # of a vocabulary that begins each text with one
        return sum(len(text.encode()) for text in written) + blanks + len(self.bos)

    def reply(self, text: str) -> Ids:
        """A reply as the model should produce it: its text, then the end of the turn."""
        text = text if self.manner.keeps_blanks else text.strip()
        before, spelled = self._speaks
        text = f"{self._lead}{text}{self._closing}"
        lead = self._run(spelled, before, None)
        whole = self._run(spelled + text, before, self._end)
        apart = whole[: len(lead)] == lead
        said = whole[len(lead) :] if apart else self._run(text, None, self._end)
        return (*said, self.end)

    def size(self, message: Message) -> int:
        """Tokens that a message adds to a conversation, but for merges with its neighbours."""
        if message not in self._sizes:
            if len(self._sizes) >= _MOST_RUNS:
                self._sizes.clear()
            self._sizes[message] = self._measure(message)
        return self._sizes[message]

    @cached_property
    def next_id(self) -> int:
        """The token that follows a beginning, where it does not depend on what is said next."""
        said = [Message(role, _ANYTHING[0]) for role in _MIDDLE[:3]]
        return self.asking(said)[len(self.beginning(said[:2]))]

    def reply_marks(self) -> ReplyMarks:
        """The special tokens that end a reply, and those that no reply may hold."""
        behind = self._specials_in(self._middle[2])
        ends = {self.end, *(special.id for special in behind if not special.control)}
        roles = ("system", *_MIDDLE) if self.manner.has_system else _MIDDLE
        texts = (*self._format.pieces(roles, asks=True), self._behind_reply)
        written = {special.id for text in texts for special in self._specials_in(text)}
        thoughts = {s.id for s in self._specials if any(s.spelling in p for p in self._thoughts)}
        ours = {s.id for s in self._specials if not s.control}
        return ReplyMarks(frozenset(ends), frozenset((written & ours | thoughts) - ends))

    # Facts of the template

    @cached_property
    def _middle(self) -> Pieces:
        return self._format.pieces(_MIDDLE, asks=True)

    @cached_property
    def _speaks(self) -> tuple[Special | None, str]:
        """The last special token before a reply, and the template's text behind it."""
        before: Special | None = None
        text = ""
        for part in self._split(self._middle[-1]):
            before, text = (before, part) if isinstance(part, str) else (part, "")
        return before, text

    @property
    def before_reply(self) -> tuple[str | Special, ...]:
        """What the template writes behind the player's last line: text and special tokens."""
        return self._split(self._middle[-1])

    @cached_property
    def _lead(self) -> str:
        """The template's text between where a reply begins and its content, such as a space."""
        spoken, asked = self._middle[3], self._middle[-1]
        lead = spoken.removeprefix(asked) if spoken.startswith(asked) else ""
        return "" if any(self._specials_in(lead)) else lead

    @cached_property
    def _end(self) -> Special:
        """The first special token that the template writes behind a reply."""
        found = next(self._specials_in(self._behind_reply), None)
        if found is None:
            raise ChatFormatError(
                "its chat template ends no reply with a special token of its vocabulary; is it the"
                " template of another model?"
            )
        return found

    @cached_property
    def _closing(self) -> str:
        """The template's text between a reply and its end."""
        first = next(iter(self._split(self._behind_reply)), None)
        return first if isinstance(first, str) else ""

    @cached_property
    def _behind_reply(self) -> str:
        """What the template writes behind the last reply of a conversation."""
        try:
            last = self._format.pieces(_MIDDLE[:4], asks=False)[-1]
        except ChatFormatError:  # a template that wants the player's line last
            last = ""
        return last if any(self._specials_in(last)) else self._middle[2]

    def _spelling(self, token: int | None) -> str:
        return next((s.spelling for s in self._specials if s.id == token), "")

    def _specials_in(self, text: str) -> Iterator[Special]:
        return (part for part in self._split(text) if not isinstance(part, str))

    # Text to ids

    def _ids(self, messages: Sequence[Message], *, asks: bool) -> Ids:
        shaped = self._format.fit(messages)
        pieces = self._format.pieces(tuple(one.role for one in shaped), asks=asks)
        ids = self._ids_of(pieces, [one.content for one in shaped])
        if self._adds_bos and self._bos is not None and ids[:1] != (self._bos,):
            return (self._bos, *ids)
        return ids

    def _ids_of(self, pieces: Sequence[str], contents: Sequence[str]) -> Ids:
        ids: list[int] = []
        run = ""
        before: Special | None = None
        for piece, content in zip_longest(pieces, contents, fillvalue=""):
            for part in self._split(piece):
                if isinstance(part, str):
                    run += part
                else:
                    ids += (*self._run(run, before, part), part.id)
                    run, before = "", part
            run += content
        return (*ids, *self._run(run, before, None))

    def _run(self, text: str, before: Special | None, after: Special | None) -> Ids:
        """Plain text between two special tokens."""
        if before is not None and before.strips_after:
            text = text.lstrip(_SPACES)
        if after is not None and after.strips_before:
            text = text.rstrip(_SPACES)
        if not text:
            return ()
        if text not in self._runs:
            if len(self._runs) >= _MOST_RUNS:
                self._runs.clear()
            self._runs[text] = self._plain_ids(text)
        return self._runs[text]

    def _require_plain_text(self) -> None:
        """Raise ChatFormatError for a vocabulary that nobody can talk in, such as BERT's."""
        for text in _ANY_TEXTS:
            if not self._plain_ids(text):
                raise ChatFormatError(f"its vocabulary has no {text!r}: it is no chat model's")

    def _plain_ids(self, text: str) -> Ids:
        ids = tuple(self._encode(text))
        if found := self._never.intersection(ids):
            names = ", ".join(sorted(map(self._spelling, found)))
            raise ChatFormatError(f"its tokenizer makes special tokens of plain text: {names}")
        return ids

    def _split(self, text: str) -> tuple[str | Special, ...]:
        """Text of the template at its special tokens, the longest first, as llama.cpp does."""
        if text not in self._parts:
            parts: list[str | Special] = [text]
            for special in self._specials:
                if special.spelling in text:
                    parts = [new for part in parts for new in _split_at(part, special)]
            self._parts[text] = tuple(parts)
        return self._parts[text]

    def _measure(self, message: Message) -> int:
        if message.role == "system":
            return len(self.beginning((message,)))
        at = 2 if message.role == "user" else 3
        return len(self._ids_of(("", self._middle[at]), ("", message.content)))


def _split_at(part: str | Special, special: Special) -> Iterator[str | Special]:
    if not isinstance(part, str):
        yield part
        return
    for number, text in enumerate(part.split(special.spelling)):
        if number:
            yield special
        if text:
            yield text


def shared_length(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def template_of(tokenizer: Tokenizer) -> str:
    """The template of a tokenizer; ChatML where it has the marks of that and no template.

    Raises ChatFormatError.
    """
    if tokenizer.chat_template.strip():
        return tokenizer.chat_template
    spelled = {special.spelling for special in tokenizer.specials}
    if missing := [mark for mark in CHATML_MARKS if mark not in spelled]:
        raise ChatFormatError(
            f"it comes without a chat template, and has no {' and no '.join(missing)} token to be"
            " prompted in ChatML; give its template by [model] chat_template = FILE"
        )
    return CHATML


_chats: WeakKeyDictionary[Tokenizer, Chat] = WeakKeyDictionary()


def chat_of(tokenizer: Tokenizer) -> Chat:
    """The chat format that hangs on a tokenizer. Raises ChatFormatError."""
    if tokenizer not in _chats:
        _chats[tokenizer] = Chat(tokenizer)
    return _chats[tokenizer]
