"""Files of measured models: what is written comes back to the last digit, and nothing in a file is believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from model_tools import made_up_model_run, tiny

from dyad_core.errors import SpecError
from dyad_core.models.measuring.files import load_model_run, parse_model_run, save_model_run


def test_a_file_comes_back_as_it_was(tmp_path: Path) -> None:
    run = made_up_model_run(spec=tiny(passes=["train_step", "decode"]))
    save_model_run(tmp_path / "run.json", run)
    assert load_model_run(tmp_path / "run.json") == run
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_json_names_the_pass_as_everywhere() -> None:
    values = made_up_model_run().to_dict()
    assert '"pass_"' not in json.dumps(values)
    assert values["candidates"][1]["prediction"]["pass"] == values["parts"][0]["pass"] == "train_step"


def test_the_reading_is_made_anew_from_the_figures() -> None:
    run = made_up_model_run()
    assert parse_model_run(json.dumps(run.to_dict() | {"reading": "DYAD always pays."}).encode()) == run


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda run: run.update(schema_version=99), "schema_version"),
        (lambda run: run.update(schema_version=True), "schema_version"),
        (lambda run: run.update(colour=1), "run.colour"),
        (lambda run: run.pop("name"), "run.name"),
        (lambda run: run.update(spec=None), "spec"),
        (lambda run: run["spec"].update(batch=0), "spec.batch"),
        (lambda run: run.update(candidates={}), "candidates"),
        (lambda run: run["candidates"].pop(0), "candidates"),
        (lambda run: run["candidates"][1].update(median_ms="fast"), "candidates.1.median_ms"),
        (lambda run: run["candidates"][1].update(median_ms=None), "candidates.1.median_ms"),
        (lambda run: run["candidates"][1].update(samples_ms=[]), "candidates.1.samples_ms"),
        (lambda run: run["candidates"][1].update(samples_ms=[1.0, -1.0]), "candidates.1.samples_ms.1"),
        (lambda run: run["candidates"][1].update(speedup=None), "candidates.1.speedup"),
        (lambda run: run["candidates"][1].update(speedup_low=9.0), "candidates.1.speedup_low"),
        (lambda run: run["candidates"][1].update({"pass": "decode"}), "candidates.1.pass"),
        (lambda run: run["candidates"][1]["prediction"].update(speedup="much"), "candidates.1.prediction.speedup"),
        (lambda run: run["parts"][0].update(median_ms=0.0), "parts.0.median_ms"),
        (lambda run: run["environment"].pop("threads"), "environment.threads"),
        (lambda run: run.update(created_at="yesterday"), "created_at"),
    ],
)
def test_a_wrong_field_is_named(change: Callable[[dict[str, Any]], object], field: str) -> None:
    values = made_up_model_run().to_dict()
    change(values)
    with pytest.raises(SpecError) as caught:
        parse_model_run(json.dumps(values, indent=1).encode())
    assert field in {problem.field for problem in caught.value.problems}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\x00\x01", b'{"schema_version": 1}'])
def test_what_is_no_file_of_a_model_is_refused(data: bytes) -> None:
    with pytest.raises(SpecError):
        parse_model_run(data)


def test_a_file_that_cannot_be_read_or_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="must be readable"):
        load_model_run(tmp_path / "none.json")
    with pytest.raises(SpecError, match="must be writable"):
        save_model_run(tmp_path / "none" / "run.json", made_up_model_run())
