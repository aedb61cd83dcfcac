"""What `npc persona check` says of sizes: counted with the base and the context that serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from npc_server.base_models.errors import BaseModelError
from npc_server.commands.command_line import complain, say
from npc_server.config import Config
from npc_server.engine.errors import ModelLoadError
from npc_server.errors import ConfigError
from personas.errors import CharacterTooLargeError
from personas.persona import Persona
from personas.sizes import faults_of, size_of

if TYPE_CHECKING:
    from npc_server.engine.vocab import Vocab


def check_sizes(characters: Mapping[str, Persona], config: Config) -> None:
    """Show the size of every character. Raises CharacterTooLargeError, which names all of them.

    Without a base there is nothing to count with: that is told, and no error.
    """
    if (vocab := _vocab_of(config)) is None:
        return
    context = config.reply_context
    faults: list[str] = []
    for persona in characters.values():
        size = size_of(persona, vocab, context)
        say(
            f"{persona.id}: {size.opening} of {context} tokens before anybody has spoken,"
            f" {size.reply} for a reply, {size.history} for what was said before"
        )
        if size.warning:
            complain(f"warning: {size.warning}")
        faults += faults_of(persona, vocab, context)
    if faults:
        raise CharacterTooLargeError("\n".join(faults))


def _vocab_of(config: Config) -> Vocab | None:
    from npc_server.vocabulary import doubts_about, open_vocab

    try:
        path, vocab = open_vocab(config)
    except (BaseModelError, ModelLoadError, ConfigError) as error:
        complain(f"warning: sizes were not checked, as there is nothing to count with: {error}")
        return None
    for doubt in doubts_about(path, vocab, config.engine.context_tokens):
        complain(f"warning: {doubt}")
    return vocab
