"""The settings reach the measuring process and its record."""

from __future__ import annotations

from pathlib import Path

import pytest

from dyad_core.bench import BenchmarkSpec, run_benchmark
from dyad_core.bench.allocator import ALLOCATOR_VARIABLES, SETTINGS, read_allocator


def test_every_setting_is_part_of_the_record() -> None:
    assert {name for settings in SETTINGS.values() for name in settings} <= set(ALLOCATOR_VARIABLES)


def test_what_the_system_says_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ALLOCATOR_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert read_allocator(tmp_path) == {}
    pages = tmp_path / "sys/kernel/mm/transparent_hugepage/enabled"
    pages.parent.mkdir(parents=True)
    pages.write_text("always [madvise] never\n")
    maps = tmp_path / "proc/self/maps"
    maps.parent.mkdir(parents=True)
    maps.write_text("7f00-7f01 r-xp 0 08:01 1 /usr/lib/libjemalloc.so.2\n")
    monkeypatch.setenv("MALLOC_TOP_PAD_", "5")
    assert read_allocator(tmp_path) == {
        "MALLOC_TOP_PAD_": "5",
        "transparent_huge_pages": "madvise",
        "library": "jemalloc",
    }


def test_keeping_pages_is_set_for_the_measuring_process_alone() -> None:
    request = BenchmarkSpec(48, 96, tokens=8, n_blocks=(4,), max_seconds=0.05, allocator="keep_pages")
    run = run_benchmark(request)
    assert SETTINGS["keep_pages"].items() <= run.environment.allocator.items()
    assert not SETTINGS["keep_pages"].items() <= read_allocator().items()
