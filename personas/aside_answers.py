"""Has a model answer asides, whoever runs it: the server behind replies, the trainer for probes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from personas.actions import Action, arguments_of, possible_actions
from personas.asides import (
    EMPTY_EXCHANGES,
    Aside,
    Ids,
    Option,
    arguments_start,
    calibrated_scores,
    following,
    frame,
    is_action,
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
#: What a reader says by token, behind each of the empty exchanges.
Priors = Sequence[Mapping[int, float]]


@dataclass(frozen=True)
class Answer:
    """What a character feels and does."""

    emotion: str = ""  # a label; "" = it has none
    probability: float = 0.0  # of the emotion among all of the character's, from 0 to 1
    action: str = ""  # a name; "" = none


def permitted_actions(persona: Persona, reply: str, world: Values) -> tuple[Action, ...]:
    """What may go with a reply: nothing with an empty one, or with words that refuse."""
    if not (persona.actions and reply) or refuses(reply, persona.language, persona.refusals):
        return ()
    return possible_actions(persona.actions, world)


async def answer(asked: Aside, behind: Ids, priors: Priors, read: Reader) -> Answer:
    """Answer an aside behind a prompt, with its reply or before it. Raises what `read` does."""
    start = (*behind, *asked.frame)
    scores = calibrated_scores(await _by_token(start, asked.tokens, read), priors)
    acts = bool(asked.actions) and is_action(asked, scores)
    action = (await _choose(asked.actions, scores, start, read)).name if acts else ""
    if not asked.emotions:
        return Answer(action=action)
    emotion = await _choose(asked.emotions, scores, start, read)
    return Answer(emotion.name, share(asked.emotions, emotion, scores), action)


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


async def read_priors(asked: Aside, empty: Sequence[Ids], read: Reader) -> Priors:
    """Read what the model says of the options behind empty exchanges."""
    return [await _by_token((*behind, *asked.frame), asked.tokens, read) for behind in empty]


def empty_exchanges(
    persona: Persona, tokenizer: Tokenizer, budget_tokens: int, *, replied: bool
) -> list[Ids]:
    """Prompts behind which nothing is to be felt; `replied`: with a reply that says nothing."""
    asked = [prompt(persona, (), line, tokenizer, budget_tokens).ids for line, _ in EMPTY_EXCHANGES]
    replies = [following(reply, "\n", tokenizer) for _, reply in EMPTY_EXCHANGES]
    return [(*ids, *reply) if replied else ids for ids, reply in zip(asked, replies, strict=True)]


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
