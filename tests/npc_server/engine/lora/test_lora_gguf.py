"""A PEFT folder is read as PEFT intends it, and nothing that does not fit the base gets through."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from gguf import GGUFReader
from safetensors.numpy import load_file, save_file

from npc_server.engine.errors import AdapterRejectedError, ModelLoadError
from npc_server.engine.lora.lora_gguf import (
    BaseShape,
    LoraFile,
    linear_shapes,
    permute_rotary_rows,
    read_peft,
    write_lora_gguf,
)
from tests.support import tiny_gguf

Tensors = dict[str, npt.NDArray[Any]]

Q_A, Q_B, V_A, V_B = (
    f"base_model.model.model.layers.0.self_attn.{module}.lora_{side}.weight"
    for module in ("q_proj", "v_proj")
    for side in "AB"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good adapter of rank 4 for the tiny llama model."""
    return tiny_gguf.write_adapter(tmp_path / "a", seed=1)


def base_shape(architecture: str = "llama") -> BaseShape:
    """What llama.cpp says of the tiny model of this architecture."""
    linears = {
        f"blk.{layer}.{linear.gguf}.weight": (linear.columns, linear.rows)
        for layer in range(tiny_gguf.LAYERS)
        for linear in tiny_gguf.linears(architecture)
    }
    return BaseShape(architecture, tiny_gguf.HEADS, tiny_gguf.KV_HEADS, linears)


def read(folder: Path, max_rank: int = 16) -> LoraFile:
    return read_peft(folder, base_shape(), max_rank)


def change_tensors(folder: Path, change: Callable[[Tensors], object]) -> None:
    """Write the folder's tensors again as `change` leaves them."""
    path = folder / "adapter_model.safetensors"
    tensors = dict(load_file(path))
    change(tensors)
    save_file({key: np.ascontiguousarray(tensor) for key, tensor in tensors.items()}, path)


def change_config(folder: Path, **changes: object) -> None:
    """Write the folder's config again with these values."""
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def save_as(folder: Path, dtype: str, convert: Callable[[npt.NDArray[Any]], bytes]) -> None:
    """Store the folder's tensors in a type that numpy need not know, by the format's own rules."""
    path = folder / "adapter_model.safetensors"
    header: dict[str, object] = {}
    body = b""
    for key, tensor in load_file(path).items():
        start, body = len(body), body + convert(tensor)
        offsets = [start, len(body)]
        header[key] = {"dtype": dtype, "shape": tensor.shape, "data_offsets": offsets}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def as_bf16(tensor: npt.NDArray[Any]) -> bytes:
    """Rounded to the nearest value that the upper 16 bits of a float32 can hold."""
    bits = tensor.astype(np.float32).view(np.uint32)
    return ((bits + 0x8000) >> 16).astype(np.uint16).tobytes()


@pytest.mark.parametrize("architecture", tiny_gguf.ARCHITECTURES)
def test_the_base_file_tells_the_shape_of_every_linear(tmp_path: Path, architecture: str) -> None:
    model = tiny_gguf.write_model(tmp_path / "tiny.gguf", architecture=architecture)
    assert linear_shapes(model) == base_shape(architecture).linears


@pytest.mark.real_model
def test_reading_shapes_passes_over_the_tokenizer(real_model: Path) -> None:
    started_s = time.thread_time()
    shapes = linear_shapes(real_model)
    assert time.thread_time() - started_s < 0.5  # the plain reader takes 2 s
    assert len(shapes) == 30 * 7
    assert shapes["blk.29.ffn_down.weight"] == (1536, 576)


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model"], ids=["empty", "cut", "other"])
def test_a_base_file_that_is_no_gguf_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "base.gguf").write_bytes(content)
    with pytest.raises(ModelLoadError, match=r"base\.gguf is no readable GGUF file"):
        linear_shapes(tmp_path / "base.gguf")


@pytest.mark.parametrize("architecture", tiny_gguf.ARCHITECTURES)
def test_every_tensor_arrives_under_its_llama_name(tmp_path: Path, architecture: str) -> None:
    folder = tiny_gguf.write_adapter(tmp_path / "a", 1, architecture=architecture)
    base = base_shape(architecture)
    lora = read_peft(folder, base, 16)
    needed: dict[str, tuple[int, ...]] = {}
    for name, (columns, rows) in base.linears.items():
        needed |= {f"{name}.lora_a": (4, columns), f"{name}.lora_b": (rows, 4)}
    assert {name: tensor.shape for name, tensor in lora.tensors.items()} == needed
    assert all(t.dtype == np.float32 and t.flags.c_contiguous for t in lora.tensors.values())


@pytest.mark.parametrize(
    ("architecture", "permuted"), [("llama", True), ("qwen2", False), ("qwen3", False)]
)
def test_only_some_architectures_have_q_rows_in_another_order(
    tmp_path: Path, architecture: str, permuted: bool
) -> None:
    folder = tiny_gguf.write_adapter(tmp_path / "a", 1, architecture=architecture)
    saved = load_file(folder / "adapter_model.safetensors")
    found = read_peft(folder, base_shape(architecture), 16).tensors
    rows = permute_rotary_rows(saved[Q_B], tiny_gguf.HEADS) if permuted else saved[Q_B]
    np.testing.assert_array_equal(found["blk.0.attn_q.weight.lora_b"], rows)
    np.testing.assert_array_equal(found["blk.0.attn_q.weight.lora_a"], saved[Q_A])
    np.testing.assert_array_equal(found["blk.0.attn_v.weight.lora_b"], saved[V_B])


@pytest.mark.parametrize(
    ("pairs", "architecture", "known"),
    [(True, "llama", True), (True, "command-r", False), (False, "stablelm", True)],
)
def test_where_nobody_knows_the_order_of_rows_q_and_k_are_refused(
    folder: Path, pairs: bool, architecture: str, known: bool
) -> None:
    base = replace(base_shape(), architecture=architecture, rotates_pairs=pairs)
    if known:
        assert read_peft(folder, base, 16).rank == 4
        return
    with pytest.raises(AdapterRejectedError, match=r"'command-r' keep its rows is not known"):
        read_peft(folder, base, 16)


def test_an_adapter_of_experts_is_refused_with_what_may_be_adapted(folder: Path) -> None:
    base, expert = base_shape("qwen3moe"), "mlp.experts.base_layer"
    change_tensors(folder, lambda tensors: tensors.clear() or tensors.update({  # type: ignore[func-returns-value]
        f"base_model.model.model.layers.0.{expert}.lora_A.weight": np.zeros((4, 64), np.float32)
    }))  # fmt: skip
    with pytest.raises(AdapterRejectedError) as caught:
        read_peft(folder, base, 16)
    assert str(caught.value).endswith(
        "is not served; target only self_attn.q_proj, self_attn.k_proj, self_attn.v_proj,"
        " self_attn.o_proj"
    )


def test_rotary_rows_go_from_halves_to_pairs() -> None:
    rows = np.arange(8, dtype=np.float32).reshape(8, 1)
    assert permute_rotary_rows(rows, 2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


@pytest.mark.parametrize(
    ("dtype", "convert", "precision"),
    [("BF16", as_bf16, 2**-8), ("F16", lambda x: x.astype(np.float16).tobytes(), 2**-11)],
    ids=["bf16", "f16"],
)
def test_a_half_precision_adapter_equals_its_twin_within_its_precision(
    folder: Path, dtype: str, convert: Callable[[npt.NDArray[Any]], bytes], precision: float
) -> None:
    twin = read(folder)
    save_as(folder, dtype, convert)
    found = read(folder)
    assert found.tensors.keys() == twin.tensors.keys()
    for name, tensor in found.tensors.items():
        np.testing.assert_allclose(tensor, twin.tensors[name], rtol=precision, atol=1e-7)


@pytest.mark.parametrize(("use_rslora", "scale"), [(False, 3.0), (True, 6.0)])
def test_the_scale_is_the_one_peft_applies(folder: Path, use_rslora: bool, scale: float) -> None:
    change_config(folder, lora_alpha=12, use_rslora=use_rslora)
    assert read(folder).scale == scale


def test_a_smaller_rank_is_padded_and_another_scale_goes_into_b(folder: Path) -> None:
    plain = read(folder).tensors
    name, rows = "blk.0.attn_v.weight", plain["blk.0.attn_v.weight.lora_b"][:, :2]
    change_tensors(folder, lambda x: x.update({V_A: x[V_A][:2], V_B: x[V_B][:, :2]}))
    layer = r"layers\.0\.self_attn.v_proj"
    change_config(folder, rank_pattern={layer: 2}, alpha_pattern={layer: 12})
    lora = read(folder)
    assert (lora.rank, lora.scale) == (4, 2.0)
    padded = lora.tensors[f"{name}.lora_b"]
    np.testing.assert_allclose(padded * lora.scale, np.pad(rows * 6, ((0, 0), (0, 2))), rtol=1e-6)
    assert not lora.tensors[f"{name}.lora_a"][2:].any()
    for other in plain.keys() - {f"{name}.lora_a", f"{name}.lora_b"}:
        np.testing.assert_array_equal(lora.tensors[other], plain[other])


def test_a_rank_that_a_pattern_raises_above_the_limit_is_refused(folder: Path) -> None:
    change_config(folder, rank_pattern={"down_proj": 32})
    with pytest.raises(AdapterRejectedError, match="rank 32 is above"):
        read(folder, max_rank=16)


def test_the_gguf_holds_the_same_tensors_in_16_bits(folder: Path, tmp_path: Path) -> None:
    lora = write_lora_gguf(folder, base_shape(), tmp_path / "a.gguf")
    reader = GGUFReader(tmp_path / "a.gguf")
    written = {tensor.name: tensor.data for tensor in reader.tensors}
    assert reader.fields["adapter.lora.alpha"].contents() == lora.scale * lora.rank
    assert written.keys() == lora.tensors.keys()
    for name, tensor in written.items():
        np.testing.assert_array_equal(tensor, lora.tensors[name].astype(np.float16))


def test_a_rank_above_the_limit_is_refused(folder: Path) -> None:
    with pytest.raises(AdapterRejectedError, match=r"a: rank 4 is above .* 3; .* engine\.max_rank"):
        read(folder, max_rank=3)
    assert read(folder, max_rank=4).rank == 4


def refused(folder: Path) -> str:
    """Why the folder is refused; the reason names it."""
    with pytest.raises(AdapterRejectedError) as caught:
        read(folder)
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "shape", "needed"),
    [
        (Q_A, (4, 72), "blk.0.attn_q.weight of this base needs (4, 64)"),
        (Q_A, (64, 4), "blk.0.attn_q.weight of this base needs (4, 64)"),
        (Q_B, (128, 4), "blk.0.attn_q.weight of this base needs (64, 4)"),
        (V_B, (32, 8), "blk.0.attn_v.weight of this base needs (32, 4)"),
        (V_B, (32, 4, 1), "blk.0.attn_v.weight of this base needs (32, 4)"),
        (V_B, (0, 4), "blk.0.attn_v.weight of this base needs (32, 4)"),
        (V_A, (256,), "blk.0.attn_v.weight of this base needs (4, 64)"),
    ],
)
def test_a_wrong_shape_is_refused(
    folder: Path, key: str, shape: tuple[int, ...], needed: str
) -> None:
    change_tensors(folder, lambda tensors: tensors.update({key: np.zeros(shape, np.float32)}))
    assert f"tensor {key} has shape {shape}; {needed}" in refused(folder)


def test_an_adapter_of_another_architecture_is_refused(folder: Path) -> None:
    with pytest.raises(
        AdapterRejectedError, match=r"blk\.0\.ffn_gate\.weight, which the base lacks"
    ):
        read_peft(folder, base_shape("phi3"), 16)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (Q_A.replace("layers.0.", "layers.2."), "adapts blk.2.attn_q.weight, which the base lacks"),
        (Q_A.replace("layers.0.", "layers.00."), "adapts blk.00.attn_q.weight"),
        (Q_A.replace("q_proj", "qkv_proj"), "adapts blk.0.attn_qkv.weight"),
        (Q_A.replace("self_attn", "mlp"), "is not served; target only self_attn.q_proj"),
        (Q_A.replace("q_proj", "rotary"), "is not served"),
        (f"x{Q_A}", "is not served"),
        (f"{Q_A}\n", "is not served"),
        ("base_model.model.lm_head.lora_A.weight", "is not served"),
    ],
)
def test_a_tensor_the_base_has_no_weight_for_is_refused(
    folder: Path, found: str, reason: str
) -> None:
    change_tensors(folder, lambda tensors: tensors.update({found: tensors.pop(Q_A)}))
    assert f"tensor {found} {reason}" in refused(folder)


@pytest.mark.parametrize(("gone", "left"), [(Q_A, "b"), (Q_B, "a")], ids=["a", "b"])
def test_a_missing_partner_is_refused(folder: Path, gone: str, left: str) -> None:
    change_tensors(folder, lambda tensors: tensors.pop(gone))
    assert f"blk.0.attn_q.weight.lora_{left} has no partner" in refused(folder)


def test_two_tensors_for_one_weight_are_refused(folder: Path) -> None:
    up = "base_model.model.model.layers.1.mlp.up_proj.lora_A.weight"
    fused = up.replace("up_proj", "gate_up_proj")
    change_tensors(folder, lambda tensors: tensors.update({fused: tensors[up]}))
    assert "is a second one for blk.1.ffn_up.weight.lora_a" in refused(folder)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.nan, "holds NaN or infinity"),
        (np.inf, "holds NaN or infinity"),
        (-np.inf, "holds NaN or infinity"),
        (65520.0, "holds 65520, which overflows"),
        (-1e6, "holds -1e+06, which overflows"),
    ],
)
def test_values_that_cannot_be_served_are_refused(folder: Path, value: float, reason: str) -> None:
    change_tensors(folder, lambda tensors: tensors[V_B].__setitem__((31, 3), value))
    assert f"tensor {V_B} {reason}" in refused(folder)


def test_the_largest_16_bit_value_is_served(folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors[V_B].__setitem__((31, 3), 65504))
    assert read(folder).tensors["blk.0.attn_v.weight.lora_b"].max() == 65504


def test_a_storage_type_other_than_floats_is_refused(folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors.update({Q_A: tensors[Q_A].astype(np.float64)}))
    assert f"tensor {Q_A} is stored as F64; save it as F32, F16 or BF16" in refused(folder)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"peft_type": "LOHA"}, "peft_type is 'LOHA'"),
        ({"use_dora": True}, "use_dora cannot be served"),
        ({"layer_replication": [[0, 2]]}, "layer_replication cannot be served"),
        ({"rank_pattern": {"q_proj": 0}}, "rank 0 is not at least 1"),
        ({"rank_pattern": {"q_proj": 8}}, "needs (8, 64): it is not of rank 8"),
        ({"rank_pattern": {"q_proj": 4.0}}, "rank_pattern is no object of numbers"),
        ({"rank_pattern": ["q_proj"]}, "rank_pattern is no object of numbers"),
        ({"alpha_pattern": {"q_proj": 0}}, "lora_alpha 0.0 gives no usable scale"),
        ({"alpha_pattern": {"q_proj": "much"}}, "alpha_pattern is no object of numbers"),
        ({"alpha_pattern": {"q_proj": float("nan")}}, "alpha_pattern is no object of numbers"),
        ({"alpha_pattern": {"(q_proj": 1}}, "alpha_pattern has '(q_proj'; name a module"),
        ({"alpha_pattern": {"(?=a)x": 1}}, "alpha_pattern has '(?=a)x'; name a module"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights='pissa_niter_4' changes"),
        ({"bias": "all"}, "bias='all' cannot be served"),
        ({"r": 0}, "rank 0 is not at least 1"),
        ({"r": -4}, "rank -4 is not at least 1"),
        ({"r": "many"}, "is unreadable"),
        ({"r": 10**400}, "is unreadable"),
        ({"lora_alpha": None}, "is unreadable"),
        ({"lora_alpha": 0}, "lora_alpha 0.0 gives no usable scale"),
        ({"lora_alpha": float("nan")}, "lora_alpha nan gives no usable scale"),
        ({"lora_alpha": float("inf")}, "lora_alpha inf gives no usable scale"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_config_that_means_something_else_is_refused(
    folder: Path, changes: dict[str, object], reason: str
) -> None:
    change_config(folder, **changes)
    assert reason in refused(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", "\xff", "[" * 100_000])
def test_a_damaged_config_is_refused(folder: Path, content: str) -> None:
    (folder / "adapter_config.json").write_bytes(content.encode("latin-1"))
    assert "adapter_config.json is unreadable" in refused(folder)


def test_missing_files_are_refused(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()
    assert "adapter_model.safetensors is unreadable" in refused(folder)
    (folder / "adapter_config.json").unlink()
    assert "adapter_config.json is unreadable" in refused(folder)


def test_an_adapter_without_tensors_is_refused(folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors.clear())
    assert "holds no tensors" in refused(folder)


def test_a_file_damaged_anywhere_is_refused_or_read_whole(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    whole, generator = path.read_bytes(), np.random.default_rng(0)
    for cut in generator.integers(0, len(whole), 50):
        path.write_bytes(whole[:cut])
        assert "is unreadable" in refused(folder)
    for place in generator.integers(0, 3000, 300):  # the header, which says where tensors lie
        path.write_bytes(whole[:place] + bytes([generator.integers(256)]) + whole[place + 1 :])
        try:
            assert read(folder).tensors.keys() <= read_names()
        except AdapterRejectedError:
            continue


def read_names() -> set[str]:
    """Every name an adapter of the tiny llama model may have."""
    return {f"{name}.lora_{side}" for name in base_shape().linears for side in "ab"}
