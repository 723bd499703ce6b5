"""``dyad model estimate``, ``layers``, ``lines`` and ``presets`` in the terminal: tables, JSON, and sentences for wrong input."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from model_tools import BERT, LLAMA, OPT
from typer.testing import CliRunner, Result

from dyad_core.cli.group import command_group
from dyad_core.cli.model import app
from dyad_core.models import PRESETS, EstimateSpec, estimate
from dyad_core.models.cost.lines import python_lines


def call(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, list(arguments))


def words(result: Result) -> str:
    return " ".join(result.output.split())


@pytest.fixture
def opt(tmp_path: Path) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(OPT), encoding="utf-8")
    return str(path)


def test_the_tables_and_the_reading_hold_the_figures_of_the_design():
    result = call("estimate", "opt-125m", "--blocks", "4", "8", "--variants", "it", "--batch", "1", "--sequence", "256")
    assert result.exit_code == 0, result.output
    for figure in ("125.2 M", "96.9 M", "82.8 M", "it n=8", "197.0 G", "feed-forward", "has not been measured here"):
        assert figure in words(result)
    assert max(map(len, result.output.splitlines())) <= 100


def test_json_is_the_record_of_the_library(opt: str):
    arguments = ("--blocks", "4,8", "--modes", "layers", "feed_forward", "--sequence", "16", "--dtype", "bfloat16")
    result = call("estimate", "--config", opt, *arguments, "--json")
    assert result.exit_code == 0, result.output
    mine = json.loads(result.output)
    assert mine["dense"] == estimate(OPT, (4, 8), sequence=16, dtype="bfloat16").to_dict()["dense"]
    assert [(each["mode"], each["n_blocks"]) for each in mine["candidates"]] == [
        ("layers", 4),
        ("layers", 8),
        ("feed_forward", 4),
        ("feed_forward", 8),
    ]


def test_a_candidate_that_cannot_be_built_is_a_sentence_and_no_failure(opt: str):
    result = call("estimate", "--config", opt, "--blocks", "4", "5", "--sequence", "8")
    assert result.exit_code == 0, result.output
    assert "it n=5 cannot be built: model.decoder.layers.*.fc1" in words(result)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("estimate", "opt-125m", "--config", "x.json"), "not both"),
        (("estimate",), "not both"),
        (("estimate", "--config", "nowhere.json"), "must be a config.json that can be read"),
        (("estimate", "opt-125m", "--blocks", "0"), "--blocks"),
        (("estimate", "opt-125m", "--sequence", "4096"), "--sequence: must be at most 2048"),
        (("estimate", "opt-125m", "--dtype", "int8"), "--dtype: must be one of"),
        (("lines", "opt-125m", "--blocks", "5"), "must be divisible by n_blocks=5"),
        (("layers", "gpt2", "--names", "nothing.*"), "12 × transformer.h.*.mlp.c_fc (768 → 3072)"),
    ],
)
def test_wrong_input_is_a_sentence_and_exit_code_2(arguments: tuple[str, ...], said: str):
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert said in words(result)


def test_a_hub_that_does_not_answer_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dyad_core.models.configs.hub_constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(
        "dyad_core.models.configs.cached_file", lambda *_, **__: (_ for _ in ()).throw(OSError("no route to the hub"))
    )
    result = call("estimate", "somebody/some-model")
    assert result.exit_code == 2
    assert "no route to the hub" in words(result)
    assert "opt-125m" in words(result)


def test_an_unknown_architecture_lists_its_layers(tmp_path: Path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "mamba", "num_hidden_layers": 2, "hidden_size": 32}), encoding="utf-8")
    result = call("layers", "--config", str(path))
    assert result.exit_code == 2
    assert "2 × backbone.layers.*.mixer.in_proj" in words(result)
    named = call("layers", "--config", str(path), "--names", "backbone.*.in_proj", "--json")
    assert [row["name"] for row in json.loads(named.output) if row["picked"]] == [
        "backbone.layers.0.mixer.in_proj",
        "backbone.layers.1.mixer.in_proj",
    ]


def test_layers_say_what_is_replaced_and_why_the_others_are_not(opt: str):
    text = words(call("layers", "--config", opt))
    for part in ("model.decoder.layers.*.fc1 2 32 → 64 yes 1, 2, 4, 8", "no: belongs to the attention", "lm_head"):
        assert part in text


@pytest.mark.parametrize("config", [OPT, LLAMA, BERT], ids=["opt", "llama", "bert"])
def test_lines_are_those_of_the_library_and_nothing_else(tmp_path: Path, config: dict[str, object]):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    result = call("lines", "--config", str(path), "--blocks", "2", "--variant", "dt", "--grain", "2")
    assert result.exit_code == 0, result.output
    compile(result.output, "lines", "exec")
    assert 'swap(model, n_blocks=2, variant="dt", grain=2)' in result.output
    preset = call("lines", "opt-125m")
    assert preset.output == python_lines(EstimateSpec(config="opt-125m", sequence=1), "it", 4, "layers")


def test_presets_are_listed():
    text = words(call("presets"))
    assert all(name in text for name in PRESETS)
    assert [each["name"] for each in json.loads(call("presets", "--json").output)] == list(PRESETS)


def test_the_commands_are_in_the_group():
    group = command_group()
    model = group.get_command(None, "model")
    assert set(model.commands) == {"estimate", "layers", "lines", "presets", "measure"}


def documented() -> list[list[str]]:
    """Every ``dyad model …`` line of the README and the guide, as words."""
    root = Path(__file__).resolve().parents[3]
    text = "".join((root / name).read_text(encoding="utf-8") for name in ("README.md", "docs/models.md"))
    found = re.findall(r"^\.venv/bin/dyad model (.+)$", text, flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found]


@pytest.mark.parametrize("arguments", documented(), ids=" ".join)
def test_every_documented_command_is_understood(arguments: list[str]):
    name, *rest = arguments
    command = command_group().get_command(None, "model").commands[name]
    assert command.make_context(name, rest).params  # parsed, not run


def test_every_command_is_in_the_readme():
    readme = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")
    for command in app.registered_commands:
        assert f"dyad model {command.name}" in readme
