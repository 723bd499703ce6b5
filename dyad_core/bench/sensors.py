"""What the processor says of itself now: load, clock rate, temperature, throttling; None where the system does not tell.

Functions take the root of the system's files, so that tests hand them a made-up machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["cpu_mhz", "cpu_temperature_c", "load_average_1min", "throttle_count"]

ROOT = Path("/")

# Reading a clock interrupts its processor, so a few of many stand for all.
MOST_CLOCKS = 8
CPU_ZONES = ("cpu", "x86_pkg", "soc", "package")
CPU_MONITORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
HOTTEST_C = 150.0


def load_average_1min() -> float | None:
    """Processes that ran or waited to, averaged over the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def cpu_mhz(cpus: frozenset[int], root: Path = ROOT) -> float | None:
    """Clock rate of the fastest of the processors ``cpus``: those at rest may be slow without slowing anything.

    A virtual machine often tells its nominal rate, which never changes.
    """
    chosen = sorted(cpus)[:MOST_CLOCKS]
    paths = [root / f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq" for cpu in chosen]
    found = [khz / 1000 for khz in _numbers(paths)]
    return max(found or _listed_mhz(frozenset(chosen), root), default=None)


def cpu_temperature_c(root: Path = ROOT) -> float | None:
    """Temperature of the hottest sensor that belongs to a processor, in degrees Celsius."""
    paths = []
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        if any(part in _text(zone / "type").lower() for part in CPU_ZONES):
            paths.append(zone / "temp")
    for monitor in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        if _text(monitor / "name") in CPU_MONITORS:
            paths += sorted(monitor.glob("temp*_input"))
    return max((number / 1000 for number in _numbers(paths) if 0 < number / 1000 < HOTTEST_C), default=None)


def throttle_count(cpus: frozenset[int], root: Path = ROOT) -> int | None:
    """How often heat has slowed the processors ``cpus`` since boot, cores and packages together."""
    folders = [root / f"sys/devices/system/cpu/cpu{cpu}/thermal_throttle" for cpu in sorted(cpus)]
    counts = _numbers(folder / name for folder in folders for name in ("core_throttle_count", "package_throttle_count"))
    return int(sum(counts)) if counts else None


def _listed_mhz(cpus: frozenset[int], root: Path) -> list[float]:
    found, cpu = [], -1
    for line in _text(root / "proc/cpuinfo").splitlines():
        name, _, value = (part.strip() for part in line.partition(":"))
        if name == "processor" and value.isdigit():
            cpu = int(value)
        elif name == "cpu MHz" and cpu in cpus:
            found.append(float(value))
    return found


def _numbers(paths: Iterable[Path]) -> list[float]:
    texts = (_text(path) for path in paths)
    return [float(text) for text in texts if text.lstrip("-").isdigit()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""  # absent on this system, or a sensor that does not answer now
