"""Facts about this machine's processor and memory, read from the system's files; None or empty where unreadable.

Functions take the root of those files, so that tests hand them a made-up machine.
"""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "EMULATION",
    "Memory",
    "cpu_flags",
    "cpu_name",
    "emulated_dtypes",
    "host_memory",
    "last_level_cache_bytes",
    "usable_cores",
    "usable_cpus",
]

ROOT = Path("/")

# Which processor flags mean that a 16-bit type is computed natively: x86 names, then those of Arm.
NATIVE_FLAGS: dict[str, frozenset[str]] = {
    "bfloat16": frozenset({"avx512_bf16", "amx_bf16", "bf16"}),
    "float16": frozenset({"avx512_fp16", "amx_fp16", "asimdhp"}),
}

EMULATION = "this processor has no {dtype} arithmetic, so it is emulated at a fraction of the float32 rate"


@dataclass(frozen=True)
class Memory:
    """Bytes of main memory this process may use: total, and free or reclaimable now."""

    total_bytes: int | None
    available_bytes: int | None


def cpu_name(root: Path = ROOT) -> str:
    """Model name of the processor, or its architecture when the system does not tell."""
    return _cpu_field("model name", root) or platform.processor() or platform.machine() or "unknown processor"


def cpu_flags(root: Path = ROOT) -> frozenset[str]:
    """Instruction-set flags of the processor; empty when the system does not tell."""
    return frozenset((_cpu_field("flags", root) or _cpu_field("Features", root)).split())


def emulated_dtypes(flags: frozenset[str]) -> tuple[str, ...]:
    """The 16-bit types that a processor with these flags has to emulate; with no flags known, none is claimed."""
    if not flags:
        return ()
    return tuple(dtype for dtype, native in NATIVE_FLAGS.items() if not native & flags)


def usable_cpus() -> frozenset[int]:
    """Logical processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def usable_cores(cpus: frozenset[int] | None = None, root: Path = ROOT) -> int:
    """Physical cores behind the logical processors ``cpus``, cut to a container's processor quota; at least 1."""
    usable = usable_cpus() if cpus is None else cpus
    cores = set()
    for cpu in usable:
        topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        package, core = _text(topology / "physical_package_id"), _text(topology / "core_id")
        cores.add((package, core) if core else ("", str(cpu)))
    quotas = [quota for group in _cgroups("cpu", root) if (quota := _quota(group)) is not None]
    return max(1, min([len(cores), *quotas]))


def host_memory(root: Path = ROOT) -> Memory:
    """Total and available main memory: the smaller of what the system has and what a container's limit leaves."""
    totals, available = [], []
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal":
            totals.append(int(value.split()[0]) * 1024)
        elif name == "MemAvailable":
            available.append(int(value.split()[0]) * 1024)
    for group in _cgroups("memory", root):
        limit, used = _limit(group)
        if limit is not None:
            totals.append(limit)
            available.append(max(0, limit - used))
    return Memory(min(totals, default=None), min(available, default=None))


def last_level_cache_bytes(root: Path = ROOT) -> int | None:
    """Size of the largest cache that the first processor sees; None where the system does not tell."""
    sizes = []
    for index in (root / "sys/devices/system/cpu/cpu0/cache").glob("index*"):
        text = _text(index / "size").strip()
        if text[:-1].isdigit() and text[-1] in "KM":
            sizes.append(int(text[:-1]) << (10 if text[-1] == "K" else 20))
    return max(sizes, default=None)


def _cpu_field(name: str, root: Path) -> str:
    for line in _text(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _cgroups(controller: str, root: Path) -> list[Path]:
    """Folders of the control groups this process is in, innermost first: a limit on any of them binds.

    Inside a container the path names a group of the host that is not mounted; the mounted top is the container's own.
    """
    folders: list[Path] = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / (controller if controllers else "")
        inner = top / path.lstrip("/")
        while inner != top and top in inner.parents:
            folders.append(inner)
            inner = inner.parent
        folders.append(top)
    return folders


def _limit(group: Path) -> tuple[int | None, int]:
    """Memory limit of a control group (version 2, else 1) and the bytes used that could not be reclaimed."""
    for limit_name, used_name, cache_key in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit, used = _text(group / limit_name), _text(group / used_name)
        # Version 1 writes "no limit" as a number near 2**63.
        if limit.isdigit() and used.isdigit() and int(limit) < 2**60:
            statistics = dict(line.split(None, 1) for line in _text(group / "memory.stat").splitlines() if " " in line)
            return int(limit), max(0, int(used) - int(statistics.get(cache_key, "0")))
    return None, 0


def _quota(group: Path) -> int | None:
    """Whole processors that a control group's quota amounts to, rounded up; None without a quota."""
    quota, _, period = _text(group / "cpu.max").strip().partition(" ")
    if quota.isdigit() and period.isdigit():
        return math.ceil(int(quota) / int(period))
    quota, period = _text(group / "cpu.cfs_quota_us").strip(), _text(group / "cpu.cfs_period_us").strip()
    if quota.isdigit() and period.isdigit():
        return math.ceil(int(quota) / int(period))
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""  # absent on this system; callers say "unknown"
