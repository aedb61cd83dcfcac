"""A chat in the terminal, with the reactions a game would offer as buttons."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread

from rich.console import Console

from npc_client.client import REASONS, Client, Conversation, Reply

HELP = f"""\
/like                 this reply is good
/dislike [REASON]     it is not; REASON is one of {", ".join(REASONS)}
/again                another take on the same line
/keep N               of the takes shown, keep number N
/fix TEXT             what the character should have said
/undo                 take the latest of these back
/quit                 leave (so does the end of input)"""


@dataclass
class _Chat:
    client: Client
    conversation: Conversation
    console: Console
    takes: list[Reply] = field(default_factory=list)
    events: list[str] = field(default_factory=list)  # ids of what was sent and not taken back

    async def speak(self, text: str) -> None:
        reply = await self.client.say(self.conversation.session_id, text, on_text=self._show)
        self.takes = [reply]
        self._end_line(reply)

    async def again(self, _: str) -> None:
        latest = self._latest()
        reply = await self.client.regenerate(
            self.conversation.session_id, latest.turn_id, on_text=self._show
        )
        self.takes.append(reply)
        self._end_line(reply)
        self._note(f"take {len(self.takes)}; /keep N chooses one of them")

    async def like(self, _: str) -> None:
        self.events.append(await self.client.thumb(self._latest().turn_id, up=True))
        self._note("noted: liked")

    async def dislike(self, reason: str) -> None:
        name = reason.lower().replace(" ", "_")
        if name and name not in REASONS:
            raise _UsageError(f"{reason!r} is no reason; use one of: {', '.join(REASONS)}")
        latest, reasons = self._latest().turn_id, [name] if name else []
        self.events.append(await self.client.thumb(latest, up=False, reasons=reasons))
        self._note("noted: disliked")

    async def keep(self, number: str) -> None:
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
        self.events.append(await self.client.edit(self._latest().turn_id, text))
        self._note("noted: corrected; the conversation goes on from your words")

    async def undo(self, _: str) -> None:
        if not self.events:
            raise _UsageError("there is nothing to take back")
        await self.client.undo(self.events[-1])
        self.events.pop()
        self._note("taken back")

    async def help(self, _: str) -> None:
        self._note(HELP)

    def _latest(self) -> Reply:
        if not self.takes:
            raise _UsageError("nothing has been said yet")
        return self.takes[-1]

    def _show(self, text: str) -> None:
        self.console.print(text, end="", markup=False, highlight=False, soft_wrap=True)

    def _end_line(self, reply: Reply) -> None:
        version = reply.adapter_version or "base"
        self.console.print(f"\n[dim]{version} · first word after {reply.ttft_ms:.0f} ms[/dim]")

    def _note(self, text: str) -> None:
        self.console.print(text, style="dim", markup=False, highlight=False)


class _UsageError(Exception):
    """The player mistyped a command; nothing was sent."""


async def talk(
    client: Client,
    character: str,
    player_id: str,
    console: Console,
    training_consent: bool = False,
) -> None:
    """Chat until the player leaves; with consent, it may be trained on.

    Raises grpc.aio.AioRpcError when the server refuses.
    """
    conversation = await client.start_session(character, player_id, training_consent)
    chat = _Chat(client, conversation, console)
    console.print(f"You face [bold]{conversation.character_name}[/bold]. /help lists commands.")
    while (line := await _read_line(console)) is not None:
        if line == "/quit":
            break
        if line:
            await _obey(chat, line)
    await client.end_session(conversation.session_id)


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
        "help": chat.help,
    }
    try:
        if name not in commands:
            raise _UsageError(f"no command /{name}; /help lists them")
        await commands[name](rest.strip())
    except _UsageError as error:
        chat.console.print(str(error), style="yellow", markup=False)
