from __future__ import annotations

from pathlib import Path

import pytest

from dyad_core.bench.machine import (
    cpu_flags,
    cpu_name,
    emulated_dtypes,
    host_memory,
    usable_cores,
    usable_cpus,
)

GIB = 2**30


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Four logical processors on two cores, 16 GiB, no container."""
    write(tmp_path, "proc/cpuinfo", "processor : 0\nmodel name\t: Test CPU 9000\nflags\t\t: fpu avx2 avx512_bf16\n")
    write(tmp_path, "proc/meminfo", f"MemTotal: {16 * GIB // 1024} kB\nMemAvailable: {12 * GIB // 1024} kB\n")
    for cpu in range(4):
        folder = f"sys/devices/system/cpu/cpu{cpu}/topology"
        write(tmp_path, f"{folder}/physical_package_id", "0\n")
        write(tmp_path, f"{folder}/core_id", f"{cpu % 2}\n")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def test_name_and_flags(machine: Path) -> None:
    assert cpu_name(machine) == "Test CPU 9000"
    assert cpu_flags(machine) == {"fpu", "avx2", "avx512_bf16"}


@pytest.mark.parametrize(
    ("flags", "emulated"),
    [
        ("avx2", ("bfloat16", "float16")),
        ("avx512f avx512_bf16", ("float16",)),
        ("amx_bf16 avx512_fp16", ()),
        ("asimd asimdhp bf16", ()),
        ("", ()),  # unknown: nothing is claimed
    ],
)
def test_emulation_follows_the_flags(flags: str, emulated: tuple[str, ...]) -> None:
    assert emulated_dtypes(frozenset(flags.split())) == emulated


def test_hyperthreads_share_a_core(machine: Path) -> None:
    assert usable_cores(frozenset({0, 1, 2, 3}), machine) == 2
    assert usable_cores(frozenset({0, 2}), machine) == 1


def test_without_topology_every_processor_is_a_core(tmp_path: Path) -> None:
    assert usable_cores(frozenset({0, 1, 2}), tmp_path) == 3


@pytest.mark.parametrize(("quota", "cores"), [("max 100000", 2), ("100000 100000", 1), ("150000 100000", 2)])
def test_a_containers_processor_quota_counts(machine: Path, quota: str, cores: int) -> None:
    write(machine, "proc/self/cgroup", "0::/\n")
    write(machine, "sys/fs/cgroup/cpu.max", f"{quota}\n")
    assert usable_cores(frozenset({0, 1, 2, 3}), machine) == cores


def test_memory_without_a_container(machine: Path) -> None:
    found = host_memory(machine)
    assert (found.total_bytes, found.available_bytes) == (16 * GIB, 12 * GIB)


def test_a_containers_memory_limit_counts_and_file_cache_is_reclaimable(machine: Path) -> None:
    write(machine, "proc/self/cgroup", "0::/\n")
    write(machine, "sys/fs/cgroup/memory.max", f"{4 * GIB}\n")
    write(machine, "sys/fs/cgroup/memory.current", f"{3 * GIB}\n")
    write(machine, "sys/fs/cgroup/memory.stat", f"anon 5\ninactive_file {GIB}\n")
    found = host_memory(machine)
    assert (found.total_bytes, found.available_bytes) == (4 * GIB, 2 * GIB)


def test_a_limit_on_an_outer_group_binds_too(machine: Path) -> None:
    write(machine, "proc/self/cgroup", "0::/outer/inner\n")
    write(machine, "sys/fs/cgroup/outer/memory.max", f"{2 * GIB}\n")
    write(machine, "sys/fs/cgroup/outer/memory.current", "0\n")
    write(machine, "sys/fs/cgroup/outer/inner/memory.max", "max\n")
    write(machine, "sys/fs/cgroup/outer/inner/memory.current", "0\n")
    assert host_memory(machine).total_bytes == 2 * GIB


def test_version_1_groups_are_read_and_their_no_limit_is_none(machine: Path) -> None:
    write(machine, "proc/self/cgroup", "4:memory:/box\n0::/\n")
    write(machine, "sys/fs/cgroup/memory/box/memory.limit_in_bytes", f"{GIB}\n")
    write(machine, "sys/fs/cgroup/memory/box/memory.usage_in_bytes", f"{GIB // 2}\n")
    write(machine, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    write(machine, "sys/fs/cgroup/memory/memory.usage_in_bytes", "0\n")
    found = host_memory(machine)
    assert (found.total_bytes, found.available_bytes) == (GIB, GIB // 2)


def test_an_unreadable_machine_is_unknown_not_an_error(tmp_path: Path) -> None:
    found = host_memory(tmp_path)
    assert (found.total_bytes, found.available_bytes) == (None, None)
    assert cpu_name(tmp_path)
    assert cpu_flags(tmp_path) == frozenset()


def test_this_machine() -> None:
    assert 1 <= usable_cores() <= len(usable_cpus())
    memory = host_memory()
    if memory.total_bytes is not None:
        assert 0 < memory.available_bytes <= memory.total_bytes
