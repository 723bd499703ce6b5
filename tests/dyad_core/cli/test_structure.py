"""``dyad structure`` in the terminal: tables, JSON, and sentences for wrong input."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner, Result

from dyad_core import DyadGeometry
from dyad_core.cli.structure import structure
from dyad_core.structure import advice, connectivity, reachability, stack, totals


def call(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(structure)
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, list(arguments))


def test_tables_show_formula_totals_hubs_and_reach():
    result = call("--in", "768", "--out", "3072", "--blocks", "4", "--variant", "it", "--depth", "2")
    assert result.exit_code == 0
    for words in ("o // 768 = i mod 4", "1,032,192", "43.75 %", "12.50 %", "every 4th from 3", "100.0 %"):
        assert words in result.output


def test_warnings_are_printed():
    result = call("--in", "64", "--out", "64", "--blocks", "16", "--variant", "dt", "--depth", "3")
    assert result.exit_code == 0
    assert "splits for ever" in " ".join(result.output.split())


def test_json_is_what_the_library_answers():
    result = call(
        "--in", "96", "--out", "384", "--blocks", "8", "--variant", "dt", "--grain", "2", "--depth", "5", "--json"
    )
    geometry = DyadGeometry(96, 384, 8, "dt", 2)
    assert json.loads(result.output) == {
        "totals": totals(geometry),
        "connectivity": connectivity(geometry).to_dict(),
        "reachability": reachability(stack(geometry, 5)).to_dict(),
    }


def test_advice_lists_every_n_and_takes_one():
    result = call("--in", "96", "--out", "384", "--advice")
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert "Take: n_blocks=4 with IT costs 50.0 % of dense" in text
    for choice in advice(96, 384).choices:
        assert f"{choice.geometry.parameters:,}" in text


def test_advice_says_when_nothing_fits_and_what_padding_would_do():
    result = call("--in", "97", "--out", "384", "--advice")
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert "n_blocks=8 needs padding to 104→384" in text
    assert "None: no n_blocks from 3" in text


def test_advice_as_json_is_what_the_library_answers():
    result = call("--in", "96", "--out", "384", "--grain", "2", "--advice", "--json")
    assert json.loads(result.output) == advice(96, 384, grains=(2,)).to_dict()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--in", "768", "--out", "3070"), "out_features: must be divisible by n_blocks=4"),
        (("--in", "768", "--out", "768", "--variant", "xt"), "variant: must be one of it, ot, dt, bd"),
        (("--in", "768", "--out", "768", "--depth", "49"), "depth: must be at most 48"),
        (("--in", "0", "--out", "768", "--advice"), "in_features: must be a positive integer"),
        (("--in", "1024", "--out", "1024", "--blocks", "512"), "n_blocks: must be at most 256"),
    ],
)
def test_wrong_input_is_a_sentence(arguments: tuple[str, ...], words: str):
    result = call(*arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output
