from __future__ import annotations

import csv
import dataclasses
import io

from dyad_core.bench import BenchmarkRun
from dyad_core.bench.export import COLUMNS, to_csv


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
