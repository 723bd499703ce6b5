from __future__ import annotations

from pathlib import Path

import pytest

from dyad_core.bench.sensors import cpu_mhz, cpu_temperature_c, load_average_1min, throttle_count

CPUINFO = (
    "processor : 0\ncpu MHz\t\t: 2596.150\n\nprocessor : 1\ncpu MHz\t\t: 3100.5\n\nprocessor : 2\ncpu MHz : 9999\n"
)


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def test_the_fastest_of_our_processors_counts(tmp_path: Path) -> None:
    for cpu, khz in enumerate((1200000, 3700000, 9900000)):
        write(tmp_path, f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq", f"{khz}\n")
    assert cpu_mhz(frozenset({0, 1}), tmp_path) == 3700.0
    assert cpu_mhz(frozenset({0}), tmp_path) == 1200.0


def test_without_a_governor_the_list_of_processors_tells(tmp_path: Path) -> None:
    write(tmp_path, "proc/cpuinfo", CPUINFO)
    assert cpu_mhz(frozenset({0, 1}), tmp_path) == 3100.5
    assert cpu_mhz(frozenset({7}), tmp_path) is None


def test_only_sensors_of_the_processor_count_and_only_plausible_ones(tmp_path: Path) -> None:
    write(tmp_path, "sys/class/thermal/thermal_zone0/type", "acpitz")
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "99000")
    write(tmp_path, "sys/class/thermal/thermal_zone1/type", "x86_pkg_temp")
    write(tmp_path, "sys/class/thermal/thermal_zone1/temp", "45500")
    write(tmp_path, "sys/class/hwmon/hwmon0/name", "nvme")
    write(tmp_path, "sys/class/hwmon/hwmon0/temp1_input", "88000")
    write(tmp_path, "sys/class/hwmon/hwmon1/name", "k10temp")
    write(tmp_path, "sys/class/hwmon/hwmon1/temp1_input", "51250")
    write(tmp_path, "sys/class/hwmon/hwmon1/temp2_input", "-1")
    write(tmp_path, "sys/class/hwmon/hwmon1/temp3_input", "999000000")
    assert cpu_temperature_c(tmp_path) == 51.25


def test_throttling_of_our_processors_is_summed(tmp_path: Path) -> None:
    for cpu, count in enumerate((3, 4, 100)):
        write(tmp_path, f"sys/devices/system/cpu/cpu{cpu}/thermal_throttle/core_throttle_count", f"{count}\n")
    write(tmp_path, "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "10\n")
    assert throttle_count(frozenset({0, 1}), tmp_path) == 17


@pytest.mark.parametrize("text", ["", "no number", "\udcff"])
def test_what_cannot_be_read_is_none_and_no_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    cpus = frozenset({0})
    found = cpu_mhz(cpus, tmp_path), cpu_temperature_c(tmp_path), throttle_count(cpus, tmp_path)
    assert found == (None, None, None)


def test_this_machine_answers_or_says_that_it_does_not_know() -> None:
    load = load_average_1min()
    assert load is None or load >= 0
    temperature = cpu_temperature_c()
    assert temperature is None or 0 < temperature < 150
