"""Candidates as rows, from a run that the real engine measured."""

from typing import Any

from frontend.logic import rows
from frontend.schemas import RunRecord


def test_rows_hold_what_was_measured(finished: RunRecord) -> None:
    result = finished["result"]
    assert result is not None
    made = rows.rows_of(result["candidates"])

    assert [row.label for row in made if row.pass_name == "forward"] == [
        "dense",
        "IT n=4",
        "OT n=4",
        "DT n=4",
        "BD n=4",
    ]
    assert {row.outcome for row in made} == {"measured"}
    assert all(row.median_ms and row.samples_ms and row.peak_bytes for row in made)
    best = rows.best(row for row in made if row.pass_name == "forward")
    assert best is not None
    assert best.variant in ("it", "ot", "dt"), "the ablation does not compete"


def test_a_peer_does_not_compete_with_dyad() -> None:
    def candidate(variant: str, speedup: float) -> Any:
        base = {"variant": variant, "n_blocks": 4, "grain": None, "implementation": variant, "pass": "forward"}
        return base | {"outcome": "measured", "limit": 2.0, "speedup": speedup}

    best = rows.best(rows.rows_of([candidate("low_rank", 3.0), candidate("it", 1.5), candidate("bd", 4.0)]))
    assert best is not None
    assert best.variant == "it"


def test_a_chart_has_its_rows_before_anything_is_measured(finished: RunRecord) -> None:
    spec = finished["spec"]
    result = finished["result"]
    assert result is not None
    done = rows.rows_of(result["candidates"])

    before = rows.expected_rows(spec, [], "forward")
    half = rows.expected_rows(spec, done[:3], "forward")
    after = rows.expected_rows(spec, done, "forward")

    assert [row.label for row in before] == [row.label for row in half] == [row.label for row in after]
    assert [row.limit for row in before] == [row.limit for row in after]
    assert {row.outcome for row in before} == {"pending"}
    assert [row.outcome for row in half].count("pending") == 2
    assert rows.expected_rows(spec, done, "train_step")[1].pass_name == "train_step"


def test_several_implementations_are_told_apart_by_name() -> None:
    def candidate(name: str) -> Any:
        base = {"variant": "it", "n_blocks": 4, "grain": 2, "implementation": name, "pass": "forward"}
        return base | {"outcome": "failed", "limit": 2.0, "detail": "no such device"}

    made = rows.rows_of([candidate("eager"), candidate("reference")])
    spec = {"n_blocks": [4], "variants": ["it"], "grains": [2], "implementations": ["eager", "reference"]}

    assert [row.label for row in made] == ["IT n=4 g=2 eager", "IT n=4 g=2 reference"]
    assert [row.label for row in rows.expected_rows(spec, made, "forward")][1:] == [row.label for row in made]
    assert rows.table_records(made)[0]["outcome"] == "failed: no such device"
    assert rows.best(made) is None


def test_the_table_has_a_row_per_candidate_and_pass_with_units_in_its_columns(finished: RunRecord) -> None:
    result = finished["result"]
    assert result is not None
    records = rows.table_records(rows.rows_of(result["candidates"]))

    assert len(records) == 10
    assert {"speed-up (x)", "median (ms)", "peak memory (MiB)", "of limit (%)"} <= records[0].keys()
    assert records[0]["peak of dense (%)"] == 100


def test_the_lines_around_a_run_say_sizes_and_machine(finished: RunRecord) -> None:
    result = finished["result"]
    assert result is not None
    line = rows.environment_line(result["environment"])

    assert "1 thread " in line + " "
    assert "float32" in line
    assert "torch" in line
    assert rows.spec_line(finished["spec"]).startswith("64 → 64 · IT OT DT BD · n = 4 · 8 tokens")
    emulated = result["environment"] | {"dtype": "float16", "dtype_emulated": True}
    assert "float16 (emulated)" in rows.environment_line(emulated)


def test_first_figures_are_also_words() -> None:
    def candidate(variant: str, speedup: float | None, pass_name: str = "forward") -> Any:
        base = {"variant": variant, "n_blocks": 4, "grain": 1, "implementation": "eager", "pass": pass_name}
        return base | {"outcome": "measured", "limit": 2.0, "speedup": speedup}

    dense = candidate("dense", 1.0) | {"n_blocks": None}
    assert rows.speedups([dense]) == "none of a candidate yet"
    forward = [dense, candidate("it", 1.517), candidate("ot", None)]
    assert rows.speedups(forward) == "IT n=4 1.52x of dense"
    later = [candidate("it", 1.25, "train_step"), candidate("dt", 0.9, "train_step")]
    assert rows.speedups([*forward, *later]) == "IT n=4 1.25x, DT n=4 0.90x of dense"
