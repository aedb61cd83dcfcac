"""Puts the contract beside the code generated from it; all else stands in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CONTRACT = sorted(Path("proto/npc/v1").glob("*.proto"))


class BuildWithContract(build_py):
    """Copies `proto/npc/v1` into the package `npc.v1`; its source stays where it is."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for proto in CONTRACT:
                self.copy_file(proto, Path(self.build_lib, "npc", "v1", proto.name))

    def get_source_files(self) -> list[str]:
        return [*super().get_source_files(), *map(str, CONTRACT)]


setup(cmdclass={"build_py": BuildWithContract})
