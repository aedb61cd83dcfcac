"""Every family that we answer for, from a transformers model to what is served and trained.

A tiny random model is converted as llama.cpp's converter does it. Three compute its logits, far
beyond its windows: the model that was converted, the engine that serves the file, and the copy of
the file that is trained on. The engine has adapters, keys and values, and the sums over them in 16
bits. That leaves less than `NOISE`; a forgotten window, cap or scale leaves several times as much.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import PreTrainedModel

from npc_server.engine.assembly import assemble
from npc_server.engine.core import EngineCore
from npc_server.engine.llama import BatchRow, ContextShape
from npc_server.engine.lora.lora_gguf import linear_shapes, module_names
from npc_server.engine.lora.voice import Voice
from npc_server.engine.protocol import Batching, EngineOptions
from npc_server.engine.vocab import Vocab
from tests.support import tiny_gguf
from tests.support.held import IN_FLOAT32
from tests.support.model_families import (
    FAMILIES,
    MINISTRAL_ROPE,
    WINDOW,
    Family,
    make_model,
    write_gguf,
)
from tests.support.paths import DOCS
from tests.support.rows import edits, pairs
from tests.support.watching import ignore
from trainer.base import ensure_base
from trainer.lora import (
    StartingPoint,
    adaptable_layers,
    load_base,
    load_policy,
    load_voice,
    save_adapter,
)
from trainer.methods import dpo, sft
from trainer.progress import RunIO
from trainer.rows.replay import Rows
from trainer.settings import LoraShape, Schedule

NOISE = 0.01  # root mean square of a difference, relative to the logits
CHUNK, STEPS = 4 * WINDOW, 2 * WINDOW  # tokens read at once, and one by one
SEQUENCES = 3

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Base:
    """A random model, its file, and the copy of the file that is trained on."""

    family: Family
    model: PreTrainedModel
    gguf: Path
    dense: Path


@pytest.fixture(scope="module", params=FAMILIES)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Base:
    family, folder = FAMILIES[request.param], tmp_path_factory.mktemp("base")
    model = make_model(family)
    gguf = write_gguf(folder / "model.gguf", model, family)
    return Base(family, model, gguf, ensure_base(gguf, folder / "cache"))


@pytest.fixture(scope="module")
def core(base: Base) -> Iterator[EngineCore]:
    """The engine, as it is assembled to serve the file."""
    shape = ContextShape(SEQUENCES, tiny_gguf.CONTEXT_TOKENS, batch_tokens=512, threads=1)
    with closing(assemble(base.gguf, shape, EngineOptions(), ignore)) as assembled:
        yield assembled


@pytest.fixture(scope="module")
def adapters(
    base: Base, core: EngineCore, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Path | None]:
    """Two random adapters on every layer, which the engine has read, and the bare base."""
    found: dict[str, Path | None] = {"": None}
    for seed, name in enumerate(("a", "b")):
        found[name] = folder = tmp_path_factory.mktemp(name)
        write_random_adapter(base.dense, folder, seed)
        core.keep_adapter(core.read_adapter(name, folder))
    return found


def write_random_adapter(dense: Path, folder: Path, seed: int) -> None:
    """Save an adapter as a training does, with noise for what it would have learned."""
    start = StartingPoint(dense, tokenizer=None, adapter=None)  # type: ignore[arg-type] # unused
    policy = load_policy(start, LoraShape(rank=8, alpha=16), IN_FLOAT32)
    torch.manual_seed(seed)
    for name, weight in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    save_adapter(policy, dense, folder)


def text(seed: int) -> list[int]:
    """Random ids, farther than any window reaches."""
    generator = np.random.default_rng(seed)
    found: list[int] = generator.integers(4, tiny_gguf.VOCABULARY, CHUNK + STEPS).tolist()
    return found


def computed(model: PreTrainedModel, ids: Sequence[int]) -> Logits:
    """The logits of a transformers model after each of the last tokens, (step, vocabulary)."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, CHUNK:]
    return np.asarray(logits.float().numpy(), np.float32)


def served(core: EngineCore, spoken: Mapping[int, tuple[str, Sequence[int]]]) -> list[Logits]:
    """The same of the engine, for sequences in one batch: under an adapter, reading ids."""
    mux, llama, order = core._mux, core._llama, sorted(spoken)
    for sequence in order:
        mux.assign(sequence, Voice(spoken[sequence][0]))
    seen = []
    for start, end in [(0, CHUNK), *((at, at + 1) for at in range(CHUNK, CHUNK + STEPS))]:
        wanted = end - start == 1
        rows = [BatchRow(spoken[s][1][t], t, s, wanted) for s in order for t in range(start, end)]
        mux.route(order, end - start)
        llama.decode(rows)
        mux.check()
        if wanted:
            seen.append([llama.logits(row).copy() for row in range(len(order))])
    for sequence in order:
        llama.clear(sequence)
    return [np.stack(steps) for steps in zip(*seen, strict=True)]


def difference(found: Logits, right: Logits) -> float:
    """Root mean square of the difference, relative to that of the right logits."""
    return float(np.sqrt(np.square(found - right).mean() / np.square(right).mean()))


def test_the_engine_serves_the_model_that_was_converted(base: Base, core: EngineCore) -> None:
    (found,) = served(core, {0: ("", text(0))})
    assert difference(found, computed(base.model, text(0))) < NOISE


def test_the_copy_to_train_on_is_the_model_that_was_converted(base: Base) -> None:
    found = computed(load_base(base.dense), text(0))
    assert difference(found, computed(base.model, text(0))) < 1e-4


def test_an_adapter_on_every_layer_is_served_as_peft_computes_it(
    base: Base, core: EngineCore, adapters: Mapping[str, Path | None]
) -> None:
    (found,) = served(core, {0: ("a", text(1))})
    right, bare = (computed(load_voice(base.dense, adapters[x]), text(1)) for x in ("a", ""))
    assert difference(found, right) < NOISE < 0.1 < difference(bare, right)


def test_a_mixed_batch_has_each_row_under_its_own_adapter(
    base: Base, core: EngineCore, adapters: Mapping[str, Path | None]
) -> None:
    assert core.stats().batching is Batching.MIXED
    spoken = {at: (name, text(at)) for at, name in enumerate(("b", "", "a"))}
    for (name, ids), found in zip(spoken.values(), served(core, spoken), strict=True):
        assert difference(found, computed(load_voice(base.dense, adapters[name]), ids)) < NOISE


def test_every_layer_that_is_trained_is_served(base: Base) -> None:
    assert adaptable_layers(base.dense) == module_names(linear_shapes(base.gguf))


def test_the_page_of_families_says_so(base: Base, core: EngineCore) -> None:
    layers = ", ".join(f"`{layer}`" for layer in sorted(adaptable_layers(base.dense)))
    family, batching = base.family, core.stats().batching
    row = f"| {family.name} | `{family.architecture}` | {batching} | {layers} |"
    page = (DOCS / "model-families.md").read_text().splitlines()
    assert [line for line in page if line.startswith(row)], row


FEW_STEPS = Schedule(learning_rate=0.01, epochs=3, batch_rows=2, micro_batch_rows=2)
METHODS = {
    "sft": lambda start, out: sft.run(
        sft.Config(LoraShape(8, 16), FEW_STEPS, general_share=0),
        Rows(edits(2, start.tokenizer)), (), start, out, RunIO(ignore),
    ),
    "dpo": lambda start, out: dpo.run(
        dpo.Config(LoraShape(8, 16), FEW_STEPS),
        pairs(2, start.tokenizer), (), start, out, RunIO(ignore),
    ),
}  # fmt: skip


#: The others are trained in the slow tier.
QUICK = ("Llama", "Qwen 3", "Gemma 3", "Phi 3")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "base",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in FAMILIES],
    indirect=True,
)
def test_what_a_training_saves_is_served_as_it_was_trained(
    base: Base, core: EngineCore, tmp_path: Path, method: str
) -> None:
    start = StartingPoint(base.dense, Vocab(base.gguf), None)
    trained = METHODS[method](start, tmp_path / method)
    core.keep_adapter(core.read_adapter(method, trained.adapter))
    (found,) = served(core, {0: (method, text(2))})
    right, bare = (computed(load_voice(base.dense, x), text(2)) for x in (trained.adapter, None))
    assert difference(found, right) < NOISE < difference(bare, right)


#: What sets a family apart, forgotten: a value of the copy's config, and what it would be without.
FORGOTTEN: Sequence[tuple[str, Mapping[str, Any]]] = [
    ("Mistral", {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}),
    ("Ministral 3", {"rope_parameters": MINISTRAL_ROPE | {"rope_type": "default"}}),
    ("Ministral 3", {"rope_parameters": MINISTRAL_ROPE | {"llama_4_scaling_beta": 0.0}}),
    ("Ministral 3", {"rope_parameters": MINISTRAL_ROPE | {"mscale_all_dim": 0.0}}),
    ("Gemma 2", {"layer_types": ["full_attention"] * 3}),
    ("Gemma 2", {"sliding_window": WINDOW + 1}),
    ("Gemma 2", {"attn_logit_softcapping": None}),
    ("Gemma 2", {"final_logit_softcapping": None}),
    ("Gemma 2", {"query_pre_attn_scalar": 16}),
    ("Gemma 3", {"layer_types": ["full_attention"] * 7}),
    ("Gemma 3", {"sliding_window": WINDOW - 1}),
    ("Gemma 3", {"layer_types": ["sliding_attention"] * 7}),
    ("Gemma 3", {"query_pre_attn_scalar": 256}),
    ("Phi 3", {"sliding_window": WINDOW}),
    ("SmolLM 3", {"no_rope_layers": [1, 1, 1, 1, 1]}),
    ("SmolLM 3", {"no_rope_layers": [1, 1, 0, 1, 1]}),
    ("Qwen 3 MoE", {"norm_topk_prob": False}),
    ("Qwen 3 MoE", {"num_experts_per_tok": 1}),
]


def test_a_gemma_3_without_windows_is_trained_without(tmp_path: Path) -> None:
    everywhere = {"layer_types": ["full_attention"] * 7, "sliding_window": 0}
    family = replace(FAMILIES["Gemma 3"], config={**FAMILIES["Gemma 3"].config, **everywhere})
    model = make_model(family)
    gguf = write_gguf(tmp_path / "m.gguf", model, family)
    shape = ContextShape(1, tiny_gguf.CONTEXT_TOKENS, batch_tokens=512, threads=1)
    with closing(assemble(gguf, shape, EngineOptions(), ignore)) as core:
        (found,) = served(core, {0: ("", text(0))})
    assert (
        difference(computed(load_base(ensure_base(gguf, tmp_path / "c")), text(0)), found) < NOISE
    )


@pytest.mark.parametrize(("name", "values"), FORGOTTEN, ids=str)
def test_this_comparison_sees_what_sets_a_family_apart(
    name: str, values: Mapping[str, Any], tmp_path: Path
) -> None:
    model = make_model(FAMILIES[name])
    dense = ensure_base(write_gguf(tmp_path / "m.gguf", model, FAMILIES[name]), tmp_path / "cache")
    config = dense / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | values))
    assert difference(computed(load_base(dense), text(0)), computed(model, text(0))) > 3 * NOISE
