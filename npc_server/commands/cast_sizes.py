"""What `npc persona check` says of sizes: counted with the base and the context that serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from npc_server.base_models.errors import BaseModelError
from npc_server.commands.command_line import complain
from npc_server.config import Config
from npc_server.engine.errors import ModelLoadError
from npc_server.errors import ConfigError
from personas.errors import CharacterTooLargeError
from personas.persona import Persona
from personas.prompt_cost import cost_by_part
from personas.sizes import Size, faults_of, size_of

if TYPE_CHECKING:
    from npc_server.engine.vocab import Vocab


@dataclass(frozen=True)
class Measured:
    """What a character takes of the context, by part."""

    size: Size
    parts: Mapping[str, int]
    faults: tuple[str, ...]

    @property
    def told(self) -> str:
        """The same in a line."""
        size = self.size
        parts = ", ".join(f"{name} {tokens}" for name, tokens in self.parts.items())
        return (
            f"{size.character}: {size.opening} of {size.context} tokens before anybody has spoken"
            f" ({parts}), {size.reply} for a reply, {size.history} for what was said before"
        )


def measure(characters: Mapping[str, Persona], config: Config) -> dict[str, Measured]:
    """Count every character's tokens; none, with a word, without a base to count with."""
    if (vocab := vocab_of(config)) is None:
        return {}
    return {
        name: Measured(
            size_of(persona, vocab, config.reply_context),
            cost_by_part(persona, vocab),
            tuple(faults_of(persona, vocab, config.reply_context)),
        )
        for name, persona in characters.items()
    }


def require_fit(measured: Iterable[Measured]) -> None:
    """Raise CharacterTooLargeError, which names all that does not fit."""
    if faults := [fault for one in measured for fault in one.faults]:
        raise CharacterTooLargeError("\n".join(faults))


def vocab_of(config: Config) -> Vocab | None:
    """The vocabulary to count with; None, with a word, where there is no base."""
    from npc_server.vocabulary import doubts_about, open_vocab

    try:
        path, vocab = open_vocab(config)
    except (BaseModelError, ModelLoadError, ConfigError) as error:
        complain(f"warning: sizes were not checked, as there is nothing to count with: {error}")
        return None
    for doubt in doubts_about(path, vocab, config.engine.context_tokens):
        complain(f"warning: {doubt}")
    return vocab
