"""Made-up characters of a wanted length, each under an adapter of its own.

Personas are whole persona folders and adapters are published in an adapter repo, so the server
under test reads what it always reads. An adapter is random and small enough that a character still
speaks English, but another English than its neighbour. Everything follows from a number: character
7 has the same adapter in every cast.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGUFReader
from safetensors.numpy import save_file

from npc_server.base_models.model_files import file_sha256
from npc_server.engine.lora.lora_gguf import BaseShape, linear_shapes, write_lora_gguf
from npc_server.engine.vocab import Vocab
from personas.adapter_repo import AdapterRepo, Draft
from personas.persona import Persona
from personas.persona_files import load_characters
from personas.render import system_text

RANK = 16
SCALE = 2
#: Spread of the B matrices. With unit inputs an adapter then adds some tenths of what a linear
#: layer puts out: other words, same language.
STRENGTH = 0.03

_MODULES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


@dataclass(frozen=True)
class Base:
    """The base model under test."""

    path: Path
    sha256: str
    vocab: Vocab
    shape: BaseShape


@dataclass(frozen=True)
class Member:
    """One character."""

    index: int  # names its adapter
    persona: Persona

    @property
    def id(self) -> str:
        """The character's id."""
        return self.persona.id


@dataclass(frozen=True)
class Cast:
    """Characters on disk, as a server is given them."""

    members: tuple[Member, ...]
    characters: Path  # one persona folder each
    data: Path  # where their adapters are live


def open_base(path: Path) -> Base:
    """What casts need to know of a GGUF file."""
    fields = GGUFReader(path).fields
    architecture = str(fields["general.architecture"].contents())
    heads, kv_heads = (
        int(fields[f"{architecture}.attention.{name}"].contents())
        for name in ("head_count", "head_count_kv")
    )
    shape = BaseShape(architecture, heads, kv_heads, linear_shapes(path))
    return Base(path, file_sha256(path), Vocab(path), shape)


class Adapters:
    """Random adapters below one folder, each made when first asked for."""

    def __init__(self, root: Path, base: Base, rank: int = RANK) -> None:
        self._root = root
        self._base = base
        self._rank = rank

    def peft(self, index: int) -> Path:
        """The PEFT folder of an adapter, as the trainer writes them."""
        folder = self._root / f"peft-{index:03d}"
        if not folder.exists():
            folder.mkdir(parents=True)
            noise = _noise(self._base.shape.linears, self._rank, index)
            save_file(noise, folder / "adapter_model.safetensors")
            (folder / "adapter_config.json").write_text(json.dumps(_adapter_config(self._rank)))
        return folder

    def gguf(self, index: int) -> Path:
        """The same adapter as llama.cpp reads it."""
        path = self._root / f"{index:03d}.gguf"
        if not path.exists():
            write_lora_gguf(self.peft(index), self._base.shape, path)
        return path


def _noise(
    linears: Mapping[str, tuple[int, int]], rank: int, seed: int
) -> dict[str, npt.NDArray[np.float32]]:
    generator = np.random.default_rng(seed)
    tensors: dict[str, npt.NDArray[np.float32]] = {}
    for weight, (columns, rows) in linears.items():
        _, layer, module, _ = weight.split(".")
        a = generator.standard_normal((rank, columns), np.float32) / np.float32(columns**0.5)
        b = generator.standard_normal((rows, rank), np.float32) * np.float32(STRENGTH)
        stem = f"base_model.model.model.layers.{layer}.{_MODULES[module]}"
        tensors |= {f"{stem}.lora_A.weight": a, f"{stem}.lora_B.weight": b}
    return tensors


def _adapter_config(rank: int) -> dict[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "",
        "r": rank,
        "lora_alpha": SCALE * rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": [name.partition(".")[2] for name in _MODULES.values()],
    }


def write_cast(root: Path, base: Base, adapters: Adapters, size: int, tokens: int) -> Cast:
    """Write characters with personas of about `tokens` tokens, each live under its adapter."""
    cast = write_bare_cast(root, base, size, tokens)
    for member in cast.members:
        version = publish(cast.data, base, member, adapters.peft(member.index))
        AdapterRepo(cast.data / "adapters").promote(member.id, version)
    return cast


def write_bare_cast(root: Path, base: Base, size: int, tokens: int) -> Cast:
    """Write the same characters on the bare base."""
    characters, data = root / "characters", root / "data"
    for index in range(size):
        _write_character(characters, base.vocab, index, tokens)
    personas = load_characters(characters)
    data.mkdir()
    members = tuple(Member(i, persona) for i, persona in enumerate(personas.values()))
    return Cast(members, characters, data)


def publish(data: Path, base: Base, member: Member, folder: Path) -> str:
    """Publish an adapter for a character and return its version; which one is live stays."""
    draft = Draft(member.id, None, base.sha256, "random", {}, "", (), {})
    return AdapterRepo(data / "adapters").publish(draft, folder).version


_NAMES = ("Alda", "Bram", "Cora", "Dorn", "Edda", "Falk", "Gesa", "Hale", "Isolt", "Joss")
_HOUSES = ("Reed", "Marsh", "Thorn", "Vale", "Pike", "Stone", "Wick", "Ash", "Fell", "Brook")
_TRADES = ("the miller", "the ferry master", "the gatekeeper", "the bell founder", "the apothecary")
_PLACES = ("at the north quay", "by the mill race", "under the tower", "past the salt road")
_THINGS = ("a brass key", "an old ledger", "the spare lantern", "a sack of barley", "the tide bell")
_PEOPLE = ("the ferryman", "your sister", "the tax collector", "a pedlar", "the night watch")
_SENTENCES = (
    "You keep {thing} {place}.",
    "Once a year {person} comes to see you {place}.",
    "You bought {thing} from {person} for {count} silver.",
    "{count} winters ago {person} left {thing} {place}.",
    "You do not trust {person}, who still owes you {thing}.",
)


def _write_character(root: Path, vocab: Vocab, index: int, tokens: int) -> None:
    name = f"{_NAMES[index % 10]} {_HOUSES[index // 10 % 10]}"
    folder = root / f"c{index:03d}"
    folder.mkdir(parents=True)
    card = _card(folder.name, name, index)
    sentences = _sentences_for(card, index, vocab, tokens)
    _dump(folder / "persona.yaml", card)
    _dump(folder / "lore.yaml", _lore(sentences))
    probe = {"id": "name", "kind": "voice", "ask": "Who are you?", "expect_any": [name]}
    _dump(folder / "probes.yaml", {"probes": [probe]})


def _card(character: str, name: str, index: int) -> dict[str, Any]:
    return {
        "id": character,
        "name": name,
        "role": f"{_TRADES[index % len(_TRADES)]} of Saltmere",
        "summary": f"You are {20 + index % 60} years old and have seen the town drown once.",
        "voice": {"style": "You speak plainly and think of your work first."},
    }


def _sentences_for(card: dict[str, Any], index: int, vocab: Vocab, tokens: int) -> list[str]:
    """As many sentences as bring the system message closest to `tokens` tokens."""
    draw = random.Random(index)
    sentences = [_sentence(draw)]
    missing = tokens - _tokens(card, sentences, vocab)
    while True:
        added = _tokens(card, [*sentences, nxt := _sentence(draw)], vocab)
        if abs(tokens - added) >= abs(missing):
            return sentences
        sentences.append(nxt)
        missing = tokens - added


def _tokens(card: dict[str, Any], sentences: list[str], vocab: Vocab) -> int:
    probes = ({"id": "name", "kind": "voice", "ask": "Who are you?"},)
    persona = Persona.model_validate({**card, "lore": _lore(sentences), "probes": probes})
    return len(vocab.encode(system_text(persona)))


def _sentence(draw: random.Random) -> str:
    sentence = draw.choice(_SENTENCES).format(
        thing=draw.choice(_THINGS),
        place=draw.choice(_PLACES),
        person=draw.choice(_PEOPLE),
        count=draw.randint(2, 99),
    )
    return sentence[0].upper() + sentence[1:]


def _lore(sentences: list[str]) -> dict[str, Any]:
    pairs = [" ".join(sentences[i : i + 2]) for i in range(0, len(sentences), 2)]
    facts = ({"id": f"f{i}", "fact": fact, "keywords": ("town",)} for i, fact in enumerate(pairs))
    return {"facts": tuple(facts)}


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))  # JSON is YAML
