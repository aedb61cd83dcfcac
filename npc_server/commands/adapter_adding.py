"""Publishing an adapter that was made elsewhere: checked, judged or marked as not judged."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npc_server.base_models.model_files import file_sha256
from npc_server.commands.training.trainer_process import (
    read_report,
    trainer_command,
    trainer_flags,
)
from npc_server.config import Config
from npc_server.engine.protocol import Request, Sampling
from npc_server.engine.worker import EngineConfig, LlamaEngine
from npc_server.errors import AdapterMisfitError
from npc_server.vocabulary import chat_tokens, open_vocab
from personas.adapter_repo import AdapterRepo, Draft, Manifest, content_hash
from personas.chat_ids import chat_of
from personas.persona import Persona
from personas.render import prompt

METHOD = "added"
NOT_GATED = {"passed": False, "skipped": "not gated: added with --no-gate"}
_LINE = "Good evening. Who are you?"
_TOKENS = 8  # enough to see that it speaks at all
#: Of a base; what follows says how its unpacked copy scales positions.
_HASH = re.compile(r"([0-9a-f]{12,64})(-[0-9a-f]{8})?")


@dataclass(frozen=True)
class Offer:
    """An adapter, and what is said of it."""

    folder: Path
    source: str
    license: str
    gate: bool  # judge it first
    same_base: bool  # it was made for the served base, whatever its config says


@dataclass(frozen=True)
class Added:
    """What became of an offer."""

    version: Manifest | None  # None = it was not published
    is_new: bool = True  # no version had this content before
    rejected: bool = False  # by the gate; else something was missing
    why_not: str = ""


@dataclass(frozen=True)
class Served:
    """The base that an adapter is to be served on."""

    path: Path
    sha256: str
    names: frozenset[str]  # that it goes by
    chat_format: str  # as manifests name it


def ensure_published(config: Config, persona: Persona, repo: AdapterRepo, offer: Offer) -> Added:
    """Check, judge and publish an adapter unless a version holds this very one.

    Raises AdapterMisfitError for a doubt about the base, and the errors of the engine, the base
    models and the adapter repo.
    """
    served = served_base(config)
    known = repo.find(persona.id, content_hash(offer.folder), served.sha256)
    if known is not None:
        return Added(known, is_new=False)
    if not offer.same_base and (doubt := base_doubt(offer.folder, served)):
        raise AdapterMisfitError(
            f"{doubt}. If it is the same model by another name, say so with --same-base"
        )
    check_with_engine(config, served, persona, offer.folder)
    report = judge(config, served, persona.id, offer.folder) if offer.gate else None
    if report is not None and report["state"] != "passed":
        return Added(None, rejected=report["state"] == "rejected", why_not=report["reason"])
    return Added(repo.publish(_draft(persona, offer, served, report), offer.folder))


def served_base(config: Config) -> Served:
    """The configured base. Raises ModelUnavailableError, ModelLoadError, ConfigError."""
    path, vocab = open_vocab(config)
    stated = [vocab.metadata(f"general.{key}") for key in ("name", "basename", "size_label")]
    names = {path.stem, config.model.base, stated[0] or "", f"{stated[1]}-{stated[2]}"}
    sha256, chat_format = file_sha256(path), chat_of(vocab).sha256
    vocab.close()
    return Served(path, sha256, frozenset(filter(None, names)), chat_format)


def base_doubt(folder: Path, served: Served) -> str:
    """Why the adapter in a folder may have been made for another base; "" = it was for this one."""
    declared = _declared_base(folder)
    if not declared:
        return "the adapter does not say for which base it was made"
    if found := _HASH.fullmatch(declared):
        fits = served.sha256.startswith(found[1])
    else:
        fits = _plain(declared.rsplit("/", 1)[-1]) in _beginnings(map(_plain, served.names))
    if fits:
        return ""
    known = ", ".join(sorted(served.names))
    return f"the adapter was made for {declared!r}; served is {known} ({served.sha256[:16]})"


def _declared_base(folder: Path) -> str:
    try:
        config = json.loads((folder / "adapter_config.json").read_bytes())
        return str(config.get("base_model_name_or_path") or "").strip().rstrip("/")
    except (OSError, ValueError, AttributeError, RecursionError):
        return ""  # the engine says what is wrong with the file


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _beginnings(names: Iterable[str]) -> set[str]:
    """The names, and what is left of them without the word that says how they are stored."""
    return {re.sub(r"(gguf|q\d\w*|f16|bf16|f32|mix)+$", "", name) for name in names} | set(names)


def check_with_engine(config: Config, served: Served, persona: Persona, folder: Path) -> None:
    """Have the adapter loaded and speak a few words as the server would. Raises EngineError."""
    asyncio.run(_check(config, served, persona, folder))


async def _check(config: Config, served: Served, persona: Persona, folder: Path) -> None:
    _, vocab = open_vocab(config)
    settings = EngineConfig.of(served.path, config.engine.settings, chat_tokens(vocab))
    engine = LlamaEngine(settings)
    ids = prompt(persona, (), _LINE, vocab, config.engine.context_tokens - _TOKENS).ids
    await engine.start()
    try:
        await engine.load_adapter("added", folder)
        request = Request("check", ids, "added", Sampling(temperature=0, max_tokens=_TOKENS))
        async with aclosing(engine.generate(request)) as events:
            async for _ in events:
                pass
    finally:
        await engine.close()


def judge(config: Config, served: Served, character: str, folder: Path) -> dict[str, Any]:
    """What the gate says of the adapter, from a process of the trainer's."""
    flags = trainer_flags(config, served.path)
    line = trainer_command("trainer.outside_adapter", character, str(folder), *flags)
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=False)
    return read_report(done.stdout, done.returncode)


def _draft(persona: Persona, offer: Offer, served: Served, report: dict[str, Any] | None) -> Draft:
    """What is stated of the version; no report = it was not judged."""
    return Draft(
        character=persona.id,
        parent=None,
        base_sha256=served.sha256,
        method=METHOD,
        config={"base_model_name_or_path": _declared_base(offer.folder)},
        snapshot_hash=report["snapshot_hash"] if report else "",
        players=(),
        gate=_gate(report),
        persona_version=persona.version if report else "",
        source=offer.source,
        license=offer.license,
        chat_format=served.chat_format,
    )


def _gate(report: dict[str, Any] | None) -> dict[str, Any]:
    if report is None:
        return dict(NOT_GATED)
    return {"passed": True, "rows": report["gate"], "judged_by": report["judged_by"]}
