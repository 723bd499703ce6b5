"""Processes behind work: found by their mark wherever they went, their memory counted, and orphans ended."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dyad_core.bench import tree

SLEEP = "import time; time.sleep(600)"


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def start(started: list[subprocess.Popen[bytes]], mark: str, code: str = SLEEP) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {tree.MARK: mark}, start_new_session=True, stdout=subprocess.PIPE
    )
    started.append(process)
    return process


def test_everything_with_the_mark_is_ended_and_nothing_else(started: list[subprocess.Popen[bytes]]) -> None:
    mark, other = tree.make_mark(), tree.make_mark()
    forking = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True); {SLEEP}"
    )
    wanted, spared = start(started, mark, forking), start(started, other)
    while not tree.resident_bytes(wanted.pid) or len([1 for _, found in tree._marked() if found == mark]) < 2:
        time.sleep(0.02)
    tree.end_marked(mark)

    assert wanted.wait(10) == -9
    assert [found for _, found in tree._marked() if found == mark] == []
    assert spared.poll() is None


def test_an_orphan_is_what_outlives_its_owner(started: list[subprocess.Popen[bytes]], tmp_path: Path) -> None:
    owner = subprocess.run(
        [sys.executable, "-c", "from dyad_core.bench.tree import make_mark; print(make_mark())"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    dead = owner.stdout.strip()
    orphan, owned = start(started, dead), start(started, tree.make_mark())
    while len([1 for pid, _ in tree._marked() if pid in (orphan.pid, owned.pid)]) < 2:
        time.sleep(0.02)

    left, own, other = (
        tmp_path / name for name in (f"dyad-work-{dead}", f"dyad-work-{tree.make_mark()}", "dyad-work-x")
    )
    for folder in (left, own, other):
        folder.mkdir()
    tree.remove_orphaned_folders(tmp_path)
    assert [folder.exists() for folder in (left, own, other)] == [False, True, True]
    assert orphan.pid in tree.end_orphans()
    assert orphan.wait(10) == -9
    assert owned.poll() is None


def test_what_belongs_to_a_container_is_no_orphan_of_this_machine(started: list[subprocess.Popen[bytes]]) -> None:
    owner, start_time, _, unique = tree.make_mark().split("-")
    theirs = start(started, f"{owner}-{int(start_time) + 1}-pid1-{unique}")
    while theirs.pid not in [pid for pid, _ in tree._marked()]:
        time.sleep(0.02)

    assert theirs.pid not in tree.end_orphans()
    assert theirs.poll() is None


def test_memory_counts_children_and_is_zero_for_what_is_not_there(started: list[subprocess.Popen[bytes]]) -> None:
    code = (
        "import subprocess, sys; block = bytearray(b'x' * (64 << 20));"
        " child = subprocess.Popen([sys.executable, '-c',"
        " \"block = bytearray(b'x' * (64 << 20)); print('there', flush=True); import time; time.sleep(600)\"]);"
        " child.wait()"
    )
    process = start(started, tree.make_mark(), code)
    assert process.stdout is not None
    process.stdout.readline()
    assert tree.resident_bytes(process.pid) > 2 * (64 << 20)
    assert tree.resident_bytes(2**22 + 1) == 0
    tree.end_marked(next(found for pid, found in tree._marked() if pid == process.pid))


def test_kills_for_memory_are_counted_where_the_system_tells() -> None:
    counted = tree.memory_kills()
    assert counted is None or counted >= 0
