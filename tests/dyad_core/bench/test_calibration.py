from __future__ import annotations

import dataclasses
import random

import pytest

from dyad_core.bench import calibration
from dyad_core.bench.calibration import (
    BASE_MS,
    DISTURBANCES,
    LEAST_COVERAGE,
    MOST_FALSE,
    Machine,
    calibrate,
    calibration_lines,
)
from dyad_core.bench.statistics import SINGLE_LOOK, paired_speedup


@pytest.mark.parametrize("disturbance", ["drift", "spikes", "all of them"])
def test_intervals_hold_the_truth_and_equals_are_not_called_different(disturbance: str) -> None:
    """1000 runs a case: 93 % and 6.4 % are what two standard errors leave of 95 % and 5 %."""
    same = calibrate(disturbance, 1.0, 1000)
    assert same.coverage >= LEAST_COVERAGE
    assert same.called_different <= MOST_FALSE


@pytest.mark.parametrize("ratio", [1.03, 1.6, 3.5])
def test_true_ratios_are_found(ratio: float) -> None:
    found = calibrate("drift", ratio, 300)
    assert found.coverage >= LEAST_COVERAGE
    assert found.called_different >= 0.9
    assert found.stopped["target"] == 300


def test_the_count_fails_an_engine_that_looks_again_and_again_with_the_bound_of_one_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def naive(dense: list[float], candidate: list[float], *, critical_value: float) -> object:
        del critical_value
        return paired_speedup(dense, candidate, critical_value=SINGLE_LOOK / 2)

    monkeypatch.setattr(calibration, "paired_speedup", naive)
    assert not calibrate("quiet", 1.0, 200).passed


def test_an_undisturbed_machine_takes_exactly_the_true_time() -> None:
    machine = Machine(random.Random(0), noise=0.0)
    assert machine.sample_ms(lambda: machine.run("dense", BASE_MS), 3) == pytest.approx(BASE_MS)
    assert machine.seconds() == pytest.approx(3 * BASE_MS / 1000)


def test_each_disturbance_disturbs() -> None:
    for name, settings in DISTURBANCES.items():
        machine = dataclasses.replace(settings, random=random.Random(1), wandering={})
        taken = []
        for _ in range(200):
            before = machine.seconds()
            machine.run("dense", BASE_MS)
            taken.append(machine.seconds() - before)
        assert max(taken) > 1.02 * min(taken), name


def test_lines_say_every_case_and_whether_it_passed() -> None:
    lines = list(calibration_lines(5))
    assert len(lines) == 1 + len(calibration.RATIOS) * len(DISTURBANCES)
    assert all(("FAILED" in line) != passed for line, passed in lines)
    assert sum("called different" in line for line, _ in lines) == len(DISTURBANCES)
