"""Writes that are on the disk when they return."""

import os
from pathlib import Path


def write_synced(file: Path, content: bytes) -> None:
    """Write a file's bytes durably; its name is durable after `sync_folder`."""
    with file.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
