"""Runs side by side, from an answer in the service's shape."""

from typing import Any

from frontend.figures.comparison import comparison_alt, comparison_figure
from frontend.logic import comparison as sides
from frontend.schemas_verdict import ComparedJson, ComparisonJson


def entry(run: str, speedup: float) -> dict[str, Any]:
    return {"run": run, "implementation": "eager", "outcome": "faster", "median_ms": 2.0, "speedup": speedup}


def ratio(other: str, time: float | None, finding: str, reason: str = "") -> dict[str, Any]:
    scaled = [None] * 3 if time is None else [time, 0.9 * time, 1.1 * time]
    times = dict(zip(("time_ratio", "time_ratio_low", "time_ratio_high"), scaled, strict=True))
    speedups = {"speedup_ratio": 1.3, "speedup_ratio_low": 1.2, "speedup_ratio_high": 1.4}
    return {"base": "A", "other": other, **times, **speedups, "finding": finding, "reason": reason}


COMPARISON: ComparisonJson = {
    "names": ["A", "B", "C"],
    "reading": "B is faster. The tokens differ.",
    "differences": [
        {"part": "environment", "field": "torch_version", "values": ["2.11", "2.13", "2.13"], "momentary": False},
        {"part": "spec", "field": "passes", "values": [["forward"], ["forward", "decode"], None], "momentary": False},
        {"part": "environment", "field": "load_average_1min", "values": [0.1, 0.25, 3.0], "momentary": True},
    ],
    "pairs": [
        {"base": "A", "other": "B", "comparable": "all", "same_machine": True, "reasons": []},
        {
            "base": "A",
            "other": "C",
            "comparable": "speedups",
            "same_machine": None,
            "reasons": ["The tokens differ", "Other sizes"],
        },
    ],
    "candidates": [
        {
            "label": "IT n=4",
            "pass": "forward",
            "entries": [entry("A", 1.5), entry("B", 1.9), None],
            "ratios": [ratio("B", 0.8, "faster"), ratio("C", None, "not_comparable", "the sizes differ")],
        }
    ],
}


def test_differences_of_the_request_come_first_and_momentary_ones_apart() -> None:
    lasting = sides.difference_records(COMPARISON)

    assert [(each["of"], each["field"]) for each in lasting] == [
        ("request", "passes"),
        ("environment", "torch_version"),
    ]
    assert lasting[0] == {"of": "request", "field": "passes", "A": "forward", "B": "forward, decode", "C": "not told"}
    assert [each["field"] for each in sides.difference_records(COMPARISON, momentary=True)] == ["load_average_1min"]


def test_what_cannot_be_compared_is_said_once_with_its_reason() -> None:
    assert sides.pair_sentences(COMPARISON) == [
        "**B against A**: times and speed-ups can be compared (on the same machine).",
        "**C against A**: only speed-ups can be compared (whether on one machine is not known). Other sizes.",
    ]


def test_ratios_are_of_times_or_of_speed_ups() -> None:
    times, speedups = sides.ratios_of(COMPARISON, "time"), sides.ratios_of(COMPARISON, "speedup")

    assert [(each.other, each.value, each.finding) for each in times] == [
        ("B", 0.8, "faster"),
        ("C", None, "not_comparable"),
    ]
    assert {each.finding for each in speedups} == {"faster"}
    assert times[1].reason == "the sizes differ"


def test_the_table_says_every_figure_and_finding() -> None:
    (record,) = sides.ratio_records(COMPARISON)

    assert record["A: speed-up (x)"] == 1.5
    assert record["C: median (ms)"] is None
    assert record["B / A: finding"] == "▲ faster"
    assert record["C / A: finding"] == "– not comparable: the sizes differ"


def test_the_chart_has_a_mark_per_run_and_words_where_there_is_no_ratio() -> None:
    ratios = sides.ratios_of(COMPARISON, "time")
    figure = comparison_figure(ratios, "time")
    first = figure.data[0]

    assert first.name == "run B"
    assert first.x[0] == 0.8
    assert "faster" in first.text[0]
    assert any("C: – not comparable" in note.text for note in figure.layout.annotations)
    assert "lower is faster" in figure.layout.xaxis.title.text
    assert "IT n=4 in B 0.80x of A" in comparison_alt(ratios, "time")
    assert comparison_figure([], "time").layout.height > 100


def test_a_run_is_named_with_machine_origin_and_date() -> None:
    run = {
        "id": "ab" * 16,
        "name": "A",
        "origin": "imported",
        "machine": {"name": "A CPU", "hostname": "box"},
        "measured_at": "2026-03-01T10:00:00+00:00",
    }
    compared: ComparedJson = {"runs": [run], "comparison": COMPARISON}

    assert sides.run_line(compared, 0) == "**A**: A CPU (box) · imported · 2026-03-01 10:00 UTC · run abababab"
