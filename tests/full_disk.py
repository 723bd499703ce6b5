"""A real small disk that a test can fill: a file system in memory, mounted for the length of a ``with`` block."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["SmallDisk", "small_disk"]


class SmallDisk:
    """One mounted file system."""

    def __init__(self, folder: Path) -> None:
        """The disk is mounted at ``folder``."""
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Use up every byte."""
        with self._filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):  # until there is no room
            while True:
                file.write(b"\0" * 4096)

    def free(self) -> None:
        """Give the space back."""
        self._filler.unlink()

    def mount(self, options: str) -> None:
        """Change how it is mounted, ``ro`` for read-only."""
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.folder)], check=True, capture_output=True)


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a disk of this size at ``folder``, which is made; skips the test where that is not allowed."""
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "dyad-test", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
