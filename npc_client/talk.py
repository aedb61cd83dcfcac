"""A chat in the terminal, with the reactions a game would offer as buttons."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread

import grpc
import grpc.aio
from rich.console import Console

from npc_client.client import (
    REASONS,
    Client,
    Conversation,
    RememberedFact,
    Reply,
    Silence,
    Written,
)
from npc_client.scene_talk import SceneChat, action_shown, emotion_shown

HELP = f"""\
/like                 this reply is good
/dislike [REASON]     it is not; REASON is one of {", ".join(REASONS)}
/again                another take on the same line
/keep N               of the takes shown, keep number N
/fix TEXT             what the character should have said
/undo                 take the latest of these back
/trigger EVENT        something happens that a character has a trigger for
/happen TEXT          the same, in your words
/scene NAMES          talk with several at once, such as /scene mira fenn; /scene alone ends it
/listen [N]           let those in the scene say N lines among themselves
/save                 a save game of this talk, or of the scene; its token is shown
/load [TOKEN]         go back to it; without a token to the latest save
/world [NAME=VALUE]   how things stand, as in /world quest.mill=2 night=true; alone shows it
/memory               what the character remembers of you, and of this talk
/forget [ID]          have it forgotten: one thing, or all
/quit                 leave (so does the end of input)"""

#: What the server answers to a name or a number that it cannot use.
_MISTYPED = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)


@dataclass
class _Chat:
    client: Client
    conversation: Conversation
    console: Console
    player_id: str
    training_consent: bool
    takes: list[Reply] = field(default_factory=list)
    events: list[str] = field(default_factory=list)  # ids of what was sent and not taken back
    scene: SceneChat | None = None  # while there is one
    reported: dict[str, str] = field(default_factory=dict)  # of the world, by name of a variable
    saves: dict[bool, str] = field(default_factory=dict)  # tokens, latest; True = of a scene

    async def speak(self, text: str) -> None:
        if self.scene is not None:
            await self.scene.speak(text)
            return
        reply = await self.client.say(self.conversation.session_id, text, on_text=self._show)
        self.takes = [reply]
        self._end_line(reply)

    async def trigger(self, event: str) -> None:
        if not event:
            raise _UsageError("/trigger needs the name of an event, as in persona.yaml")
        if self.scene is not None:
            await self.scene.trigger(event)
            return
        self._hear(await self.client.trigger(self.conversation.session_id, event))

    async def happen(self, text: str) -> None:
        if not text:
            raise _UsageError("/happen needs a sentence that says what happens")
        if self.scene is not None:
            await self.scene.listen(1, happened=text)
            return
        self._hear(await self.client.trigger(self.conversation.session_id, text=text))

    async def open_scene(self, names: str) -> None:
        await self.leave_scene()
        if names:
            self.scene = await SceneChat.start(
                self.client, names.split(), self.player_id, self.console, self.training_consent
            )

    async def leave_scene(self) -> None:
        if self.scene is not None:
            await self.scene.end()
            self.scene = None

    async def listen(self, lines: str) -> None:
        if self.scene is None:
            raise _UsageError("/listen is for scenes; /scene NAMES begins one")
        if lines and not lines.isdigit():
            raise _UsageError("/listen takes how many lines to listen to")
        await self.scene.listen(int(lines or 1))

    async def save(self, _: str) -> None:
        if self.scene is not None:
            token = await self.scene.save()
        else:
            token = await self.client.checkpoint(self.conversation.session_id)
        self.saves[self.scene is not None] = token
        self._note(f"saved; /load leads back here, later as /load {token}")

    async def load(self, token: str) -> None:
        token = token or self.saves.get(self.scene is not None, "")
        if not token:
            raise _UsageError("/load needs the token of a save; /save makes one")
        self.takes, self.events = [], []
        if self.scene is not None:
            left, self.scene = (
                self.scene,
                await SceneChat.restore(self.client, token, self.console),
            )
            if left.scene_id != self.scene.scene_id:
                await left.end()
            return
        restored = await self.client.restore(token)
        self.conversation = restored.conversation
        for exchange in restored.exchanges:
            self._note(f"{exchange.player_text or exchange.happened}\n{exchange.reply_text}")
        self._note("the talk goes on from here")

    async def again(self, _: str) -> None:
        self._require_two("/again")
        latest = self._latest()
        reply = await self.client.regenerate(
            self.conversation.session_id, latest.turn_id, on_text=self._show
        )
        self.takes.append(reply)
        self._end_line(reply)
        self._note(f"take {len(self.takes)}; /keep N chooses one of them")

    async def like(self, _: str) -> None:
        self.events.append(await self.client.thumb(self._latest_turn(), up=True))
        self._note("noted: liked")

    async def dislike(self, reason: str) -> None:
        name = reason.lower().replace(" ", "_")
        if name and name not in REASONS:
            raise _UsageError(f"{reason!r} is no reason; use one of: {', '.join(REASONS)}")
        latest, reasons = self._latest_turn(), [name] if name else []
        self.events.append(await self.client.thumb(latest, up=False, reasons=reasons))
        self._note("noted: disliked")

    async def keep(self, number: str) -> None:
        self._require_two("/keep")
        self._latest()
        if not number.isdigit() or not 1 <= int(number) <= len(self.takes):
            raise _UsageError(f"/keep takes a number from 1 to {len(self.takes)}")
        kept = self.takes[int(number) - 1]
        others = [take.turn_id for take in self.takes if take is not kept]
        if not others:
            raise _UsageError("there is only one take; /again asks for another")
        self.events.append(await self.client.choose(kept.turn_id, others, int(number)))
        self._note(f"noted: take {number} kept")

    async def fix(self, text: str) -> None:
        if not text:
            raise _UsageError("/fix needs the words the character should have said")
        self.events.append(await self.client.edit(self._latest_turn(), text))
        self._note("noted: corrected; the conversation goes on from your words")

    async def undo(self, _: str) -> None:
        if not self.events:
            raise _UsageError("there is nothing to take back")
        await self.client.undo(self.events[-1])
        self.events.pop()
        self._note("taken back")

    async def world(self, assignments: str) -> None:
        self._require_two("/world")
        world = {}
        for assignment in assignments.split():
            name, sign, value = assignment.partition("=")
            if not sign:
                raise _UsageError(f"{assignment} assigns nothing; write NAME=VALUE")
            world[name] = Written(value)
        told = await self.client.update_context(self.conversation.session_id, world=world)
        self.reported |= {name: value.text for name, value in world.items()}
        standing = ", ".join(f"{name}={value}" for name, value in sorted(self.reported.items()))
        lines = [f"{standing}; the rest is as declared" if standing else "all is as declared"]
        lines += [f"told: {note.text}" for note in told.told]
        lines += [f"no room for: {note.text}" for note in told.left_out]
        lines += [f"{told.tokens} tokens, {told.tokens_left} left"]
        self._note("\n".join(lines))

    async def memory(self, _: str) -> None:
        known = await self.client.memory(self.conversation.session_id)
        lines = [f"{one.id}  {_fact_line(one)}" for one in known.facts]
        lines += [f"{one.id}  {one.text}" for one in known.summaries]
        self._note("\n".join(lines) or "nothing yet")

    async def forget(self, id_: str) -> None:
        session_id = self.conversation.session_id
        known = await self.client.memory(session_id)
        ids = [*(one.id for one in known.facts), *(one.id for one in known.summaries)]
        if id_ and id_ not in ids:
            raise _UsageError(f"nothing that is remembered has the id {id_}; /memory lists them")
        forgotten = await self.client.forget(session_id, [id_] if id_ else [])
        self._note(f"forgotten: {forgotten}")

    async def help(self, _: str) -> None:
        self._note(HELP)

    def _hear(self, outcome: Reply | Silence) -> None:
        if isinstance(outcome, Silence):
            self._note(f"nothing is said: {outcome.because}")
            return
        self.takes = [outcome]
        self._show(outcome.text)
        self._end_line(outcome)

    def _require_two(self, command: str) -> None:
        if self.scene is not None:
            raise _UsageError(f"{command} is for a talk of two; /scene alone ends the scene")

    def _latest_turn(self) -> str:
        if self.scene is None:
            return self._latest().turn_id
        if not self.scene.latest_turn_id:
            raise _UsageError("nobody has said anything yet")
        return self.scene.latest_turn_id

    def _latest(self) -> Reply:
        if not self.takes:
            raise _UsageError("nothing has been said yet")
        return self.takes[-1]

    def _show(self, text: str) -> None:
        self.console.print(text, end="", markup=False, highlight=False, soft_wrap=True)

    def _end_line(self, reply: Reply) -> None:
        for shown in (emotion_shown(reply.emotion), action_shown(reply.action)):
            if shown:
                self.console.print(f"\n{shown}", end="", style="italic", markup=False)
        version = reply.adapter_version or "base"
        found = "".join(f" · guard: {hit.rule}, {hit.action}" for hit in reply.guard_hits)
        first = f"first word after {reply.ttft_ms:.0f} ms"
        self.console.print(f"\n[dim]{version} · {first}{_told_line(reply)}{found}[/dim]")

    def _note(self, text: str) -> None:
        self.console.print(text, style="dim", markup=False, highlight=False)


def _told_line(reply: Reply) -> str:
    """What the character was told for the line, by where it comes from, and what had no room."""
    notes = reply.notes
    told = "".join(f", {note.source or note.kind}" for note in notes.told)
    left = "".join(f", {note.source or note.kind}" for note in notes.left_out)
    shown = f" · told {notes.tokens} tokens: {told[2:]}" if told else ""
    return shown + (f" · no room for {left[2:]}" if left else "")


def _fact_line(fact: RememberedFact) -> str:
    """A fact in a line, with where it comes from and what it replaced."""
    overheard = " (overheard)" if fact.overheard else ""
    before = f" (before: {'; '.join(fact.replaced)})" if fact.replaced else ""
    return f"{fact.text}{overheard}{before}"


class _UsageError(Exception):
    """The player mistyped a command; nothing was sent."""


async def talk(
    client: Client,
    character: str,
    player_id: str,
    console: Console,
    training_consent: bool = False,
    scene_with: Sequence[str] = (),
    remember: bool = False,
) -> None:
    """Chat until the player leaves; with consent, it may be trained on.

    `scene_with` are characters that are there as well. With `remember` the character knows the
    player from such chats before.

    Raises grpc.aio.AioRpcError when the server refuses.
    """
    conversation = await client.start_session(character, player_id, training_consent, remember)
    chat = _Chat(client, conversation, console, player_id, training_consent)
    console.print(f"You face [bold]{conversation.character_name}[/bold]. /help lists commands.")
    if conversation.greeting:
        console.print(conversation.greeting, markup=False, highlight=False)
    if scene_with:
        await chat.open_scene(" ".join((character, *scene_with)))
    while (line := await _read_line(console)) is not None:
        if line == "/quit":
            break
        if line:
            await _obey(chat, line)
    await chat.leave_scene()
    await client.end_session(chat.conversation.session_id)


async def _read_line(console: Console) -> str | None:
    """Wait for a line, None at the end of input; given up, it leaves a thread that still reads."""
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str | None] = loop.create_future()

    def hand_over(line: str | None) -> None:
        if not typed.done():
            typed.set_result(line)

    def read() -> None:
        try:
            line = console.input("[bold]> [/bold]").strip()
        except EOFError:
            line = None
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(hand_over, line)

    # Python waits for the threads of an executor, and nobody may ever press Enter again.
    Thread(target=read, daemon=True).start()
    return await typed


async def _obey(chat: _Chat, line: str) -> None:
    if not line.startswith("/"):
        await chat.speak(line)
        return
    name, _, rest = line[1:].partition(" ")
    commands: dict[str, Callable[[str], Awaitable[None]]] = {
        "like": chat.like,
        "dislike": chat.dislike,
        "again": chat.again,
        "keep": chat.keep,
        "fix": chat.fix,
        "undo": chat.undo,
        "trigger": chat.trigger,
        "happen": chat.happen,
        "scene": chat.open_scene,
        "listen": chat.listen,
        "save": chat.save,
        "load": chat.load,
        "world": chat.world,
        "memory": chat.memory,
        "forget": chat.forget,
        "help": chat.help,
    }
    try:
        if name not in commands:
            raise _UsageError(f"no command /{name}; /help lists them")
        await commands[name](rest.strip())
    except _UsageError as error:
        chat.console.print(str(error), style="yellow", markup=False)
    except grpc.aio.AioRpcError as error:
        if error.code() not in _MISTYPED:
            raise
        chat.console.print(str(error.details()), style="yellow", markup=False)
