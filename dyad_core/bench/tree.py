"""The processes behind a piece of work: how much memory they hold, and that none of them outlives it.

A process group is not enough: a child may start a session of its own. So each piece of work is marked in its environment, which
every descendant inherits, and what carries the mark is found through ``/proc`` however it was started. The mark names its owner,
the process that waits for the work; work whose owner is dead belongs to nobody and may be ended by anybody who counts processes as
its owner did: a machine sees the processes of its containers too, under other numbers.

Linux only: elsewhere nothing is found, and the process group is all that is ended.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "MARK",
    "end_marked",
    "end_orphans",
    "is_orphaned",
    "make_mark",
    "memory_kills",
    "remove_orphaned_folders",
    "resident_bytes",
]

MARK = "DYAD_WORK"
"""Environment variable: ``<owner's process id>-<owner's start time>-<its namespace of process ids>-<unique>``."""

FOLDER = "dyad-work-"
PROC = Path("/proc")


def make_mark() -> str:
    """A mark for new work, owned by this process."""
    return f"{os.getpid()}-{_start_time(os.getpid())}-{_namespace()}-{uuid.uuid4().hex}"


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and of all its descendants; 0 where the system does not tell.

    Pages that several of them share are counted for each.
    """
    total, waiting = 0, [pid]
    while waiting:
        process = waiting.pop()
        with contextlib.suppress(OSError, ValueError, IndexError):  # it has ended
            total += int((PROC / str(process) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for task in (PROC / str(process) / "task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
    return total


def memory_kills() -> int | None:
    """How many processes the system has killed for want of memory since it started; None where it does not tell."""
    try:
        lines = (PROC / "vmstat").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def end_marked(mark: str) -> None:
    """Kill every process that carries this very mark; repeated until none is found, for one may be forking."""
    while found := [pid for pid, carried in _marked() if carried == mark]:
        for pid in found:
            _kill(pid)


def end_orphans() -> list[int]:
    """Kill every marked process whose owner is dead, and return their ids; those of other containers are none of ours."""
    ended = []
    for pid, mark in _marked():
        if is_orphaned(mark):
            _kill(pid)
            ended.append(pid)
    return ended


def remove_orphaned_folders(parent: Path) -> None:
    """Remove the folders of work whose owner is dead: they are named ``dyad-work-<mark>``."""
    for folder in parent.glob(f"{FOLDER}*"):
        if is_orphaned(folder.name.removeprefix(FOLDER)):
            shutil.rmtree(folder, ignore_errors=True)


def is_orphaned(mark: str) -> bool:
    """Whether the owner that a mark names is dead; False where that cannot be told."""
    match = re.fullmatch(r"(\d+)-(\d+)-(\w+)-\w+", mark, re.ASCII)
    if match is None:
        return False
    return match[3] == _namespace() and _start_time(int(match[1])) != match[2]


def _namespace() -> str:
    """What numbers processes here: the same in processes that mean the same by a process id."""
    with contextlib.suppress(OSError):
        return re.sub(r"\W", "", (PROC / "self/ns/pid").readlink().name)
    return "unknown"


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _marked() -> Iterator[tuple[int, str]]:
    """Id and mark of every living process that carries one and may be looked at."""
    if not PROC.is_dir():
        return
    wanted = f"{MARK}=".encode()
    for folder in PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError, IndexError):  # it has ended, or belongs to somebody else
            for entry in (folder / "environ").read_bytes().split(b"\0"):
                if entry.startswith(wanted) and _state(folder) not in "ZX":
                    yield int(folder.name), entry[len(wanted) :].decode(errors="replace")


def _state(folder: Path) -> str:
    return _after_name(folder)[0]


def _start_time(pid: int) -> str:
    """When a process started, in clock ticks since the system did; empty when it has ended."""
    try:
        return _after_name(PROC / str(pid))[19]
    except (OSError, IndexError):
        return ""


def _after_name(folder: Path) -> list[str]:
    """The fields of ``stat`` after the name, which may hold blanks and brackets itself."""
    return (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
