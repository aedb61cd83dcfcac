"""What a character feels and does besides its words, asked of the model that spoke them.

The question is an aside (`personas.asides`): behind a reply, and for actions behind the line before
it, whose keys and values the engine still has, a few tokens more. Only an action with parameters
has something drawn, its arguments, held to its JSON schema. The words are never read for an action,
but they can forbid one: a character that refuses does nothing. Conditions on the world are looked
at before and, since a game goes on meanwhile, after.

Nothing here may cost a reply anything: what fails is logged, and the character then shows nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from npc_server.engine.errors import EngineError
from npc_server.engine.protocol import Finish, Request, Sampling
from npc_server.guard_hits import GuardAction, hits_in
from npc_server.reply_events import ChosenAction, ShownEmotion
from npc_server.turns import Model, OpenTurn
from personas.action_cues import leads
from personas.actions import Action, ArgumentsRefusedError
from personas.aside_answers import (
    Priors,
    Topic,
    arguments,
    arguments_sampling,
    behind_reply,
    due_action,
    emotion_behind,
    empty_exchanges,
    permitted_actions,
    read_priors,
)
from personas.asides import Ids, aside
from personas.variables import Values

logger = logging.getLogger(__name__)

_WITHHELD = (GuardAction.ANSWERED, GuardAction.FELL_BACK, GuardAction.WITHHELD)
_MOST_PRIORS = 4096  # characters under an adapter; some dozens of numbers each


class Asides:
    """Asks the engine for emotions and actions, for every session."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._priors: OrderedDict[tuple[str, str, Topic], Priors] = OrderedDict()

    def concern(self, turn: OpenTurn) -> bool:
        """Whether a turn has anything to show behind its words: not those that an author wrote."""
        persona = turn.persona
        shows = persona.actions or (persona.emotions and not persona.emotion_first)
        return bool(shows and _own_words(turn))

    async def before_words(self, turn: OpenTurn) -> None:
        """Find the emotion of a character that shows it before it speaks."""
        if turn.persona.emotion_first and _own_words(turn):
            turn.shown.emotion = await self._emotion(turn, Topic.FIRST_EMOTION, turn.prompt.ids)

    async def after_words(
        self, turn: OpenTurn, reply: Finish
    ) -> AsyncGenerator[ShownEmotion | ChosenAction]:
        """Find the emotion, unless it came first, and at most one action."""
        if not self.concern(turn):
            return
        # At once, while the engine still has what both go on from.
        emotion, chosen = await asyncio.gather(
            self._emotion_behind(turn, reply), self._action(turn, reply)
        )
        if emotion:
            turn.shown.emotion = emotion
            yield emotion
        if chosen:
            turn.shown.action = await self._with_arguments(turn, reply, chosen)
        if turn.shown.action:
            yield turn.shown.action

    async def _emotion_behind(self, turn: OpenTurn, reply: Finish) -> ShownEmotion | None:
        if not turn.persona.emotions or turn.persona.emotion_first:
            return None
        return await self._emotion(turn, Topic.EMOTION, _behind(turn, reply))

    async def _emotion(self, turn: OpenTurn, topic: Topic, behind: Ids) -> ShownEmotion | None:
        asked = aside(turn.persona, turn.tokenizer)
        questions = _Questions(self._model, turn, passing=topic is not Topic.FIRST_EMOTION)
        try:
            priors = await self._read_priors(turn, topic)
            told = await emotion_behind(asked, behind, priors, questions.read)
        except EngineError as error:
            logger.warning("turn %s shows no emotion: %s", turn.started.turn_id, error)
            return None
        return ShownEmotion(told.emotion, round(told.probability, 4))

    async def _action(self, turn: OpenTurn, reply: Finish) -> Action | None:
        persona = turn.persona
        permitted = {one.name: one for one in permitted_actions(persona, reply.text, _world(turn))}
        if not permitted:
            return None
        asked = aside(persona, turn.tokenizer).only(emotions=False, actions=permitted)
        lines = leads(permitted.values(), turn.exchange.asked, persona.language)
        read = _Questions(self._model, turn).read
        try:
            priors = await self._read_priors(turn, Topic.ACTION)
            return permitted.get(await due_action(asked, turn.prompt.ids, lines, priors, read))
        except EngineError as error:
            logger.warning("turn %s takes no action: %s", turn.started.turn_id, error)
            return None

    async def _read_priors(self, turn: OpenTurn, topic: Topic) -> Priors:
        persona, budget = turn.persona, self._model.reply_context
        key = (persona.version, turn.adapter.content_hash, topic)
        if key not in self._priors:
            empty = empty_exchanges(topic, persona, turn.tokenizer, budget)
            asked, read = aside(persona, turn.tokenizer), _Questions(self._model, turn).read
            self._priors[key] = await read_priors(topic, asked, empty, read)
            if len(self._priors) > _MOST_PRIORS:
                self._priors.popitem(last=False)
        return self._priors[key]

    async def _with_arguments(
        self, turn: OpenTurn, reply: Finish, action: Action
    ) -> ChosenAction | None:
        """The action with what it needs; None = that was not found, or its time has passed."""
        write, behind = _Questions(self._model, turn).write, _behind(turn, reply)
        try:
            given = await arguments(action, turn.persona, behind, turn.tokenizer, write)
        except (EngineError, ArgumentsRefusedError) as error:
            logger.warning("turn %s takes no action: %s", turn.started.turn_id, error)
            return None
        if not action.possible(_world(turn)):
            return None
        return ChosenAction(action.name, given)


class _Questions:
    """Questions of one turn to the engine, which count what they cost."""

    def __init__(self, model: Model, turn: OpenTurn, *, passing: bool = True) -> None:
        self._model = model
        self._turn = turn
        self._passing = passing

    async def read(self, prompt_ids: Ids, tokens: Ids) -> Sequence[float]:
        """The log-probability of each of the tokens behind the prompt. Raises EngineError."""
        return (await self._finish(prompt_ids, Sampling(), tokens)).choices

    async def write(self, prompt_ids: Ids, action: Action) -> str:
        """The likeliest arguments of an action, as JSON. Raises EngineError."""
        sampling = Sampling(**arguments_sampling(action))
        return (await self._finish(prompt_ids, sampling)).text

    async def _finish(self, prompt_ids: Ids, sampling: Sampling, tokens: Ids = ()) -> Finish:
        turn = self._turn
        request = Request(
            f"{turn.started.turn_id}-aside-{next(turn.shown.questions)}",
            prompt_ids,
            turn.adapter.content_hash,
            sampling,
            pinned_tokens=turn.prompt.opening_tokens,
            choices=tokens,
            passing=self._passing,
            party=turn.session.record.game,
        )
        async with aclosing(self._model.engine.generate(request)) as events:
            async for event in events:
                if isinstance(event, Finish):
                    computed = event.prompt_tokens - event.cached_tokens
                    turn.shown.tokens += computed + len(event.token_ids)
                    return event
        raise EngineError(f"the engine left request {request.request_id} without a finish")


def _own_words(turn: OpenTurn) -> bool:
    """Whether the model speaks as the character: not an author, the guard, or a form."""
    withheld = any(hit.action in _WITHHELD for hit in hits_in(turn.annotations))
    return not (turn.exchange.verbatim or turn.sampling.in_form or withheld)


def _world(turn: OpenTurn) -> Values:
    """The state of the world by now."""
    return turn.session.situation.state(turn.persona.setting)


def _behind(turn: OpenTurn, reply: Finish) -> Ids:
    """The prompt with the reply, token for token as it was drawn, where it was."""
    return behind_reply(turn.prompt.ids, reply.token_ids, reply.text, turn.tokenizer)
