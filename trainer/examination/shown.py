"""What a voice feels and does besides its words, asked in the way the server asks it.

One pass over labels, under the same adapter, less what is likely behind empty exchanges; arguments
under their schema. The state of the world is as it is declared.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count

from npc_server.engine.protocol import Finish, Request, Sampling
from personas.actions import Action, ArgumentsRefusedError
from personas.aside_answers import (
    Answer,
    Priors,
    answer,
    arguments,
    arguments_sampling,
    behind_reply,
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


class Showing:
    """Asks one voice what it shows, reply by reply."""

    def __init__(self, voice: Voice, ask: Ask) -> None:
        self._voice = voice
        self._ask = ask
        self._asked = aside(voice.persona, voice.tokenizer)
        self._priors: dict[bool, Priors] = {}  # by whether the aside stands behind a reply
        self._numbers = count()

    async def begin(self) -> None:
        """Read what is likely behind empty exchanges. Raises EngineError."""
        persona, tokenizer = self._voice.persona, self._voice.tokenizer
        budget = self._voice.context_tokens
        for replied in sorted({True, not persona.emotion_first}):
            empty = empty_exchanges(persona, tokenizer, budget, replied=replied)
            self._priors[replied] = await read_priors(self._asked, empty, self._read)

    async def of(self, question: Question, reply: Finish) -> Answer:
        """What goes with a reply, of what the question is about. Raises EngineError."""
        behind = behind_reply(
            question.prompt_ids, reply.token_ids, reply.text, self._voice.tokenizer
        )
        if question.kind is QuestionKind.ACTION:
            return Answer(action=await self._action(reply.text, behind))
        replied = not self._voice.persona.emotion_first
        at = behind if replied else question.prompt_ids
        asked = self._asked.only(emotions=True, actions=())
        return await answer(asked, at, self._priors[replied], self._read)

    async def _action(self, reply: str, behind: Ids) -> str:
        persona = self._voice.persona
        world = NOTHING_REPORTED.state(persona.setting)
        permitted = {one.name: one for one in permitted_actions(persona, reply, world)}
        if not permitted:
            return ""
        asked = self._asked.only(emotions=False, actions=permitted)
        name = (await answer(asked, behind, self._priors[True], self._read)).action
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
