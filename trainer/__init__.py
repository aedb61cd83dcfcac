"""Improving characters: what players did becomes a LoRA adapter, checked by a gate first.

Importing this package switches the model libraries offline and quiet for the whole process, and
keeps its waiting threads from spinning long (`npc_server.engine.openmp`). It has to happen here,
before any of them is imported, because they read these variables once. Of several GPUs they see
one: transformers would spread every batch over all of them, and a night has too few rows for that.
"""

import os

from npc_server.engine.openmp import set_short_spin

OFFLINE_AND_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TRL_EXPERIMENTAL_SILENCE": "1",  # such a method is used only after it was allowed by name
    "TOKENIZERS_PARALLELISM": "false",  # the tokenizer's own threads and fork do not mix
    "TQDM_DISABLE": "1",  # progress goes through `on_progress`, never to the terminal
}

GPUS = "CUDA_VISIBLE_DEVICES"

for _name, _value in OFFLINE_AND_QUIET.items():
    os.environ.setdefault(_name, _value)
os.environ[GPUS] = os.environ.get(GPUS, "0").split(",")[0]
set_short_spin()  # a trainer shares its machine with a server
