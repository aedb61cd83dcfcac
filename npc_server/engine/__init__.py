"""Generation on llama.cpp: importable alone, imports nothing else of this project.

`protocol` is what callers see; `worker` offers it from a process of its own; `fake` scripts it.
In that process `engine_process` reads commands and `core` steps: `scheduler` decides which rows
run, `sequences` and `kv` where their keys and values lie, `lora.mux` under which adapter they run.

Three modules here call llama.cpp: `llama` owns the model and its context, `sampling.sampler` draws
with its samplers, and `lora.ggml` reaches the graph that its bindings leave out.
"""
