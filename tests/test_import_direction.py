"""Who may import whom, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PACKAGES = (
    "troupe",
    "languages",
    "personas",
    "feedback_store",
    "npc_server",
    "npc_client",
    "trainer",
)
OURS = {*PACKAGES, "npc"}
MODEL_LIBRARIES = {"torch", "transformers", "trl", "peft", "datasets", "bitsandbytes"}

#: What each package may import of ours, besides itself. The longest matching name decides.
ALLOWED = {
    "languages": set[str](),
    "personas": {"languages"},
    "feedback_store": {"languages"},
    "npc_server.engine": set[str](),
    "npc_server.base_models": {"npc_server.engine"},
    "npc_server": {"languages", "personas", "feedback_store", "npc"},
    "npc_server.commands": {
        "languages",
        "personas",
        "feedback_store",
        "npc",
        "npc_client",
        "npc_server",
        "troupe",
    },
    "npc_client": {"npc"},
    "troupe": {"npc_client"},
    "trainer": {"languages", "personas", "feedback_store", "npc_server.engine"},
}
#: The only modules that see generated protobuf code; everything else sees dataclasses.
PROTOBUF = {
    "npc_server.keys.service",
    "npc_server.scenes.convert",
    "npc_server.scenes.service",
    "npc_server.service",
    "npc_server.persona_service",
    "npc_server.contract",
    "npc_server.convert.adapters",
    "npc_server.convert.dialogue",
    "npc_server.convert.feedback",
    "npc_server.convert.memory",
    "npc_server.convert.moments",
    "npc_server.convert.replies",
    "npc_client.calls.adapters",
    "npc_client.calls.dialogue",
    "npc_client.calls.feedback",
    "npc_client.calls.keys",
    "npc_client.calls.memory",
    "npc_client.calls.personas",
    "npc_client.calls.scenes",
    "npc_client.client",
    "npc_client.context",
    "npc_client.events",
    "npc_client.reply_stream",
    "npc_client.scenes",
}
#: The only modules that call llama.cpp.
LLAMA_CPP = {
    "npc_server.engine.ggml_libraries",
    "npc_server.engine.llama",
    "npc_server.engine.llama_log",
    "npc_server.engine.model_file",
    "npc_server.engine.vocab",
    "npc_server.engine.lora.ggml",
    "npc_server.engine.sampling.sampler",
    "npc_server.base_models.requantize",  # its quantizer
}


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of ours with its file."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


def imports(path: Path) -> set[str]:
    """Every module a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, package: str) -> bool:
    """Whether a module belongs to a package."""
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize(("module", "path"), [pytest.param(m, p, id=m) for m, p in modules()])
def test_imports_point_one_way(module: str, path: Path) -> None:
    home = max((package for package in ALLOWED if within(module, package)), key=len)
    allowed = ALLOWED[home] | {home}
    ours = {name for name in imports(path) if name.split(".")[0] in OURS}
    assert {n for n in ours if not any(within(n, package) for package in allowed)} == set()
    if module not in PROTOBUF:
        assert {name for name in ours if within(name, "npc.v1")} == set()
    if home != "feedback_store":
        selection = {name for name in ours if within(name, "feedback_store.selection")}
        assert {name for name in selection if name.count(".") > 2} == set()  # through its door
    if home != "npc_server.commands":
        assert {name for name in ours if within(name, "npc_server.commands")} == set()
    if home != "trainer":
        assert {name.split(".")[0] for name in imports(path)} & MODEL_LIBRARIES == set()


def test_few_modules_call_llama_cpp() -> None:
    calling = {
        module
        for module, path in modules()
        if any(within(name, "llama_cpp") for name in imports(path))
    }
    assert calling == LLAMA_CPP


def child_of(folder: str, name: str) -> str:
    """The file or folder right below `folder` that a module or a name in it belongs to."""
    return name.removeprefix(f"{folder}.").split(".")[0]


def folders() -> Iterator[str]:
    """Every folder of ours that holds modules."""
    yield from sorted({module.rpartition(".")[0] for module, _ in modules()})


@pytest.mark.parametrize("folder", list(folders()))
def test_no_folder_holds_a_circle(folder: str) -> None:
    """Neither among the files of a folder nor between them and its folders, each seen as one."""
    below: dict[str, set[str]] = {}
    for module, path in modules():
        if within(module, folder) and path.name != "__init__.py":
            child = child_of(folder, module)
            named = {child_of(folder, name) for name in imports(path) if within(name, folder)}
            below.setdefault(child, set()).update(named - {child})
    TopologicalSorter(below).prepare()  # raises CycleError, which names the circle
