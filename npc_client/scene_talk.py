"""A chat with several characters at once, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from npc_client.client import Action, Client, Emotion, Scene, SceneLine


@dataclass
class SceneChat:
    """A scene with one player in it."""

    client: Client
    console: Console
    scene_id: str
    names: dict[str, str]  # of the characters, by id
    latest_turn_id: str = ""  # "" = nobody has said anything

    @classmethod
    async def start(
        cls,
        client: Client,
        characters: Sequence[str],
        player_id: str,
        console: Console,
        training_consent: bool,
    ) -> SceneChat:
        """Open a scene. Raises grpc.aio.AioRpcError when the server refuses."""
        scene = await client.start_scene(
            characters, {player_id: ""}, training_consent=training_consent
        )
        return cls._of(client, console, scene)

    @classmethod
    async def restore(cls, client: Client, token: str, console: Console) -> SceneChat:
        """Go back to a save, and show what was said up to there."""
        restored = await client.restore_scene(token)
        chat = cls._of(client, console, restored.scene)
        for line in restored.lines:
            chat.latest_turn_id = line.turn_id or chat.latest_turn_id
            said = f"{line.name}: {line.text}" if line.name else f"[{line.text}]"
            console.print(said, style="dim", markup=False, highlight=False, soft_wrap=True)
        return chat

    @classmethod
    def _of(cls, client: Client, console: Console, scene: Scene) -> SceneChat:
        names = {member.character: member.character_name for member in scene.members}
        console.print(f"With you are [bold]{', '.join(names.values())}[/bold].")
        return cls(client, console, scene.scene_id, names)

    async def save(self) -> str:
        """The token that leads back here."""
        return await self.client.checkpoint_scene(self.scene_id)

    async def speak(self, text: str) -> None:
        """Say something, and print every answer when it has ended."""
        await self.client.say_in_scene(self.scene_id, text, on_line=self._show)

    async def listen(self, lines: int, happened: str = "") -> None:
        """Let characters talk among themselves."""
        talk = await self.client.continue_scene(self.scene_id, lines, happened, on_line=self._show)
        if talk.rest == "player_named":
            self.console.print("They wait for your answer.", style="dim")

    async def trigger(self, event: str) -> None:
        """Let something happen, and print what is said of it."""
        talk = await self.client.trigger_in_scene(self.scene_id, event, on_line=self._show)
        if talk.silence:
            self.console.print(f"nothing is said: {talk.silence}", style="dim")

    async def end(self) -> None:
        """Close the scene."""
        await self.client.end_scene(self.scene_id)

    def _show(self, line: SceneLine) -> None:
        self.latest_turn_id = line.turn_id or self.latest_turn_id
        self.console.print(f"[bold]{self.names[line.speaker]}[/bold]: ", end="")
        self.console.print(line.text, markup=False, highlight=False, soft_wrap=True)
        for shown in (emotion_shown(line.emotion), action_shown(line.action)):
            if shown:
                self.console.print(shown, style="italic", markup=False)
        version = line.adapter_version or "base"
        why = ", ".join(line.why) or "first"
        self.console.print(f"{version} · {why}", style="dim", markup=False, highlight=False)


def emotion_shown(emotion: Emotion | None) -> str:
    """What a character feels, as a chat shows it."""
    return f"({emotion.label}, {emotion.probability:.0%})" if emotion else ""


def action_shown(action: Action | None) -> str:
    """What a character does, as a chat shows it."""
    if action is None:
        return ""
    given = ", ".join(f"{name}: {value}" for name, value in action.arguments.items())
    return f"→ {action.name}({given})"
