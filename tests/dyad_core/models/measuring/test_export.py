"""The table of a measured model: a row per model and pass, complete in itself and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io

from model_tools import made_up_candidate, made_up_model_run

from dyad_core.models.measuring.export import COLUMNS, to_csv


def test_a_row_holds_conditions_figures_and_what_was_foretold() -> None:
    run = made_up_model_run()
    dense, candidate = csv.DictReader(io.StringIO(to_csv(run)))
    assert tuple(dense) == COLUMNS
    assert (dense["variant"], dense["n_blocks"], dense["predicted_ms"]) == ("dense", "", "")
    assert (candidate["variant"], candidate["n_blocks"], candidate["pass"]) == ("it", "4", "train_step")
    assert candidate["model"] == run.name
    assert (candidate["batch"], candidate["sequence"], candidate["rounds"]) == ("2", "8", "2")
    prediction = run.candidates[1].prediction
    assert prediction is not None
    assert float(candidate["predicted_ms"]) == prediction.predicted_ms
    assert candidate["peak_bytes"] == "21064"


def test_text_of_a_stranger_becomes_no_formula() -> None:
    run = made_up_model_run(made_up_candidate("train_step", detail="=1+1"), name="@SUM(A1)")
    (row,) = csv.DictReader(io.StringIO(to_csv(run)))
    assert (row["detail"], row["model"]) == ("'=1+1", "'@SUM(A1)")
