"""A tiny random llama that reads bytes, as a training base; built once, nothing is downloaded."""

from pathlib import Path

import pytest

from trainer.tokenizer import HfTokenizer  # first: importing trainer switches the hub off

CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


@pytest.fixture(scope="session")
def base_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "0123456789abcdef"
    _save_tokenizer(folder)
    _save_model(folder)
    return folder


@pytest.fixture(scope="session")
def tokenizer(base_dir: Path) -> HfTokenizer:
    return HfTokenizer(base_dir)


def _save_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*CONTROLS, *alphabet])}
    fast = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    fast.add_special_tokens(CONTROLS)
    PreTrainedTokenizerFast(tokenizer_object=fast, eos_token=CONTROLS[2]).save_pretrained(folder)


def _save_model(folder: Path) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=256 + len(CONTROLS),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        eos_token_id=2,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
