from __future__ import annotations

import pytest

from dyad_core.bench import disturbance
from dyad_core.bench.disturbance import Disturbance, Moment, busy_seconds, disturbed

STAT = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 10 20 5000 7 1 2 3 50 0\ncpu1 200 0 0 4000 0 0 0 0 0 0\ncpu2 9999 0 0 0 0 0 0 0\nintr 5\n"


def test_busy_time_of_our_processors_only() -> None:
    # user nice system irq softirq steal; idle, iowait and guest (inside user already) do not count
    assert busy_seconds(STAT, frozenset({0}), 100) == pytest.approx(1.36)
    assert busy_seconds(STAT, frozenset({0, 1}), 100) == pytest.approx(3.36)


@pytest.mark.parametrize(
    ("busy_s", "own_s", "said"),
    [(20.0, 20.0, None), (21.9, 20.0, None), (25.0, 20.0, "0.5 of 2"), (19.0, 20.0, None), (20.0, 0.0, "2.0 of 2")],
)
def test_what_others_used_is_what_we_did_not(busy_s: float, own_s: float, said: str | None) -> None:
    found = disturbed(Moment(5.0, 1.0, 1.0), Moment(15.0, 1.0 + busy_s, 1.0 + own_s), cpus=2)
    assert (found is None) == (said is None)
    assert said is None or said in (found or "")


def test_a_short_stretch_says_nothing() -> None:
    assert disturbed(Moment(0, 0, 0), Moment(0.4, 100, 0), cpus=2) is None


def test_without_counters_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(disturbance, "STAT", tmp_path / "absent")
    assert Disturbance().warning() is None
