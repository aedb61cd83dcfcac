"""What a voice feels and does besides its words, asked in the way the server asks it.

One pass over labels, under the same adapter, less what is likely behind empty exchanges; arguments
under their schema. The state of the world is as it is declared.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from npc_server.engine.protocol import Finish, Request, Sampling
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
from personas.persona import Persona
from personas.render import Tokenizer
from personas.situation import NOTHING_REPORTED
from trainer.examination.questions import Question
from trainer.gate import QuestionKind

#: Has an engine answer a request. Raises EngineError.
Ask = Callable[[Request], Awaitable[Finish]]


@dataclass(frozen=True)
class Voice:
    """A character under an adapter."""

    persona: Persona
    tokenizer: Tokenizer
    adapter: str  # its name in the engine; "" = the bare base
    context_tokens: int


@dataclass(frozen=True)
class Shown:
    """What a voice showed, of what it was asked for."""

    emotion: str = ""
    action: str = ""  # "" = none


class Showing:
    """Asks one voice what it shows, reply by reply."""

    def __init__(self, voice: Voice, ask: Ask) -> None:
        self._voice = voice
        self._ask = ask
        self._asked = aside(voice.persona, voice.tokenizer)
        self._topics = _topics(voice.persona)
        self._priors: dict[Topic, Priors] = {}
        self._numbers = count()

    async def begin(self) -> None:
        """Read what is likely behind empty exchanges. Raises EngineError."""
        voice = self._voice
        for topic in self._topics.values():
            empty = empty_exchanges(topic, voice.persona, voice.tokenizer, voice.context_tokens)
            self._priors[topic] = await read_priors(topic, self._asked, empty, self._read)

    async def of(self, question: Question, reply: Finish) -> Shown:
        """What goes with a reply, of what the question is about. Raises EngineError."""
        topic = self._topics[question.kind]
        behind = behind_reply(
            question.prompt_ids, reply.token_ids, reply.text, self._voice.tokenizer
        )
        if topic is Topic.ACTION:
            return Shown(action=await self._action(question, reply.text, behind))
        at = behind if topic is Topic.EMOTION else question.prompt_ids
        told = await emotion_behind(self._asked, at, self._priors[topic], self._read)
        return Shown(emotion=told.emotion)

    async def _action(self, question: Question, reply: str, behind: Ids) -> str:
        persona, priors = self._voice.persona, self._priors[Topic.ACTION]
        world = NOTHING_REPORTED.state(persona.setting)
        permitted = {one.name: one for one in permitted_actions(persona, reply, world)}
        if not permitted:
            return ""
        asked = self._asked.only(emotions=False, actions=permitted)
        cues = leads(permitted.values(), question.line, persona.language)
        name = await due_action(asked, question.prompt_ids, cues, priors, self._read)
        return name if name and await self._can_begin(permitted[name], behind) else ""

    async def _can_begin(self, action: Action, behind: Ids) -> bool:
        """Whether the voice finds all that the action needs."""
        persona, tokenizer = self._voice.persona, self._voice.tokenizer
        try:
            await arguments(action, persona, behind, tokenizer, self._write)
        except ArgumentsRefusedError:
            return False
        return True

    async def _read(self, prompt_ids: Ids, tokens: Ids) -> Sequence[float]:
        return (await self._ask(self._request(prompt_ids, Sampling(), tokens))).choices

    async def _write(self, prompt_ids: Ids, action: Action) -> str:
        sampling = Sampling(**arguments_sampling(action))
        return (await self._ask(self._request(prompt_ids, sampling))).text

    def _request(self, prompt_ids: Ids, sampling: Sampling, choices: Ids = ()) -> Request:
        adapter = self._voice.adapter
        name = f"{adapter}-shown-{next(self._numbers)}"
        return Request(name, prompt_ids, adapter, sampling, choices=choices, passing=True)


def _topics(persona: Persona) -> Mapping[QuestionKind, Topic]:
    """What there is to ask of a character, and where."""
    feels = Topic.FIRST_EMOTION if persona.emotion_first else Topic.EMOTION
    topics = {QuestionKind.EMOTION: feels} if persona.emotions else {}
    return {**topics, QuestionKind.ACTION: Topic.ACTION} if persona.actions else topics
