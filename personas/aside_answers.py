"""Has a model answer asides, whoever runs it: the server behind replies, the trainer for probes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from personas.actions import Action, arguments_of, possible_actions
from personas.asides import (
    EMPTY_EXCHANGES,
    EMPTY_LINES,
    Aside,
    Ids,
    Option,
    arguments_start,
    calibrated_scores,
    due_actions,
    following,
    frame,
    likeliest,
    share,
)
from personas.chat import Tokenizer
from personas.persona import Persona
from personas.refusals import refuses
from personas.render import prompt
from personas.variables import Value, Values

#: The log-probability, in nats, of each of some tokens (the second) behind a prompt (the first).
Reader = Callable[[Ids, Ids], Awaitable[Sequence[float]]]
#: The likeliest arguments of an action behind a prompt, as JSON under the action's schema.
Writer = Callable[[Ids, Action], Awaitable[str]]
#: What a reader says by token, behind each of some empty exchanges.
Priors = Sequence[Mapping[int, float]]


class Topic(StrEnum):
    """What is asked, and where."""

    EMOTION = "emotion"  # behind the character's words
    FIRST_EMOTION = "first_emotion"  # before them
    ACTION = "action"  # likewise, though it is taken behind them


@dataclass(frozen=True)
class Felt:
    """What a character feels."""

    emotion: str  # a label
    probability: float  # among all of the character's emotions, from 0 to 1


def permitted_actions(persona: Persona, reply: str, world: Values) -> tuple[Action, ...]:
    """What may go with a reply: nothing with an empty one, or with words that refuse."""
    if not (persona.actions and reply) or refuses(reply, persona.language, persona.refusals):
        return ()
    return possible_actions(persona.actions, world)


def about(topic: Topic, asked: Aside) -> Aside:
    """What is to be read of an aside for a topic."""
    acts = topic is Topic.ACTION
    names = [option.name for option in asked.actions] if acts else ()
    return asked.only(emotions=not acts, actions=names)


async def emotion_behind(asked: Aside, behind: Ids, priors: Priors, read: Reader) -> Felt:
    """What a character that has emotions feels, behind a prompt or its reply.

    Raises what `read` does.
    """
    start, tokens = (*behind, *asked.frame), about(Topic.EMOTION, asked).tokens
    scores = calibrated_scores(await _by_token(start, tokens, read), priors)
    emotion = await _choose(asked.emotions, scores, start, read)
    return Felt(emotion.name, share(asked.emotions, emotion, scores))


async def due_action(
    asked: Aside, behind: Ids, leads: Mapping[str, float], priors: Priors, read: Reader
) -> str:
    """The name of the action that is due behind a prompt, of those in the aside; "" = none.

    `leads` are what else speaks for each, in nats. Raises what `read` does.
    """
    start, tokens = (*behind, *asked.frame), about(Topic.ACTION, asked).tokens
    scores = calibrated_scores(await _by_token(start, tokens, read), priors)
    due = due_actions(asked, scores, leads)
    return (await _choose(due, scores, start, read)).name if due else ""


async def arguments(
    action: Action, persona: Persona, behind: Ids, tokenizer: Tokenizer, write: Writer
) -> dict[str, Value]:
    """What an action is done with. Raises ArgumentsRefusedError, and what `write` does."""
    start = (*behind, *frame(persona, tokenizer), *arguments_start(action, tokenizer))
    return arguments_of(action, await write(start, action) if action.parameters else "{}")


def arguments_sampling(action: Action) -> dict[str, Any]:
    """How arguments are drawn, under the engine's names for it."""
    return {
        "temperature": 0.0,
        "json_schema": action.json_schema,
        "max_tokens": action.most_tokens,
    }


def behind_reply(prompt_ids: Ids, token_ids: Sequence[int], text: str, tokenizer: Tokenizer) -> Ids:
    """A prompt with its reply, token for token as it was drawn, where it was."""
    return (*prompt_ids, *(token_ids or following(text, "\n", tokenizer)))


async def read_priors(topic: Topic, asked: Aside, empty: Sequence[Ids], read: Reader) -> Priors:
    """Read what the model says of a topic's options behind empty exchanges."""
    tokens = about(topic, asked).tokens
    return [await _by_token((*behind, *asked.frame), tokens, read) for behind in empty]


def empty_exchanges(
    topic: Topic, persona: Persona, tokenizer: Tokenizer, budget_tokens: int
) -> list[Ids]:
    """Prompts behind which nothing is to be felt or done."""

    def ids_of(line: str) -> Ids:
        return prompt(persona, (), line, tokenizer, budget_tokens).ids

    if topic is Topic.ACTION:
        return [ids_of(line) for line in EMPTY_LINES]
    if topic is Topic.FIRST_EMOTION:
        return [ids_of(line) for line, _ in EMPTY_EXCHANGES]
    return [(*ids_of(line), *following(reply, "\n", tokenizer)) for line, reply in EMPTY_EXCHANGES]


async def _choose(
    options: Sequence[Option], scores: Mapping[int, float], start: Ids, read: Reader
) -> Option:
    """The likeliest option; of those that begin alike, by the tokens after."""
    left, depth = likeliest(options, scores), 1
    while len(left) > 1:
        nexts = tuple(dict.fromkeys(option.ids[depth] for option in left))
        if len(nexts) > 1:
            by_token = await _by_token((*start, *left[0].ids[:depth]), nexts, read)
            left = likeliest(left, by_token, depth)
        depth += 1
    return left[0]


async def _by_token(prompt_ids: Ids, tokens: Ids, read: Reader) -> dict[int, float]:
    return dict(zip(tokens, await read(prompt_ids, tokens), strict=True))
