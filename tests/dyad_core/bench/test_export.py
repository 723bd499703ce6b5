from __future__ import annotations

import csv
import dataclasses
import io
import sys
from typing import Any

import pandas
import pytest

from dyad_core.bench import BenchmarkRun
from dyad_core.bench.export import COLUMNS, to_csv, to_parquet
from dyad_core.bench.placement import Placement
from dyad_core.errors import ImplementationError


def rows(run: BenchmarkRun) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(run))))


def test_one_row_per_candidate_and_pass_each_complete(make_run, make_candidate) -> None:
    run = make_run(make_candidate(4), make_candidate(8, pass_="train_step"), passes=["forward", "train_step"])
    found = rows(run)
    assert [(row["variant"], row["pass"]) for row in found] == [
        ("dense", "forward"),
        ("dense", "train_step"),
        ("it", "forward"),
        ("it", "train_step"),
    ]
    for row in found:
        assert tuple(row) == COLUMNS
        assert (row["dtype"], row["device"], row["device_name"]) == ("float32", "cpu", "AMD EPYC")
        assert (row["in_features"], row["out_features"], row["tokens"]) == ("768", "3072", "4096")


def test_values_and_units(make_run, make_candidate) -> None:
    row = rows(make_run(make_candidate(4, 1.5)))[1]
    assert (row["median_ms"], row["speedup"], row["speedup_low"], row["share_of_limit"]) == (
        "1.125",
        "1.5",
        "1.4",
        "0.75",
    )
    assert (row["peak_bytes"], row["rounds"], row["relative_error"]) == ("5536", "2", "1e-07")
    assert all(name.endswith(("_ms", "_bytes")) for name in COLUMNS if "median" in name or "peak" in name)


def test_what_is_unknown_is_empty(make_run, make_candidate) -> None:
    failed = make_candidate(
        4, None, outcome="failed", median_ms=None, memory=None, correctness=None, detail='boom, "x"'
    )
    row = rows(make_run(failed))[1]
    assert (row["median_ms"], row["peak_bytes"], row["relative_error"], row["speedup"]) == ("", "", "", "")
    assert (row["outcome"], row["detail"]) == ("failed", 'boom, "x"')


def test_imported_text_cannot_become_a_formula(make_run, make_candidate) -> None:
    run = make_run(make_candidate(4, detail="=HYPERLINK()"))
    run = dataclasses.replace(run, environment=dataclasses.replace(run.environment, device_name="@evil"))
    row = rows(run)[1]
    assert row["detail"] == "'=HYPERLINK()"
    assert row["device_name"] == "'@evil"


def test_precision_and_conditions_stand_in_every_row(make_run: Any) -> None:
    for row in rows(make_run(optimizer="sgd", cache="flushed")):
        assert (row["dtype"], row["float32_matmul_precision"]) == ("float32", "highest")
        assert (row["optimizer"], row["cache"], row["compile"]) == ("sgd", "flushed", "False")


def test_several_runs_make_one_table(make_run: Any) -> None:
    found = list(csv.DictReader(io.StringIO(to_csv([make_run(), make_run(tokens=8)]))))
    assert [row["tokens"] for row in found] == ["4096", "4096", "8", "8"]


def test_what_was_expected_of_the_memory_stands_beside_what_was_measured(make_run: Any, make_candidate: Any) -> None:
    expected = dataclasses.replace(make_candidate().memory, peak_bytes=5000, method="predicted from sizes")
    row = rows(make_run(make_candidate(memory_predicted=expected)))[1]
    assert (row["peak_bytes"], row["predicted_peak_bytes"]) == ("5536", "5000")


def test_the_place_under_the_roofline_stands_beside_the_time(make_run: Any, make_candidate: Any) -> None:
    placed = Placement(2000, 100, 20.0, 0.5, 0.25, None, 0.5, "compute", measured_ms=1.125, gap_ms=0.625)
    row = rows(make_run(make_candidate(placement=placed)))[1]
    assert (row["predicted_ms"], row["bound"], row["gap_ms"], row["gap_rest_ms"]) == ("0.5", "compute", "0.625", "")


def test_parquet_holds_every_digit_types_and_the_raw_samples(make_run: Any, make_candidate: Any) -> None:
    third = 1 / 3
    failed = make_candidate(
        8, None, outcome="failed", median_ms=None, samples_ms=(), memory=None, correctness=None, detail="=1"
    )
    run = make_run(make_candidate(4, third, samples_ms=(third, 0.1), flops=2**60 + 1), failed)
    table = pandas.read_parquet(io.BytesIO(to_parquet([run, run])), dtype_backend="numpy_nullable")
    assert tuple(table.columns) == (*COLUMNS, "samples_ms")
    assert len(table) == 6
    assert table["speedup"][1] == third
    assert list(table["samples_ms"][1]) == [third, 0.1]
    assert list(table["samples_ms"][2]) == []
    assert table["n_blocks"].dtype == "Int64"
    assert table["flops"][1] == 2**60 + 1
    assert table["peak_bytes"][1] == 5536
    assert [pandas.isna(table[name][2]) for name in ("median_ms", "peak_bytes", "speedup")] == [True] * 3
    assert table["detail"][2] == "=1"
    assert set(table["float32_matmul_precision"]) == {"highest"}
    assert set(table["dtype_emulated"]) == {False}


@pytest.mark.parametrize("missing", ["pandas", "pyarrow"])
def test_without_its_packages_parquet_says_how_to_get_them(
    make_run: Any, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImplementationError, match=rf"{missing} is not installed here: pip install"):
        to_parquet(make_run())
