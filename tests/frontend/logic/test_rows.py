"""Candidates as rows, from a run that the real engine measured."""

from typing import Any

from frontend.logic import rows
from frontend.logic.outcomes import COMPARED
from frontend.logic.run_table import table_records
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
    assert {row.outcome for row in made if row.is_dense} == {"measured"}
    assert {row.outcome for row in made if not row.is_dense} <= COMPARED
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
    assert table_records(made)[0]["outcome"] == "! failed: no such device"
    assert rows.best(made) is None


def test_the_table_has_a_row_per_candidate_and_pass_with_units_in_its_columns(finished: RunRecord) -> None:
    result = finished["result"]
    assert result is not None
    records = table_records(rows.rows_of(result["candidates"]))

    assert len(records) == 10
    assert {"speed-up (x)", "median (ms)", "peak memory (MiB)", "of limit (%)"} <= records[0].keys()
    assert records[0]["peak of dense (%)"] == 100


def test_peers_and_the_control_are_rows_with_names_of_their_own() -> None:
    def candidate(variant: str, n: int | None) -> Any:
        base = {"variant": variant, "n_blocks": n, "grain": None, "implementation": variant, "pass": "forward"}
        return base | {"outcome": "not_distinguishable", "limit": 1.0, "speedup": 1.0}

    spec = {"n_blocks": [4], "variants": ["it"], "grains": [1], "implementations": ["auto"]}
    made = rows.rows_of([candidate("low_rank", 4), candidate("dense_again", None)])
    shown = rows.expected_rows(spec, made, "forward")

    assert [row.label for row in shown] == ["dense", "IT n=4", "low-rank as n=4", "dense again (A/A)"]


def test_memory_is_read_with_its_split_and_of_older_files_without() -> None:
    base = {"variant": "it", "n_blocks": 4, "grain": 1, "implementation": "eager", "pass": "forward"}
    old = {
        "parameters_bytes": 1,
        "inputs_bytes": 2,
        "gradients_bytes": 0,
        "allocated_peak_bytes": 3,
        "peak_bytes": 6,
        "method": "m",
    }
    candidate: Any = base | {
        "outcome": "faster",
        "limit": 2.0,
        "memory": old,
        "memory_predicted": old | {"temporaries_bytes": 3},
    }
    row = rows.rows_of([candidate])[0]

    assert row.memory is not None
    assert not row.memory.is_split
    assert row.predicted is not None
    assert row.predicted.is_split
    assert row.peak_bytes == 6
