"""Everything that reads strangers' files: a valid one of each, and what reading may raise."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from feedback_store.backup import restore
from feedback_store.errors import BackupError
from feedback_store.records import Session
from feedback_store.store import Store
from npc_server import config
from npc_server.base_models.errors import InvalidModelError
from npc_server.base_models.gguf_file import require_gguf
from npc_server.engine.base_figures import read_figures
from npc_server.engine.errors import AdapterRejectedError, ModelLoadError
from npc_server.engine.lora.lora_gguf import BaseShape, linear_shapes, read_peft
from npc_server.errors import ConfigError
from personas.adapter_repo import AdapterRepo, Draft
from personas.cards.card import card_of
from personas.cards.card_files import write_card
from personas.cards.character_import import staged_character
from personas.cards.draft import Wishes
from personas.cards.world_folder import staged_world
from personas.errors import AdapterRepoError, CardError
from personas.persona_files import SAMPLE_CHARACTERS, read_texts
from personas.world_files import read_world, worlds_beside
from tests.support import tiny_gguf
from tests.support.cards import SMITH

_YAML = (b"&a ", b"*a", b"!!int ", b"!!bool ", b"- ", b"? ", b": ", b"{", b"[", b'"', b"|\n", b"\0")
_JSON = (b"{", b"[", b'"', b"\\ud800", b"NaN", b"1e999", b"null", b"-1", b"9" * 5000, b",")
_TOML = (b"[", b"]", b"a.b.c", b"=", b'"""', b"9" * 5000, b"inf", b"{", b"2001-99-99")
_NAMES = (b"../", b"/etc/passwd", b"NUL", b"\\", b"card.json")
_SQL = (b"CREATE TRIGGER t ", b"DROP TABLE turns", b"STRICT")
_WHOLE = 1 << 62


@dataclass(frozen=True)
class Reader:
    """One reader: it may refuse what it reads with its own error, and raises no other."""

    name: str
    make: Callable[[Path], Path]  # a valid file in an empty folder
    read: Callable[[Path], object]  # that file again, valid or damaged
    words: tuple[bytes, ...] = ()  # that mean something in its format
    head: int = _WHOLE  # bytes at the beginning that are worth damaging


def _yaml(name: str) -> Reader:
    def make(folder: Path) -> Path:
        source = SAMPLE_CHARACTERS / "mira" / name
        return _written(folder / name, source.read_bytes())

    def read(file: Path) -> None:
        texts = {one.name: one.read_text() for one in (SAMPLE_CHARACTERS / "mira").iterdir()}
        with suppress(UnicodeDecodeError):
            read_texts(Path("mira"), texts | {name: file.read_bytes().decode()})

    return Reader(name, make, read, _YAML)


def _make_world(folder: Path) -> Path:
    home = folder / "saltmere"
    home.mkdir()
    for source in (worlds_beside(SAMPLE_CHARACTERS) / "saltmere").iterdir():
        _written(home / source.name, source.read_bytes())
    return home / "world.yaml"


def _read_world(file: Path) -> None:
    read_world(file.parent, file.parents[1])


def _read_config(file: Path) -> None:
    with suppress(ConfigError):
        config.load(file, {"NPC_SERVER_PORT": "1"})


def _make_config(folder: Path) -> Path:
    text = '[server]\nport = 50051\n[model]\nbase = "smollm2-135m"\n[lore]\nroom = 200\n'
    return _written(folder / "npc.toml", text.encode())


def _card(kind: str) -> Reader:
    def make(folder: Path) -> Path:
        file = folder / f"smith.{kind}"
        write_card(file, card_of(SMITH, "smith"), folder / "none", {})
        return file

    return Reader(f"card.{kind}", make, _read_card, (*_JSON, *_NAMES))


def _read_card(file: Path) -> None:
    cast = file.parent / "cast"
    with suppress(CardError), staged_character(file, cast, Wishes("smith")):
        pass
    assert list(cast.iterdir()) == [], "an import left something behind"


def _make_world_info(folder: Path) -> Path:
    entry = {"uid": 0, "key": ["lamp"], "content": "The lamp is dark.", "comment": "Lamp"}
    return _written(folder / "info.json", json.dumps({"entries": {"0": entry}}).encode())


def _read_world_info(file: Path) -> None:
    worlds = file.parent / "worlds"
    worlds.mkdir(exist_ok=True)
    with suppress(CardError), staged_world(file, worlds, "saltmere"):
        pass
    assert list(worlds.iterdir()) == [], "an import left something behind"


def _make_adapter(name: str) -> Callable[[Path], Path]:
    return lambda folder: tiny_gguf.write_adapter(folder, seed=1) / name


def _read_adapter(file: Path) -> None:
    linears = {
        f"blk.{layer}.{linear.gguf}.weight": (linear.columns, linear.rows)
        for layer in range(tiny_gguf.LAYERS)
        for linear in tiny_gguf.linears()
    }
    base = BaseShape("llama", tiny_gguf.HEADS, tiny_gguf.KV_HEADS, linears)
    with suppress(AdapterRejectedError):
        read_peft(file.parent, base, 16)


def _publish(folder: Path) -> Path:
    repo = AdapterRepo(folder)
    draft = Draft("mira", None, "0" * 64, "dpo", {}, "", ("p1",), {})
    version = repo.publish(draft, tiny_gguf.write_adapter(folder / ".made", seed=1)).version
    repo.promote("mira", version)
    return folder / "mira" / version / "manifest.json"


def _make_aliases(folder: Path) -> Path:
    return _publish(folder).parents[1] / "aliases.json"


def _read_repo(root: Path) -> None:
    repo = AdapterRepo(root)
    for manifest in repo.versions("mira"):
        repo.path("mira", manifest.version)
    with suppress(AdapterRepoError):
        if live := repo.aliases("mira").live:
            repo.verify("mira", live)


def _make_gguf(folder: Path) -> Path:
    return tiny_gguf.write_model(folder / "m.gguf")


def _read_gguf(file: Path) -> None:
    for read in (require_gguf, read_figures, linear_shapes):
        with suppress(InvalidModelError, ModelLoadError):
            read(file)


def _make_backup(folder: Path) -> Path:
    with Store.open(folder / "backup.db") as store:
        session = Session("s1", "ada", "mira", "v1", True, datetime.now(UTC))
        store.record_session(session).result()
    return folder / "backup.db"


def _read_backup(file: Path) -> None:
    store = file.parent / "restored" / "feedback.db"
    with suppress(BackupError):
        restore(file, store)
        Store.open(store).close()
    assert {one.name for one in store.parent.iterdir()} <= {"feedback.db"}
    store.unlink(missing_ok=True)


def _written(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


READERS = (
    *map(_yaml, ("persona.yaml", "lore.yaml", "probes.yaml")),
    Reader("world.yaml", _make_world, _read_world, _YAML),
    Reader("npc.toml", _make_config, _read_config, _TOML),
    *map(_card, ("json", "png", "charx")),
    Reader("world info", _make_world_info, _read_world_info, _JSON),
    Reader("weights", _make_adapter("adapter_model.safetensors"), _read_adapter, _JSON, 900),
    Reader("adapter config", _make_adapter("adapter_config.json"), _read_adapter, _JSON),
    Reader("manifest", _publish, lambda file: _read_repo(file.parents[2]), _JSON),
    Reader("aliases", _make_aliases, lambda file: _read_repo(file.parents[1]), _JSON),
    Reader("gguf", _make_gguf, _read_gguf, (), 6000),
    Reader("backup", _make_backup, _read_backup, _SQL, 5000),
)
