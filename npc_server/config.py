"""The one configuration: `npc.toml`, overridden by `NPC_*` variables, closed and frozen.

`NPC_SERVER_PORT` overrides `port` of `[server]`, and so on. Unknown keys and impossible values are
all reported at once. Settings come from nowhere else. The trainer's tables are passed on unread:
the trainer knows their keys, and checks them when it starts.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from feedback_store import audit
from feedback_store.privacy.policy import Mode
from languages.tags import UnknownLanguageError, language_of
from languages.visibility import hidden_sign
from npc_server.base_models.catalogue import DEFAULT_MODEL
from npc_server.base_models.resolution import ModelPlaces
from npc_server.engine.protocol import Batching, KvType
from npc_server.engine.settings import AUTO, EngineSettings, GpuLayers
from npc_server.errors import ConfigError
from npc_server.guard import RULES, GuardSettings
from npc_server.keys.quotas import Limits
from npc_server.keys.tls import TlsFiles
from npc_server.limits import MAX_LINE_CHARACTERS
from npc_server.scenes.limits import Patience, SceneLimits
from personas.authored_text import NotUtf8Error, text_of
from personas.known_names import no_such_file
from personas.lore.entries import MAX_SCAN_LINES
from personas.lore_notes import ROOM_TOKENS, LoreSettings
from personas.persona_files import SAMPLE_CHARACTERS
from personas.plain_files import read_plain
from personas.world_files import Worlds, worlds_beside

DEFAULT_FILE = Path("npc.toml")
KEY_VARIABLE = "NPC_KEY"  # what commands show a server: a secret, and no setting

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s@A-Z]+")  # as browsers write them
_MAX_BYTES = 64 << 10
_LONGEST_LINE = 2_000  # signs: what a key of many dots takes grows with the square of them


def _has_a_sign(word: str) -> str:
    if not any(sign.isalnum() for sign in word):
        raise ValueError("has no letter or digit, so it can never be found")
    if sign := hidden_sign(word):
        raise ValueError(f"holds {sign}, which does not show; delete it")
    return word


#: A name, a place or a handle of the game, as players write it.
GameWord = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=2, max_length=64),
    AfterValidator(_has_a_sign),
]


def _layer_count(layers: object) -> object:
    count = int(layers) if isinstance(layers, str) and layers.isdecimal() else layers
    if count == AUTO or (type(count) is int and count >= 0):
        return count
    raise ValueError('write "auto", or how many layers GPUs hold, 0 for none')


_Layers = Annotated[GpuLayers, BeforeValidator(_layer_count)]


def _split_at_commas(words: object) -> object:
    """A variable holds them with commas between."""
    return [word.strip() for word in words.split(",")] if isinstance(words, str) else words


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PathsConfig(_Section):
    """Where things lie; `~` is expanded."""

    model_config = ConfigDict(validate_default=True)

    characters: Path = SAMPLE_CHARACTERS  # one folder per character
    data: Path = Path("~/.local/share/troupe")  # feedback store and adapter versions
    cache: Path = Path("~/.cache/troupe")  # base models; safe to delete
    worlds: Path | None = None  # a folder per world; None = `worlds` beside the characters

    @field_validator("*")
    @classmethod
    def _expand_user(cls, path: Path | None) -> Path | None:
        try:
            return path.expanduser() if path else None
        except RuntimeError as error:  # no such user, or no home folder
            raise ValueError(f"{path}: {error}") from error

    def worlds_of(self, characters: Path) -> Worlds:
        """The worlds that a folder of characters names, not read yet."""
        return Worlds(self.worlds or worlds_beside(characters))

    @property
    def store(self) -> Path:
        """The feedback store's file."""
        return self.data / "feedback.db"

    @property
    def adapters(self) -> Path:
        """The adapter repo's root."""
        return self.data / "adapters"

    @property
    def heads(self) -> Path:
        """The root of the reward heads: an adapter repo of their own."""
        return self.data / "heads"

    @property
    def bases(self) -> Path:
        """Bases that were trained from players' feedback."""
        return self.data / "bases"

    @property
    def models(self) -> ModelPlaces:
        """Where base models lie, and where their names are kept."""
        return ModelPlaces(self.cache, self.data / "models", self.bases)

    @property
    def runs(self) -> Path:
        """The records of training runs."""
        return self.data / "runs"

    @property
    def player_key(self) -> Path:
        """The key of the players' pseudonyms; kept beside the store, never in it."""
        return self.data / "player.key"

    @property
    def keys(self) -> Path:
        """Who may call the server, with hashes of their keys."""
        return self.data / "keys.json"

    @property
    def signing_keys(self) -> Path:
        """What the tokens of players are signed with."""
        return self.data / "signing.json"

    @property
    def audit(self) -> Path:
        """Who made keys, promoted, exported and deleted."""
        return self.data / audit.FILE


class ServerSection(_Section):
    """The gRPC server."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 7749  # 0 = any free one
    grace_s: Annotated[float, Field(ge=0)] = 10.0  # for running replies when the server stops
    adapter_poll_s: Annotated[float, Field(gt=0)] = 0.5  # between two looks at the aliases on disk
    http_port: Annotated[int, Field(ge=0, le=65535)] = 0  # Connect, gRPC-Web, OpenAI; 0 = off
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0  # Prometheus over HTTP; 0 = off
    reflection: bool = True  # describes the contract to whoever asks, without a key


def _origin(text: str) -> str:
    if text in ("*", "null") or _ORIGIN.fullmatch(text):
        return text
    raise ValueError(
        f"{text!r} is no origin; write https://play.example.com, with the port if it is not the "
        'usual one and nothing behind it, or "*" for the pages of everybody'
    )


class HttpSection(_Section):
    """The port for web pages and other clients that speak HTTP."""

    origins: Annotated[  # of pages that may call; none = no page may
        tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(_split_at_commas)
    ] = ()
    system_messages: Literal["append", "ignore"] = "append"  # of OpenAI clients: told, or not
    system_tokens: Annotated[int, Field(ge=0, le=4096)] = 128  # of them, before a line
    training_consent: bool = False  # of players who come by the OpenAI API


class TlsSection(_Section):
    """Certificates, as PEM files; without one, connections are in the clear."""

    certificate: Path | None = None  # the server's, with those between it and its authority
    key: Path | None = None  # of the certificate
    client_ca: Path | None = None  # authorities of clients, who must show a certificate then

    @field_validator("*")
    @classmethod
    def _expand_user(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path else None

    @model_validator(mode="after")
    def _has_both_or_none(self) -> Self:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key go together: set both")
        if self.client_ca and not self.certificate:
            raise ValueError("client_ca needs a certificate of the server: set certificate and key")
        return self

    @property
    def files(self) -> TlsFiles | None:
        """The same, as TLS takes them; None = there is none."""
        if self.certificate is None or self.key is None:
            return None
        return TlsFiles(self.certificate, self.key, self.client_ca)


_Quota = Annotated[int, Field(ge=0)]


class QuotasSection(_Section):
    """What callers with keys and tokens may do; 0 = as much as they like."""

    game_turns: _Quota = 0  # of one game, at once
    game_tokens_per_minute: _Quota = 0  # of replies to one game
    game_sessions: _Quota = 0  # that one game has open
    game_events_per_minute: _Quota = 0  # of feedback from one game
    player_turns: _Quota = 0  # of one player, at once
    player_tokens_per_minute: _Quota = 0
    player_sessions: _Quota = 0

    @property
    def of_games(self) -> Limits:
        """What one game may do."""
        return Limits(
            self.game_turns,
            self.game_tokens_per_minute,
            self.game_sessions,
            self.game_events_per_minute,
        )

    @property
    def of_players(self) -> Limits:
        """What one player may do."""
        return Limits(self.player_turns, self.player_tokens_per_minute, self.player_sessions)


class ModelSection(_Section):
    """The shared base model."""

    base: str = DEFAULT_MODEL  # a name that `npc model list` shows, or the path of a GGUF file
    chat_template: Path | None = None  # a Jinja file, in place of the template in the GGUF
    thinking: Literal["off", "on"] = "off"  # whether a base that can think does before a reply
    thought_tokens: Annotated[int, Field(ge=16)] = 256  # of a thought at most, in context_tokens

    @field_validator("chat_template")
    @classmethod
    def _expand_user(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path else None

    @property
    def thought_room(self) -> int:
        """Tokens of the context that are kept free for a thought."""
        return self.thought_tokens if self.thinking == "on" else 0


class EngineSection(_Section):
    """Batching, memory and threads of the engine process."""

    sequences: Annotated[int, Field(ge=1, le=64)] = 8  # turns that run at once
    context_tokens: Annotated[int, Field(ge=256)] = 1024  # prompt and reply of one turn
    threads: Annotated[int, Field(ge=0)] = 0  # 0 = one per core
    gpu_layers: _Layers = AUTO  # of the base, from its end, that GPUs compute
    device: str = ""  # names of `npc devices`, with commas between; "" = every GPU that is here
    main_gpu: Annotated[int, Field(ge=-1)] = -1  # the one that holds all of it; -1 = they share
    kv_type: KvType = KvType.F16  # the numbers that keys and values are kept in
    batching: Batching = Batching.MIXED  # "grouped": one adapter per step
    max_rank: Annotated[int, Field(ge=1, le=256)] = 16  # adapters of a higher rank are refused
    prefill_chunk_tokens: Annotated[int, Field(ge=1)] = 128  # prompt tokens per step beside replies
    cache_mib: Annotated[int, Field(ge=0)] = 1024  # memory for kept prefixes
    adapter_cache_mib: Annotated[int, Field(ge=0)] = 1024  # memory for parsed adapters
    max_waiting: Annotated[int, Field(ge=1)] = 256  # turns in the queue; more are refused as busy

    @property
    def settings(self) -> EngineSettings:
        """The same, as the engine takes them."""
        return EngineSettings(**dict(self))


class FeedbackSection(_Section):
    """Accepting players' reactions."""

    events_per_minute: Annotated[float, Field(ge=0)] = 60.0  # per player; 0 = no limit
    burst: Annotated[int, Field(ge=1)] = 240  # events at once, e.g. after being offline
    turn_wait_s: Annotated[float, Field(ge=0)] = 5.0  # for an event whose turn is not recorded yet
    silence_s: Annotated[float, Field(gt=0)] = 120.0  # after a reply; longer is a derived signal


class PrivacySection(_Section):
    """What is taken out of players' words, and how long turns are kept."""

    redaction: Mode = Mode.ON  # of personal data: "on", "strict" or "off"
    never_personal: Annotated[tuple[GameWord, ...], Field(max_length=1000)] = ()  # the game's own

    retention_days: Annotated[int, Field(ge=0)] = 0  # with training consent; 0 = until forgotten
    serving_retention_days: Annotated[int, Field(ge=0)] = 30  # without; 0 = until forgotten

    @field_validator("never_personal", mode="before")
    @classmethod
    def _split(cls, words: object) -> object:
        """A variable holds them with commas between."""
        return [word.strip() for word in words.split(",")] if isinstance(words, str) else words


class MemorySection(_Section):
    """What characters remember of players."""

    prompt_tokens: Annotated[int, Field(ge=0, le=4096)] = 96  # for it, before a line; 0 = none
    summaries: bool = False  # the character sums up what no longer fits, while nobody speaks
    proposals: bool = False  # the base model looks for what no rule finds, likewise


class Watch(StrEnum):
    """How the server notices that persona files were saved."""

    NOTIFY = "notify"
    """The system tells at once."""
    POLL = "poll"
    """All files are looked at again and again: for network folders, which tell nothing."""
    OFF = "off"
    """Not at all: a change takes a restart."""


class ReloadSection(_Section):
    """Persona files that are saved while the server runs."""

    watch: Watch = Watch.NOTIFY  # "notify", "poll" or "off"
    settle_ms: Annotated[float, Field(ge=1, le=1600)] = 100.0  # without a change, before reading
    poll_s: Annotated[float, Field(gt=0)] = 1.0  # between two looks at all files


def _guard_rule(name: str) -> str:
    if name not in RULES:
        raise ValueError(f"{name!r} is no rule; known: {', '.join(RULES)}")
    return name


def _known_language(tag: str) -> str:
    try:
        return language_of(tag).code
    except UnknownLanguageError as error:
        raise ValueError(str(error)) from error


class GuardSection(_Section):
    """What is kept from characters and from players; `off` names rules that are not used."""

    off: Annotated[
        tuple[Annotated[str, AfterValidator(_guard_rule)], ...], BeforeValidator(_split_at_commas)
    ] = ()
    line_characters: Annotated[int, Field(ge=0, le=MAX_LINE_CHARACTERS)] = 0  # 0 = no own limit
    languages: Annotated[  # of players' lines, as BCP 47 tags; none = any
        tuple[Annotated[str, AfterValidator(_known_language)], ...],
        BeforeValidator(_split_at_commas),
    ] = ()

    @property
    def settings(self) -> GuardSettings:
        """The same, as the guard takes them."""
        return GuardSettings(frozenset(self.off), self.line_characters, self.languages)


class LoreSection(_Section):
    """What characters are told of their world."""

    tokens: Annotated[int, Field(ge=0, le=4096)] = ROOM_TOKENS  # before a line; 0 = none is told
    scan_lines: Annotated[int, Field(ge=1, le=MAX_SCAN_LINES)] = 2  # the newest, that have keys
    recursion: Annotated[int, Field(ge=0, le=8)] = 2  # times that entries are searched for others
    most_entries: Annotated[int, Field(ge=1, le=256)] = 24  # that fire at once
    embedding_model: Path | None = None  # a folder as of model2vec; None = nothing fires by meaning
    least_similarity: Annotated[float, Field(ge=-1, le=1)] = 0.25  # of a line and what it may mean
    most_alike: Annotated[int, Field(ge=1, le=64)] = 3  # entries that fire by their meaning

    @field_validator("embedding_model")
    @classmethod
    def _expand_user(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path else None

    @property
    def settings(self) -> LoreSettings:
        """The same, as lore and the gate take them."""
        return LoreSettings(**dict(self))


class ScenesSection(_Section):
    """How large scenes may be, and how their characters take turns."""

    characters: Annotated[int, Field(ge=1, le=16)] = 8  # in a scene at once
    lines: Annotated[int, Field(ge=1, le=64)] = 16  # among themselves, in one call
    silence_points: Annotated[float, Field(ge=0, le=100)] = 0.5  # a line that others said
    silence_lines: Annotated[int, Field(ge=0, le=64)] = 4  # that count

    @property
    def limits(self) -> SceneLimits:
        """The same, as scenes take them."""
        patience = Patience(self.silence_points, self.silence_lines)
        return SceneLimits(self.characters, self.lines, patience)


class GameSection(_Section):
    """A game that shares the server with others."""

    characters: tuple[str, ...]  # ids of those that its keys may know of


class Config(_Section):
    """Everything that can be set."""

    paths: PathsConfig = Field(default_factory=PathsConfig)  # late: needs a home
    server: ServerSection = ServerSection()
    http: HttpSection = HttpSection()
    tls: TlsSection = TlsSection()
    quotas: QuotasSection = QuotasSection()
    model: ModelSection = ModelSection()
    engine: EngineSection = EngineSection()
    feedback: FeedbackSection = FeedbackSection()
    privacy: PrivacySection = PrivacySection()
    memory: MemorySection = MemorySection()
    reload: ReloadSection = ReloadSection()
    guard: GuardSection = GuardSection()
    lore: LoreSection = LoreSection()
    scenes: ScenesSection = ScenesSection()
    games: Mapping[str, GameSection] = {}  # by name; a game without one knows all characters
    training: Mapping[str, Any] = {}  # as written; the trainer reads it
    gate: Mapping[str, Any] = {}  # the same
    night: Mapping[str, Any] = {}  # the same

    @property
    def reply_context(self) -> int:
        """Tokens of the context for a prompt and its reply."""
        return self.engine.context_tokens - self.model.thought_room


def load(file: Path | None, environment: Mapping[str, str]) -> Config:
    """Read `file`, or `npc.toml` in the working directory, if there is one, and `environment`.

    Raises ConfigError, which names every wrong key and value.
    """
    source = file or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
    values = _read(source) if source else {}
    for key, value in _overrides(environment).items():
        section, _, name = key.partition("_")
        table = values.setdefault(section, {})
        if isinstance(table, dict):  # else the schema says what is wrong with the file
            table[name] = value
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, source)) from error


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        raise ConfigError(no_such_file("configuration file", file))
    try:
        return tomllib.loads(_short_lined(text_of(read_plain(file, _MAX_BYTES))))
    except NotUtf8Error as error:
        where = f"{file}:{error.line}" if error.line else str(file)
        raise ConfigError(f"{where}: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{file}: nested too deeply to be read") from error
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except ValueError as error:  # no TOML, or a number of thousands of digits
        raise ConfigError(f"{file}: {error}") from error


def _short_lined(text: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > _LONGEST_LINE:
            raise ValueError(f"line {number} has {len(line):,} signs; at most {_LONGEST_LINE:,}")
    return text


def _overrides(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        key.removeprefix("NPC_").lower(): value
        for key, value in environment.items()
        if key.startswith("NPC_") and key != KEY_VARIABLE
    }


def _explain(error: ValidationError, source: Path | None) -> str:
    where = f"{source} and NPC_* variables" if source else "NPC_* variables"
    lines = [
        f"  {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in error.errors()
    ]
    return f"configuration ({where}):\n" + "\n".join(lines)
