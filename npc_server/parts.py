"""What a server is built from, all of it opened before anything listens."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from feedback_store.privacy.pseudonyms import Pseudonyms, is_pseudonym, key_for
from feedback_store.rate_limit import RateLimit
from feedback_store.store import Store
from npc_server.base_models.model_files import file_sha256
from npc_server.config import Config
from npc_server.engine.vocab import Vocab
from npc_server.engine.worker import EngineConfig, LlamaEngine
from npc_server.keys.key_book import KeyBook
from npc_server.keys.player_tokens import PlayerTokens
from npc_server.live_cast import CastFolder
from npc_server.lore_shelves import Shelves
from npc_server.turns import Model
from npc_server.vocabulary import chat_tokens, doubts_about, open_vocab
from personas.adapter_repo import AdapterRepo
from personas.cast_stamps import stamps
from personas.lore.embeddings import load_embedder
from personas.persona import Persona
from personas.persona_files import load_characters
from personas.sizes import is_roomy, require_room, size_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """The cast, the model and the stores of one server; tests pass their own."""

    characters: Mapping[str, Persona]  # to begin with
    model: Model
    store: Store
    repo: AdapterRepo
    heads: AdapterRepo
    pseudonyms: Pseudonyms
    keys: KeyBook
    tokens: PlayerTokens
    folder: CastFolder | None = None  # where the cast is saved; None = it stays as it is
    lore: Shelves = field(default_factory=Shelves)


def open_parts(config: Config) -> Parts:
    """Open everything that `config` names.

    Raises PersonaError, CharacterTooLargeError, EmbeddingModelError, ModelUnavailableError,
    ModelLoadError, ConfigError and the store's errors.
    """
    worlds = config.paths.worlds_of(config.paths.characters)
    seen = stamps(config.paths.characters, worlds)
    folder = CastFolder(config.paths.characters, worlds, seen)
    characters = load_characters(config.paths.characters, worlds)
    for persona in characters.values():
        for gap in persona.gaps:
            logger.warning("%s: %s", persona.id, gap)
    path, vocab = open_vocab(config)
    for doubt in doubts_about(path, vocab, config.engine.context_tokens):
        logger.warning(doubt)
    _require_room(characters, vocab, config.reply_context)
    engine = LlamaEngine(EngineConfig.of(path, config.engine.settings, chat_tokens(vocab)))
    sha256 = file_sha256(path)
    model = Model(engine, vocab, sha256, thought_tokens=config.model.thought_room)
    lore = _open_lore(config, characters)
    keys, tokens = KeyBook(config.paths.keys), PlayerTokens(config.paths.signing_keys)
    store, pseudonyms = open_store(config)
    repo, heads = AdapterRepo(config.paths.adapters), AdapterRepo(config.paths.heads)
    return Parts(characters, model, store, repo, heads, pseudonyms, keys, tokens, folder, lore)


def _open_lore(config: Config, characters: Mapping[str, Persona]) -> Shelves:
    """Raises EmbeddingModelError."""
    folder = config.lore.embedding_model
    shelves = Shelves(load_embedder(folder) if folder else None)
    for persona in characters.values():
        shelves.build(persona)
    return shelves


def _require_room(characters: Mapping[str, Persona], vocab: Vocab, context_tokens: int) -> None:
    tight = (one for one in characters.values() if not is_roomy(one, vocab, context_tokens))
    sizes = [size_of(one, vocab, context_tokens) for one in tight]
    require_room(sizes)
    for warning in (size.warning for size in sizes if size.warning):
        logger.warning(warning)


def open_store(config: Config) -> tuple[Store, Pseudonyms]:
    """Open the store and the pseudonyms of its players, replacing ids that are none yet.

    Raises the store's errors, KeyFileError among them.
    """
    limit = RateLimit(config.feedback.events_per_minute, config.feedback.burst)
    store = Store.open(config.paths.store, limit=limit)
    try:
        pseudonyms = Pseudonyms(key_for(config.paths.player_key, store.latest_player()))
        if replaced := store.ensure_pseudonyms(is_pseudonym, pseudonyms.of).result():
            logger.warning("the ids of %d players were replaced by pseudonyms", replaced)
    except BaseException:
        store.close()
        raise
    return store, pseudonyms
