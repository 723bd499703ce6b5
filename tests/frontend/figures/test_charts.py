"""Speed and memory charts: what they show, and that they keep still."""

from dataclasses import replace

import pytest

from frontend.figures.memory import memory_alt, memory_figure
from frontend.figures.speed import speedup_alt, speedup_figure
from frontend.figures.style import COMPONENTS, MEMORY_PARTS, NEUTRAL, SERIES, VARIANTS, footnote
from frontend.figures.times import time_alt, time_figure
from frontend.logic.outcomes import OUTCOMES
from frontend.logic.rows import MemoryRow, Row, expected_rows, rows_of
from frontend.schemas import RunRecord

SPEC = {"n_blocks": [4, 8], "variants": ["it", "ot", "dt", "bd"], "grains": [1], "implementations": ["auto"]}


def measured(row: Row) -> Row:
    return replace(
        row, outcome="faster", speedup=1.5, speedup_low=1.4, speedup_high=1.7, median_ms=2.0, q1_ms=1.9, q3_ms=2.2
    )


@pytest.fixture
def forward(finished: RunRecord) -> list[Row]:
    result = finished["result"]
    assert result is not None
    return expected_rows(finished["spec"], rows_of(result["candidates"]), "forward")


def test_every_candidate_has_its_speed_interval_and_limit(forward: list[Row]) -> None:
    figure = speedup_figure(forward)
    points = {trace.name: trace for trace in figure.data if trace.name}

    for row in forward[1:]:
        trace = points[VARIANTS[row.variant].name]
        at = list(trace.y).index(row.label)
        assert trace.x[at] == row.speedup
        assert trace.x[at] + trace.error_x.array[at] == pytest.approx(row.speedup_high)
        assert trace.x[at] - trace.error_x.arrayminus[at] == pytest.approx(row.speedup_low)
        assert trace.marker.color == VARIANTS[row.variant].color
    limits = next(trace for name, trace in points.items() if name.startswith("limit"))
    assert dict(zip(limits.y, limits.x, strict=True)) == {row.label: row.limit for row in forward[1:]}
    assert any(annotation.text == "dense = 1.0x" for annotation in figure.layout.annotations)


def test_the_speed_chart_keeps_its_size_scale_and_legend_while_results_come_in() -> None:
    rows = expected_rows(SPEC, [], "forward")
    some = [measured(row) if 0 < at < 4 else row for at, row in enumerate(rows)]
    every = [rows[0], *(measured(row) for row in rows[1:])]
    figures = [speedup_figure(stage) for stage in (rows, some, every)]

    assert len({figure.layout.height for figure in figures}) == 1
    assert len({figure.layout.xaxis.range for figure in figures}) == 1
    assert len({figure.layout.yaxis.categoryarray for figure in figures}) == 1
    assert len({tuple(trace.name for trace in figure.data) for figure in figures}) == 1


def test_a_candidate_without_a_speed_says_why() -> None:
    rows = expected_rows(SPEC, [], "forward")
    rows[1] = replace(rows[1], outcome="incorrect")

    figure = speedup_figure(rows)
    said = {annotation.y: annotation.text for annotation in figure.layout.annotations}
    assert said["IT n=4"] == "✗ wrong result, so no speed"
    assert "IT n=4 ✗ wrong result" in speedup_alt(rows)


def test_times_show_samples_quartiles_and_the_dense_twin(forward: list[Row]) -> None:
    figure = time_figure(forward)
    samples = figure.data[0]

    assert len(samples.x) == sum(len(row.samples_ms) for row in forward)
    assert "dense" in {trace.name for trace in figure.data}
    assert "ms" in figure.layout.xaxis.title.text
    assert "dense" in time_alt(forward)


def test_many_samples_are_thinned_and_the_legend_says_so() -> None:
    row = replace(measured(expected_rows(SPEC, [], "forward")[1]), samples_ms=tuple(float(i) for i in range(9000)))

    samples = time_figure([row]).data[0]
    assert len(samples.x) == 3000
    assert samples.name == "samples (each 3th)"


def test_every_outcome_looks_and_reads_otherwise() -> None:
    rows = expected_rows(SPEC, [], "forward")
    kinds = ["faster", "slower", "not_distinguishable", "incorrect", "out_of_memory", "unsupported", "failed"]
    for at, kind in enumerate(kinds, start=1):
        rows[at] = replace(measured(rows[at]) if at <= 3 else rows[at], outcome=kind)
    figure = speedup_figure(rows)
    shown = [text for trace in figure.data for text in trace.text or () if "x " in text and "limit" not in text]
    said = [*shown, *(note.text for note in figure.layout.annotations)]

    for kind in kinds:
        assert [
            text
            for text in said
            if OUTCOMES[kind].mark in text and (OUTCOMES[kind].short or OUTCOMES[kind].word) in text
        ], kind
    symbols = {trace.name: trace.marker.symbol for trace in figure.data if trace.name in ("IT", "OT", "DT")}
    assert symbols["DT"][0] == "square-open", "not distinguishable is an open mark"
    assert symbols["IT"][0] == "circle"
    assert len({known.mark for known in OUTCOMES.values()}) == len({known.word for known in OUTCOMES.values()}) == 9


def split(peak: int) -> MemoryRow:
    return MemoryRow(10 * 2**20, 2**20, 0, peak - 11 * 2**20, peak, "m", 2**20, 0, 0, peak - 12 * 2**20)


def test_memory_is_split_and_the_prediction_stands_below_with_its_difference() -> None:
    rows = expected_rows(SPEC, [], "forward")
    rows[0] = replace(rows[0], memory=split(40 * 2**20))
    rows[1] = replace(rows[1], memory=split(20 * 2**20), predicted=split(19 * 2**20))
    rows[2] = replace(rows[2], outcome="out_of_memory")
    figure = memory_figure(rows)
    bars = [trace for trace in figure.data if trace.type == "bar"]

    assert [bar.name for bar in bars] == [mark.name for mark in MEMORY_PARTS.values()]
    assert list(bars[0].y) == ["dense", "IT n=4", "IT n=4 predicted"]
    for at, peak in enumerate((40, 20, 19)):
        assert sum(bar.x[at] for bar in bars) == pytest.approx(peak)
    said = next(trace.text for trace in figure.data if trace.type == "scatter" and trace.mode == "text")
    assert [text.strip() for text in said] == ["40.0 MiB", "20.0 MiB (50 %)", "19.0 MiB, -5.0 %"]
    assert "predicted 19.0 MiB, -5.0 %" in memory_alt(rows)
    assert any("out of memory" in note.text for note in figure.layout.annotations)


def test_an_older_file_shows_the_allocated_peak_whole() -> None:
    rows = expected_rows(SPEC, [], "forward")
    rows[0] = replace(rows[0], memory=MemoryRow(2**20, 2**20, 0, 2**20, 3 * 2**20, "m"))
    bars = {trace.name: trace for trace in memory_figure(rows).data if trace.type == "bar"}

    assert bars["allocated peak of the pass"].x[0] == 1
    assert bars["temporaries"].x[0] == 0


def test_measured_memory_is_drawn_as_it_was_measured(forward: list[Row]) -> None:
    figure = memory_figure(forward)
    peaks = next(trace for trace in figure.data if trace.name == "peak")

    drawn = dict(zip(peaks.y, peaks.x, strict=True))
    for row in forward:
        assert drawn[row.label] * 2**20 == pytest.approx(row.peak_bytes)
    assert "MiB" in figure.layout.xaxis.title.text
    assert "dense" in memory_alt(forward)


def test_a_picture_carries_its_conditions_and_grows_for_them() -> None:
    plain, noted = (speedup_figure(expected_rows(SPEC, [], "forward")) for _ in range(2))
    footnote(noted, ["both sides float32", "! Disturbed: other work kept 1.0 of 2 processors busy"])
    last = noted.layout.annotations[-1]

    assert last.text.startswith("both sides float32<br><b>! Disturbed")
    assert noted.layout.height - plain.layout.height == noted.layout.margin.b - 58 > 0
    assert footnote(plain, []) is plain


def test_figures_without_any_result_can_be_drawn() -> None:
    rows = expected_rows(SPEC, [], "forward")
    for figure in (speedup_figure(rows), time_figure(rows), memory_figure(rows)):
        assert figure.layout.height > 100


def contrast(color: str, background: str) -> float:
    """WCAG 2 contrast ratio."""

    def luminance(text: str) -> float:
        parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(color), luminance(background)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("background", ["#ffffff", "#171614"])
def test_marks_are_seen_on_both_backgrounds_and_told_apart_by_shape_too(background: str) -> None:
    for mark in SERIES.values():
        assert contrast(mark.color, background) >= 2.99, mark.name
    assert contrast(NEUTRAL, background) >= 3
    assert (
        len({mark.symbol for mark in SERIES.values()}) == len({mark.color for mark in SERIES.values()}) == len(SERIES)
    )
    assert len({mark.color for mark in COMPONENTS.values()}) == 3
    assert len({mark.hatch for mark in MEMORY_PARTS.values()}) == len(MEMORY_PARTS)
