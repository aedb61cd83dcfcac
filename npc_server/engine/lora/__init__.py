"""Many adapters in one batch, on the stock library.

An adapter's file is checked and written as llama.cpp reads it (`lora_gguf`, `adapter_gguf`), kept
in memory (`adapter_cache`) and copied into the slot of a sequence (`slots`); the LoRA nodes of each
row are pointed at its slot (`mixing`, over the structs in `ggml`). `mux` decides between that and
one adapter per batch, as `self_test` found at start; `voice` names what a row speaks with.
"""
