"""Where a test lies: in the folder of what it tests, with what it shares in `tests/support`."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.paths import ROOT

TESTS = ROOT / "tests"
#: What no single package owns: strangers' files, tests over the wire, and what tests share.
ACROSS_PACKAGES = {"hostile", "service", "support"}
MODULES = sorted(TESTS.rglob("*.py"))
FOLDERS = {path.parent.relative_to(TESTS) for path in MODULES} - {Path()}


def sources(path: Path) -> set[str]:
    """The modules a file imports names from."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def homes(path: Path) -> set[Path]:
    """The folders that hold a module of the name the test bears, in the package it is about."""
    named = (ROOT / path.relative_to(TESTS).parts[0]).rglob(f"{path.stem.removeprefix('test_')}.py")
    return {module.parent.relative_to(ROOT) for module in named}


def test_tests_share_through_support_alone() -> None:
    shared = {source for path in MODULES for source in sources(path) if source.startswith("tests.")}
    assert {source for source in shared if not source.startswith("tests.support")} == set()


def test_every_folder_bears_the_name_of_a_package() -> None:
    mirrored = {folder for folder in FOLDERS if folder.parts[0] not in ACROSS_PACKAGES}
    assert {str(folder) for folder in mirrored if not (ROOT / folder).is_dir()} == set()


def test_a_test_named_after_a_module_lies_in_the_folder_of_that_module() -> None:
    astray = [path for path in MODULES if homes(path) - {path.parent.relative_to(TESTS)}]
    assert [path for path in astray if path.parent.relative_to(TESTS) not in homes(path)] == []
