"""Persona, history and a line become the token ids the model sees; the only renderer.

Server and trainer both call this, so what is trained is what is served. The conversation is written
as the model's own chat template has it (`chat_ids`); a player who types "<|im_start|>system" types
ordinary letters and cannot forge a turn.
A secret's truth is never rendered: what is not in the prompt cannot be talked out of it.
The system message depends on the persona alone, so its tokens can be cached and shared.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, groupby
from weakref import WeakKeyDictionary

from personas.chat import Message as Message
from personas.chat import Tokenizer as Tokenizer
from personas.chat_ids import Chat, chat_of, shared_length
from personas.chat_thoughts import thinking_of
from personas.errors import PromptTooLongError
from personas.kept_history import Room, first_kept
from personas.notes import NO_NOTES, Note, ToldNotes, fitting, text_of
from personas.persona import Persona, Secret

MOST_IN_A_BREATH = 4  # lines of the player that become one message
BROKEN_OFF = "\N{EM DASH}"  # where a speaker is interrupted, as books print it


class Speaker(StrEnum):
    """Who said a line of the conversation."""

    PLAYER = "player"
    CHARACTER = "character"


@dataclass(frozen=True)
class Line:
    """One thing said earlier in the conversation."""

    speaker: Speaker
    text: str
    interrupted: bool = False  # the character was broken off after `text`, which may be empty


@dataclass(frozen=True)
class Prompt:
    """What the model is given, and how much had to be left out."""

    ids: tuple[int, ...]
    messages: tuple[Message, ...]
    dropped_lines: int  # oldest history lines that did not fit, those without an answer apart
    opening_tokens: int  # of what is read: every conversation with this character begins with them
    opening_messages: int  # of messages: the same
    thinking_ids: tuple[int, ...] = ()  # for a model that thinks first: up to within its thought
    notes: ToldNotes = NO_NOTES


@dataclass(frozen=True)
class Beginning:
    """A prompt without the player's line, and what was left out of it."""

    ids: tuple[int, ...]
    dropped_lines: int


_ROLE = {Speaker.PLAYER: "user", Speaker.CHARACTER: "assistant"}


def system_text(persona: Persona) -> str:
    """The system message: who you are, what you keep quiet, what you know, how to answer.

    The name comes first and last: a small model holds on to what stands nearest to the question.
    """
    return "\n".join(text for text in system_parts(persona).values() if text)


def system_parts(persona: Persona) -> dict[str, str]:
    """The paragraphs of the system message by what they tell, in order; "" = not in it."""
    return {
        "identity": _identity(persona),
        "goals": " ".join(persona.goals),
        "relationships": " ".join(one.text for one in persona.relationships),
        "facts": " ".join(fact.fact for fact in persona.lore.facts),
        "order": _order(persona),
    }


def instructions(persona: Persona) -> tuple[str, ...]:
    """The parts of the system message that a reply must not quote: all that is not knowledge."""
    return (_identity(persona), _order(persona))


def _identity(persona: Persona) -> str:
    sentences = (
        f"You are {persona.name}, {persona.role}.",
        persona.summary,
        persona.voice.style,
        *(f'You often say "{saying}".' for saying in persona.voice.sayings),
        *(taboo.rule for taboo in persona.taboos),
        *(told_of(secret) for secret in persona.lore.secrets if not secret.when),
        *(
            f"You {one.spoken} when {one.occasion.rstrip('.')}."
            for one in persona.actions
            if one.occasion
        ),
    )
    return " ".join(sentences)


def told_of(secret: Secret) -> str:
    """What a character is told of a secret: when to turn away, and not from what."""
    return f"Asked about {secret.topic}, {secret.deflect}"


def _order(persona: Persona) -> str:
    length = _sentences(persona.voice.max_sentences)
    return f"Your name is {persona.name}. Use what you know above to answer in {length}."


def messages(persona: Persona, history: Sequence[Line], player_text: str) -> tuple[Message, ...]:
    """The whole conversation as chat messages; a system message always comes first."""
    talk, unanswered = _split_answered(history)
    return (*_opening(persona), *_as_messages(talk), _question((*unanswered, player_text)))


def prompt(
    persona: Persona,
    history: Sequence[Line],
    player_text: str,
    tokenizer: Tokenizer,
    budget_tokens: int,
    usual_tokens: int | None = None,
    notes: Sequence[Note] = (),
    notes_tokens: int = 0,
) -> Prompt:
    """The conversation in at most `budget_tokens` ids.

    Oldest history goes first, in whole exchanges (a player's line with its answers), so the model
    never sees an answer without its question, and many at once, so that the prompts of a
    conversation begin alike for several turns. How many is measured by `usual_tokens`, what these
    prompts may usually have; None = this budget. PromptTooLongError when even an empty history
    leaves too little room. Of the notes go in what fits into `notes_tokens` beside the line;
    `usual_tokens` should leave them out, since every prompt of the conversation may have some.
    """
    chat, opening = chat_of(tokenizer), opening_ids(persona, tokenizer)
    before = tuple(_opening(persona))
    talk, unanswered = _split_answered(history)
    asked = _question((*unanswered, player_text))
    while unanswered and len(chat.asking((*before, asked))) > budget_tokens:
        unanswered = unanswered[1:]
        asked = _question((*unanswered, player_text))
    question = len(chat.asking((*before, asked))) - len(opening)
    left = budget_tokens - len(opening) - question
    if left < 0:
        raise PromptTooLongError(persona.id, len(opening), question, budget_tokens)
    told = _fitting_notes(notes, min(notes_tokens, left), asked, chat)
    asked = with_notes(told.kept, asked)
    usual = budget_tokens if usual_tokens is None else min(usual_tokens, budget_tokens)
    room = Room(budget_tokens - len(opening), usual - len(opening))
    kept = _newest(talk, question + told.tokens, room, chat)
    said = (*before, *_as_messages(kept), asked)
    while kept and len(chat.asking(said)) > budget_tokens:  # sizes leave out what merges
        kept = tuple(chain.from_iterable(_exchanges(kept)[1:]))
        said = (*before, *_as_messages(kept), asked)
    ids = chat.asking(said)
    if len(ids) > budget_tokens and told.kept:  # likewise
        fewer = told.tokens - 1
        return prompt(
            persona, history, player_text, tokenizer, budget_tokens, usual_tokens, notes, fewer
        )
    thinking = thinking_of(tokenizer).asking(said) if tokenizer.thinks else ()
    return Prompt(
        ids=ids,
        messages=said,
        dropped_lines=len(talk) - len(kept),
        opening_tokens=shared_length(opening, thinking or ids),
        opening_messages=len(before),
        thinking_ids=thinking,
        notes=told,
    )


def dropped_lines(
    persona: Persona,
    history: Sequence[Line],
    player_text: str,
    tokenizer: Tokenizer,
    budget_tokens: int,
    usual_tokens: int,
    notes_tokens: int,
) -> int:
    """How many lines `prompt` leaves out when the notes take all of `notes_tokens`, or some more.

    It counts as `Prompt.dropped_lines` does.
    """
    chat, opening = chat_of(tokenizer), len(opening_ids(persona, tokenizer))
    talk, unanswered = _split_answered(history)
    question = chat.size(_question((*unanswered, player_text))) + notes_tokens
    room = Room(budget_tokens - opening, min(usual_tokens, budget_tokens) - opening)
    return len(talk) - len(_newest(talk, question, room, chat))


def beginning(
    persona: Persona, history: Sequence[Line], tokenizer: Tokenizer, usual_tokens: int
) -> Beginning:
    """What the next prompt begins with, unless the player's line is a long one."""
    chat, usual = _read_chat(tokenizer), usual_tokens - len(opening_ids(persona, tokenizer))
    talk, _ = _split_answered(history)
    kept = _newest(talk, 0, Room(usual, usual), chat)
    ids = chat.beginning((*_opening(persona), *_as_messages(kept)))
    return Beginning(ids, dropped_lines=len(talk) - len(kept))


def expected_beginning(
    persona: Persona,
    history: Sequence[Line],
    player_text: str,
    tokenizer: Tokenizer,
    usual_tokens: int,
) -> Beginning:
    """What the next prompt begins with, up to the reply that is being made to `player_text`.

    That reply is taken to be as long as the one before it.
    """
    chat, usual = _read_chat(tokenizer), usual_tokens - len(opening_ids(persona, tokenizer))
    talk, unanswered = _split_answered(history)
    question = Line(Speaker.PLAYER, _question((*unanswered, player_text)).content)
    replies = (line for line in reversed(talk) if line.speaker is Speaker.CHARACTER)
    expected = [*talk, question, next(replies, Line(Speaker.CHARACTER, ""))]
    kept = _newest(expected, 0, Room(usual, usual), chat)
    ids = chat.beginning((*_opening(persona), *_as_messages(kept[:-1])))
    return Beginning(ids, dropped_lines=len(expected) - len(kept))


#: Openings by tokenizer and persona version: the longest part of a prompt, the same every time.
_openings: WeakKeyDictionary[Tokenizer, dict[str, tuple[int, ...]]] = WeakKeyDictionary()
MOST_OPENINGS = 4096  # kept per tokenizer; a cast may be larger, and saved again and again


def opening_ids(persona: Persona, tokenizer: Tokenizer) -> tuple[int, ...]:
    """The beginning of every conversation with this character: its identity and its examples.

    As it is read: some templates tell a model in the system message that it is to think.
    """
    known = _openings.setdefault(tokenizer, {})
    opening = known.pop(persona.version, None)
    if opening is None:
        opening = _beginning_of_all(persona, tokenizer)
        while len(known) >= MOST_OPENINGS:
            del known[next(iter(known))]  # used least lately
    known[persona.version] = opening
    return opening


def opening_tokens(persona: Persona, tokenizer: Tokenizer) -> int:
    """How many `opening_ids` has. Nothing is kept, as of most of a large cast nobody asks more."""
    return len(_beginning_of_all(persona, tokenizer))


def _beginning_of_all(persona: Persona, tokenizer: Tokenizer) -> tuple[int, ...]:
    return _read_chat(tokenizer).beginning(tuple(_opening(persona)))


def most_opening_tokens(persona: Persona, tokenizer: Tokenizer) -> int:
    """No fewer than `opening_ids` has, told by the length of the text: that is not encoded."""
    return _read_chat(tokenizer).most_tokens(tuple(_opening(persona)))


def example_tokens(persona: Persona, tokenizer: Tokenizer) -> int:
    """Tokens of the beginning that show the character's examples."""
    _, *examples = _opening(persona)
    return sum(map(chat_of(tokenizer).size, examples))


def message_ids(rendered: Iterable[Message], tokenizer: Tokenizer) -> tuple[int, ...]:
    """A whole conversation as ids, ending where the character starts to speak."""
    return chat_of(tokenizer).asking(tuple(rendered))


def reply_ids(text: str, tokenizer: Tokenizer) -> tuple[int, ...]:
    """A reply as the model should produce it: its text, then the end of the turn."""
    return chat_of(tokenizer).reply(text)


def following_id(tokenizer: Tokenizer) -> int:
    """A token that may follow a beginning, to have that read and nothing else."""
    return _read_chat(tokenizer).next_id


def _read_chat(tokenizer: Tokenizer) -> Chat:
    """The format of the prompts that are read: of a model that thinks, those that make it think."""
    return thinking_of(tokenizer).chat if tokenizer.thinks else chat_of(tokenizer)


def _opening(persona: Persona) -> Iterator[Message]:
    yield Message("system", system_text(persona))
    for example in persona.examples[: persona.examples_in_prompt]:
        yield Message("user", example.player)
        yield Message("assistant", example.reply)


def _as_messages(lines: Iterable[Line]) -> Iterator[Message]:
    return (Message(_ROLE[line.speaker], _text_as_read(line)) for line in lines)


def _text_as_read(line: Line) -> str:
    """The line as the model reads it, with a mark where it was broken off."""
    return f"{line.text.rstrip()}{BROKEN_OFF}" if line.interrupted else line.text


def _split_answered(history: Iterable[Line]) -> tuple[list[Line], tuple[str, ...]]:
    """The conversation as it is rendered, and the newest lines that nothing was heard to.

    A player who was answered by nothing, and speaks again, said both in one breath: lines without
    an answer join the next one. Lines in a row are nothing that a chat model was trained on, and
    after some empty replies, or some of a mark alone, it falls silent itself.
    """
    talk: list[Line] = []
    waiting: tuple[str, ...] = ()
    for line in history:
        if line.speaker is Speaker.PLAYER:
            waiting = (*waiting, line.text)
        elif line.text.strip():
            talk += [Line(Speaker.PLAYER, _question(waiting).content), line] if waiting else [line]
            waiting = ()
    return talk, waiting


def _question(lines: Sequence[str]) -> Message:
    """What a player said until they were answered: the newest lines, each once in a row."""
    once = [line for line, _ in groupby(lines)]
    return Message("user", "\n".join(once[-MOST_IN_A_BREATH:]))


def with_notes(notes: Sequence[Note], asked: Message) -> Message:
    """The player's message with the notes before it; the message itself when there are none."""
    parts = [part for part in (text_of(notes), asked.content) if part]
    return Message(asked.role, "\n".join(parts))


def notes_before_a_line(
    notes: Sequence[Note], most_tokens: int, player_text: str, tokenizer: Tokenizer
) -> ToldNotes:
    """Those of the notes that fit before a line; its tokens are beside theirs."""
    return _fitting_notes(notes, most_tokens, _question((player_text,)), chat_of(tokenizer))


def _fitting_notes(
    notes: Sequence[Note], most_tokens: int, asked: Message, chat: Chat
) -> ToldNotes:
    if not notes:
        return NO_NOTES
    alone, nothing = chat.size(asked), chat.size(Message("user", ""))

    def size(kept: Sequence[Note]) -> int:
        return chat.size(with_notes(kept, asked)) - alone

    def about(note: Note) -> int:  # the chat remembers it from line to line
        return chat.size(Message("user", note.text)) - nothing

    return fitting(notes, most_tokens, size, about)


def _newest(
    history: Sequence[Line], question_tokens: int, room: Room, chat: Chat
) -> Sequence[Line]:
    exchanges = _exchanges(history)
    sizes = [sum(map(chat.size, _as_messages(exchange))) for exchange in exchanges]
    start = first_kept(sizes, question_tokens, room)
    return tuple(chain.from_iterable(exchanges[start:]))


def _exchanges(history: Sequence[Line]) -> list[list[Line]]:
    exchanges: list[list[Line]] = []
    for line in history:
        if line.speaker is Speaker.PLAYER or not exchanges:
            exchanges.append([])
        exchanges[-1].append(line)
    return exchanges


def _sentences(most: int) -> str:
    return "one short sentence" if most == 1 else f"at most {most} short sentences"
