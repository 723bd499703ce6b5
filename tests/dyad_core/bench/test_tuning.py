"""Tuning: what is compared, what is taken, that it goes on after a stop, and what it says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from dyad_core.bench import BenchmarkRun, BenchmarkSpec, tuning
from dyad_core.bench import __main__ as bare
from dyad_core.bench.tuning import choices_of, competitors, grid, run_tuning, tune
from dyad_core.cli import main
from dyad_core.errors import BenchmarkFailed, ImplementationError, SpecError
from dyad_core.ops import auto, registry

RIVALS = ("eager", "concat", "original")


@pytest.fixture
def made_up(make_run: Any, make_candidate: Any) -> Any:
    """Runs in which candidates take as many milliseconds as asked for."""

    def make(spec: BenchmarkSpec, *, warnings: tuple[str, ...] = (), **times_ms: float | list[float]) -> BenchmarkRun:
        candidates = [
            make_candidate(
                geometry.n_blocks,
                variant=geometry.variant,
                implementation=name,
                pass_=pass_,
                samples_ms=tuple(time) if isinstance(time, list) else (time,) * 5,
                median_ms=time[0] if isinstance(time, list) else time,
            )
            for pass_ in spec.passes
            for geometry in spec.geometries()
            for name, time in times_ms.items()
        ]
        run = make_run(*candidates)
        return BenchmarkRun(spec, run.environment, run.candidates, run.created_at, 1.0, warnings=warnings)

    return make


def small(**changes: Any) -> BenchmarkSpec:
    base = {"in_features": 48, "out_features": 96, "tokens": 8, "n_blocks": (4,), "implementations": RIVALS}
    return BenchmarkSpec(**{**base, **changes})


def test_only_what_auto_may_take_is_compared() -> None:
    found = competitors("cpu", torch.float32)
    assert found[0] == "eager"
    assert not {"reference", "masked_dense", "original_feature_major", "compiled"} & set(found)
    assert {registry.get(name).layout for name in found} == {"token_major"}
    assert competitors("cpu", torch.float32, ["concat"]) == ("eager", "concat")
    with pytest.raises(SpecError, match="must be one that auto may take"):
        competitors("cpu", torch.float32, ["reference"])
    with pytest.raises(SpecError, match="registered implementation"):
        competitors("cpu", torch.float32, ["none"])


def test_the_grid_begins_with_the_cheapest_and_leaves_out_what_takes_minutes() -> None:
    specs = grid("cpu", ["float32"], RIVALS)
    work = [spec.tokens * spec.in_features * spec.out_features for spec in specs]
    assert work == sorted(work)
    assert max(work) <= 2**33
    assert {1, 512, 2048} <= {spec.tokens for spec in specs}
    assert (1024, 4096) in {(spec.in_features, spec.out_features) for spec in specs}
    assert (4096, 1024) in {(spec.in_features, spec.out_features) for spec in specs}
    assert len(grid("cpu", ["float32"], RIVALS, quick=True)) < len(specs) / 3
    assert max(spec.tokens for spec in grid("cuda", ["bfloat16"], RIVALS)) == 2048


def test_the_fastest_that_is_clearly_faster_than_eager_is_taken(made_up: Any) -> None:
    spec = small(passes=("forward", "train_step"), variants=("it", "ot"))
    found = choices_of(made_up(spec, eager=2.0, concat=1.0, original=1.5))
    assert {(each.variant, each.pass_) for each in found} == {
        (v, p) for v in ("it", "ot") for p in ("forward", "train")
    }
    assert {(each.implementation, each.gain, each.gain_low) for each in found} == {("concat", 2.0, 2.0)}
    assert found[0].median_ms == {"eager": 2.0, "concat": 1.0, "original": 1.5}
    (level,) = choices_of(made_up(small(), eager=1.01, concat=1.0))
    assert (level.implementation, level.gain) == ("eager", 1.0)
    (noisy,) = choices_of(made_up(small(), eager=1.5, concat=[0.5, 3.0, 1.0, 3.0, 0.6]))
    assert noisy.implementation == "eager"
    assert choices_of(made_up(small(), concat=1.0)) == []
    (few,) = choices_of(made_up(small(), eager=2.0, concat=1.0, transposed=1.01))
    assert (few.implementation, few.gain) == ("transposed", 1.0), (
        "the standard choice of a few tokens, not clearly beaten"
    )
    (many,) = choices_of(made_up(small(tokens=64), eager=2.0, concat=1.0, transposed=1.5))
    assert (many.implementation, many.gain) == ("concat", 2.0)


def test_a_disturbed_pass_is_marked(made_up: Any) -> None:
    spec = small(passes=("forward", "train_step"))
    found = choices_of(made_up(spec, warnings=("train_step: disturbed: other work",), eager=1.0))
    assert {each.pass_: each.disturbed for each in found} == {"forward": False, "train": True}


def test_the_table_is_written_read_and_says_what_changed(made_up: Any, tmp_path: Path) -> None:
    said: list[str] = []
    specs = [small(), small(tokens=64)]
    lines = tune(specs, tmp_path / "cpu.json", say=said.append, run=lambda spec: made_up(spec, eager=2.0, concat=1.0))
    table = auto.read_table(tmp_path / "cpu.json")
    assert [(each.tokens, each.implementation) for each in table.choices] == [(8, "concat"), (64, "concat")]
    assert table.measured["implementations"] == list(RIVALS)
    assert table.measured["device_name"] == "AMD EPYC"
    assert "hostname" not in table.measured
    assert lines[0].startswith("it n=4, 48→96, 8 tokens, float32, forward: transposed → concat, 2.00x of eager")
    assert [path.name for path in tmp_path.iterdir()] == ["cpu.json"]
    assert "[2/2] 48→96, 64 tokens" in said[1]


def test_it_goes_on_where_it_stopped_and_repeats_what_was_disturbed(made_up: Any, tmp_path: Path) -> None:
    specs = [small(), small(tokens=64), small(tokens=512)]
    asked: list[int] = []

    def stopping(spec: BenchmarkSpec) -> BenchmarkRun:
        asked.append(spec.tokens)
        if spec.tokens == 64:
            raise KeyboardInterrupt
        return made_up(spec, eager=2.0, concat=1.0)

    def disturbed_once(spec: BenchmarkSpec) -> BenchmarkRun:
        asked.append(spec.tokens)
        first = asked.count(512) == 1 and spec.tokens == 512
        return made_up(spec, warnings=("forward: disturbed: by others",) if first else (), eager=2.0, concat=1.0)

    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        tune(specs, tmp_path / "cpu.json", say=said.append, run=stopping)
    tune(specs, tmp_path / "cpu.json", say=said.append, run=disturbed_once)
    assert asked == [8, 64, 64, 512, 512]
    assert "1 of 3 points are measured already" in said
    table = auto.read_table(tmp_path / "cpu.json")
    assert [each.disturbed for each in table.choices] == [False] * 3
    assert table.measured["disturbed_rows"] == 0


def test_other_rivals_begin_anew(made_up: Any, tmp_path: Path) -> None:
    part = tmp_path / "cpu.json.part"
    part.write_text(json.dumps({"identity": {"rivals": ["eager"]}, "environment": {}, "done": {}}), encoding="utf-8")
    asked: list[int] = []
    tune([small()], tmp_path / "cpu.json", say=str, run=lambda s: asked.append(1) or made_up(s, eager=1.0))
    assert asked == [1]


def test_a_point_that_fails_is_said_and_the_others_go_on(made_up: Any, tmp_path: Path) -> None:
    def failing(spec: BenchmarkSpec) -> BenchmarkRun:
        if spec.tokens == 8:
            raise BenchmarkFailed("it ended with exit code 9", exit_code=9)
        return made_up(spec, eager=1.0)

    said: list[str] = []
    tune([small(), small(tokens=64)], tmp_path / "cpu.json", say=said.append, run=failing)
    assert "exit code 9" in said[0]
    assert len(auto.read_table(tmp_path / "cpu.json").choices) == 1


def test_the_command_tunes_for_real(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    tiny = small(max_seconds=0.05, implementations=("eager", "concat"))
    monkeypatch.setattr(tuning, "grid", lambda *_, **__: [tiny])
    monkeypatch.setenv("DYAD_HOME", str(tmp_path))
    monkeypatch.setitem(
        registry._registered,
        "tuned",
        registry.Implementation("tuned", "", registry.get("eager").apply, tune=lambda device: f"settings for {device}"),
    )
    with pytest.raises(SystemExit) as caught:
        main(["tune", "--quick", "--implementations", "concat"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert "tuned: settings for cpu" in said
    assert f"export DYAD_CHOICES={tmp_path / 'choices/cpu.json'}" in said
    assert auto.read_table(tmp_path / "choices/cpu.json").choices[0].median_ms.keys() == {"eager", "concat"}


def test_a_tuner_that_cannot_run_here_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(device: torch.device) -> str:
        raise ImplementationError("it needs a GPU")

    eager = registry.get("eager")
    monkeypatch.setattr(
        registry, "_registered", {"picky": registry.Implementation("picky", "", eager.apply, tune=refusing)}
    )
    said: list[str] = []
    tuning.own_tuners("cpu", said.append)
    assert said == ["picky keeps its settings: it needs a GPU"]


def test_the_triton_tuner_keeps_its_table_beside_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, Any] = {}

    def tune_tiles(cases: list[Any], *, device: torch.device) -> dict[str, Any]:
        asked.update(cases=len(cases), device=device)
        return {"rows": []}

    monkeypatch.setattr("dyad_core.ops._triton.tune.tune", tune_tiles)
    monkeypatch.setenv("DYAD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DYAD_TRITON_SETTINGS", "before")
    said = registry.get("triton").tune(torch.device("cuda"))
    path = tmp_path / "home/triton.json"
    assert json.loads(path.read_text(encoding="utf-8")) == {"rows": []}
    assert f"export DYAD_TRITON_SETTINGS={path}" in said
    assert os.environ["DYAD_TRITON_SETTINGS"] == str(path)
    assert asked["cases"] > 0
    assert asked["device"] == torch.device("cuda")


def test_a_bare_machine_tunes_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    monkeypatch.setattr(tuning, "grid", lambda *_, **__: [small(max_seconds=0.05, implementations=("eager", "concat"))])
    out = tmp_path / "own.json"
    assert bare.main(["--tune", "--quick", "--implementations", "concat", "--out", str(out)]) == 0
    assert "the table is" in capsys.readouterr().err
    assert len(auto.read_table(out).choices) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": "cuda:98"}, "devices here: cpu"),
        ({"device": "tpu"}, "must be cpu, cuda"),
        ({"dtypes": ["int8"]}, "must be among float32"),
        ({"implementations": ["masked_dense"]}, "must be one that auto may take"),
    ],
)
def test_wrong_input_is_a_sentence(options: dict[str, Any], said: str) -> None:
    lines: list[str] = []
    wanted = {"device": "cpu", "quick": True, "out": None, "implementations": [], "dtypes": [], **options}
    assert run_tuning(wanted.pop("device"), **wanted, say=lines.append) == 2
    assert said in lines[-1]
