"""Generation on llama.cpp: importable alone, imports nothing else of this project.

`protocol` is what callers see; `worker` offers it from a process of its own; `fake` scripts it.
Inside that process `core` steps: `scheduler` decides which rows run, `kv` which sequence holds
them, `mux` under which adapter, and `llama` is the only module that calls the library.
"""
