"""Placing candidates under a roof whose numbers are round."""

from typing import Any

import pytest

from frontend.figures.roofline import roofline_alt, roofline_figure
from frontend.logic.roofline import Ceiling, ceiling_of, gap_words, placed_records, placed_rows
from frontend.logic.rows import Row

CEILINGS: dict[str, Any] = {
    "device_name": "A CPU",
    "dtype": "float32",
    "flops_per_s": {"median": 100e9, "q1": 99e9, "q3": 101e9},
    "bytes_per_s": {"median": 10e9, "q1": 9e9, "q3": 11e9},
    "launch_us": {"median": 2.0, "q1": 1.9, "q3": 2.1},
    "measured_at": "2026-03-01T10:00:00+00:00",
}


def row(**changes: Any) -> Row:
    base = {"median_ms": 25.0, "flops": 2_000_000_000, "bytes_moved": 10_000_000, "operations": 5} | changes
    return Row("IT n=4", "it", 4, 1, "eager", "forward", "faster", 2.0, **base)


def ceiling() -> Ceiling:
    found = ceiling_of(CEILINGS)
    assert found is not None
    return found


def test_a_run_without_ceilings_has_no_roof() -> None:
    assert ceiling_of(None) is None
    assert placed_rows([row(bytes_moved=None), row(median_ms=None)], ceiling()) == []


def test_products_and_traffic_say_what_is_attainable() -> None:
    compute, memory, launch = placed_rows(
        [row(), row(flops=20_000_000), row(flops=2000, bytes_moved=2000, median_ms=0.02)], ceiling()
    )

    assert (compute.bound, memory.bound, launch.bound) == ("compute", "memory", "launch")
    assert compute.predicted_ms == pytest.approx(20)
    assert memory.predicted_ms == pytest.approx(1)
    assert compute.attainable == 100e9
    assert compute.attained == pytest.approx(80e9)
    assert memory.attainable == pytest.approx(20e9)


def test_the_gap_is_said_with_what_is_known_of_it() -> None:
    plain, known = placed_rows(
        [
            row(),
            row(
                placement={
                    "gap_launches_ms": 0.01,
                    "gap_copies_ms": 3.0,
                    "gap_temporaries_ms": 0.0,
                    "gap_rest_ms": 1.99,
                }
            ),
        ],
        ceiling(),
    )

    assert (
        gap_words(plain) == "5.00 ms beyond the prediction, by estimate launches 10 µs (not known: copies, temporaries)"
    )
    assert gap_words(known) == (
        "5.00 ms beyond the prediction, by estimate launches 10 µs, copies 3.00 ms, temporaries 0 ms, the rest 1.99 ms"
    )
    assert "stay in the cache" in gap_words(placed_rows([row(median_ms=10.0)], ceiling())[0])


def test_the_figure_has_the_roof_and_a_point_per_candidate() -> None:
    placed = placed_rows([row()], ceiling())
    figure = roofline_figure(placed, ceiling())
    roof, points = figure.data[0], figure.data[-1]

    assert roof.y[1] == roof.y[2] == 100
    assert roof.y[0] == pytest.approx(10 * roof.x[0])
    assert (points.x[0], points.y[0]) == (200, pytest.approx(80))
    assert "beyond the prediction" in points.customdata[0]
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert "80 of 100 GFLOP/s" in roofline_alt(placed, ceiling())
    assert placed_records(placed)[0]["of attainable (%)"] == pytest.approx(80)
