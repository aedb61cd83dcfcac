"""What the documents say of the tree is so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import DOCS, ROOT

ARCHITECTURE = DOCS / "architecture.md"
README = ROOT / "README.md"
STOP = re.compile(r"`(?P<file>[a-z_/]+\.py)(?::(?P<name>[\w.]+))?`")


def stops() -> list[tuple[str, str]]:
    """Every file of the architecture page, with the name in it that is meant; "" = all of it."""
    found = STOP.finditer(ARCHITECTURE.read_text())
    return [(one["file"], one["name"] or "") for one in found]


def defined(body: list[ast.stmt], outer: str = "") -> Iterator[str]:
    """Names of classes, functions and constants, with those of the classes they stand in."""
    for node in body:
        match node:
            case ast.ClassDef(name=name, body=inner):
                yield f"{outer}{name}"
                yield from defined(inner, f"{outer}{name}.")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield f"{outer}{name}"
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield f"{outer}{name}"


@pytest.mark.parametrize(("file", "name"), stops())
def test_every_stop_of_a_trip_is_there(file: str, name: str) -> None:
    names = set(defined(ast.parse((ROOT / file).read_text()).body))
    assert not name or name in names


def tree() -> list[str]:
    """Every folder and file that the README's tree names, from the root; folders end with "/"."""
    paths: list[str] = []
    for line in README.read_text().split("## The tree\n")[1].split("```")[1].splitlines():
        if folder := re.match(r"[\w./]+/", line):
            paths.append(folder[0])
        folders = [path for path in paths if path.endswith("/")]
        paths += [f"{folders[-1]}{file}" for file in re.findall(r"\w+\.py\b", line)]
    return paths


def test_the_tree_names_nothing_that_is_not_there() -> None:
    assert [path for path in tree() if not (ROOT / path).exists()] == []


def code_folders() -> set[str]:
    """Every folder of our packages that holds modules, and every other one at the top."""
    tops = (
        "troupe",
        "languages",
        "personas",
        "feedback_store",
        "npc_server",
        "npc_client",
        "trainer",
    )
    inside = {file.parent for top in tops for file in (ROOT / top).rglob("*.py")}
    return {f"{folder.relative_to(ROOT)}/" for folder in inside}


def test_the_tree_names_every_folder_of_code() -> None:
    assert code_folders() - set(tree()) == set()


@pytest.mark.parametrize("document", [README, ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_every_make_command_of_a_document_is_a_target(document: Path) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", document.read_text(), re.MULTILINE))
    assert named
    assert named - targets == set()
