"""The controls of the Crossover page and the sweep that they ask for, held against the library."""

import json
import shlex

import pytest

from dyad_core.cli import main
from dyad_core.sweep import SweepSpec
from frontend.logic import sweep_request


def test_the_first_look_is_a_sweep_that_the_library_takes() -> None:
    asked = sweep_request.from_controls(sweep_request.to_controls(sweep_request.DEFAULTS))
    spec = SweepSpec(**asked)

    assert spec.max_seconds == 600
    assert spec.widths == (128, 256, 512, 1024, 2048)
    known = SweepSpec(widths=spec.widths).to_dict()
    assert {name: known[name] for name in sweep_request.DEFAULTS} == sweep_request.DEFAULTS


def test_controls_become_numbers_and_what_is_none_stays_for_the_service_to_refuse() -> None:
    asked = sweep_request.from_controls({"widths": ["512", "64", "wide"], "minutes": 2.5})

    assert asked["widths"] == [64, 512, "wide"]
    assert asked["max_seconds"] == 150
    assert sweep_request.from_controls({"minutes": None})["max_seconds"] is None


def test_explicit_sizes_fill_the_widths() -> None:
    assert sweep_request.to_controls({"sizes": [[768, 3072]], "widths": []})["widths"] == ["768"]


def test_the_size_is_said_before_it_starts() -> None:
    said = sweep_request.estimate(sweep_request.DEFAULTS)

    assert "**25 sizes** (5 widths × 5 tokens)" in said
    assert "**2 maps**" in said
    assert "10 min" in said
    assert sweep_request.estimate(sweep_request.DEFAULTS | {"variants": []}).startswith("Choose at least one")


def test_curl_carries_the_same_sweep() -> None:
    asked = sweep_request.from_controls({"widths": ["64"], "passes": ["train_step"]})
    parts = shlex.split(sweep_request.curl(asked, "http://127.0.0.1:8000"))
    body = json.loads(parts[parts.index("-d") + 1])

    assert parts[3] == "http://127.0.0.1:8000/api/v1/sweeps"
    assert SweepSpec(**body) == SweepSpec(**asked)


def test_the_command_line_takes_every_option_that_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    changed = {
        "widths": ["66"],
        "ratio": 2.0,
        "module": "feed_forward",
        "grain": 2,
        "implementations": ["eager"],
        "passes": ["train_step"],
        "dtype": "float64",
        "device": "cuda:0",
        "threads": 3,
        "seed": 7,
        "optimizer": "sgd",
        "float32_matmul_precision": "high",
        "cache": "flushed",
        "target_interval": 0.1,
        "max_points": 5,
    }
    command = shlex.split(sweep_request.command_line(sweep_request.from_controls(changed)))
    assert {part for part in command if part.startswith("--")} == {
        f"--{name.replace('_', '-').replace('n-blocks', 'blocks')}"
        for name in sweep_request.DEFAULTS
        if name != "reuse"
    }

    # No n divides 66 with this grain, so the real command refuses the lattice and nothing else.
    with pytest.raises(SystemExit):
        main(command[1:])
    said = " ".join(capsys.readouterr().err.split())
    assert "No such option" not in said
    assert "66" in said


def test_only_a_refusal_for_size_alone_can_be_confirmed() -> None:
    size = {"field": "confirmed", "rule": "300 sizes take about an hour", "received": False, "suggestion": ""}

    assert sweep_request.refused_for_size([size])
    assert not sweep_request.refused_for_size([size, size | {"field": "dtype"}])
    assert not sweep_request.refused_for_size([])
