from __future__ import annotations

from pathlib import Path

import pytest

from dyad_core.bench import __main__ as command
from dyad_core.bench import suites
from dyad_core.bench.files import load_runs
from dyad_core.bench.spec import BenchmarkSpec
from dyad_core.bench.suites import MODELS, suite
from dyad_core.errors import BenchmarkFailed, SpecError

ONE = BenchmarkSpec(48, 96, tokens=8, n_blocks=(4,), max_seconds=0.1)


def test_the_reference_suite_on_a_cpu() -> None:
    specs = suite("reference")
    sizes = {(spec.in_features, spec.out_features, spec.module) for spec in specs}
    for width, hidden in MODELS.values():
        assert {(width, hidden, "linear"), (hidden, width, "linear"), (width, hidden, "feed_forward")} <= sizes
    assert len(specs) == len(sizes)  # models of equal sizes are measured once
    for spec in specs:
        assert (spec.dtype, spec.n_blocks, spec.variants) == ("float32", (4, 8), ("it", "ot", "dt"))
        assert spec.passes == ("forward", "train_step")


def test_on_cuda_both_precisions_and_more_tokens() -> None:
    specs = suite("reference", "cuda")
    assert {spec.dtype for spec in specs} == {"bfloat16", "float32"}
    assert {spec.device for spec in specs} == {"cuda"}
    assert min(spec.tokens for spec in specs) > max(spec.tokens for spec in suite("reference"))


def test_quick_is_small() -> None:
    assert sum(spec.max_seconds for spec in suite("reference", quick=True)) < 3
    assert max(spec.out_features for spec in suite("reference", quick=True)) < 256


def test_an_unknown_suite_names_the_known() -> None:
    with pytest.raises(SpecError, match="known: reference"):
        suite("none")


def test_a_suite_makes_a_file_that_can_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd) -> None:
    monkeypatch.setitem(dict_of_suites(monkeypatch), "reference", lambda device: [ONE, ONE])
    out = tmp_path / "out.json"
    assert command.main(["--suite", "reference", "--out", str(out)]) == 0
    runs = load_runs(out)
    assert [run.spec for run in runs] == [ONE, ONE]
    written = capfd.readouterr()
    assert runs[0].reading in written.err
    assert "2 of 2 runs" in written.err
    assert written.out == ""


def dict_of_suites(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    own: dict[str, object] = dict(suites.SUITES)
    monkeypatch.setattr(suites, "SUITES", own)
    return own


def test_a_failed_run_does_not_lose_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_run, capfd
) -> None:
    answers = iter([make_run(), BenchmarkFailed("it ended with exit code 9", exit_code=9), make_run()])

    def run_benchmark(*args: object, **settings: object) -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(command, "run_benchmark", run_benchmark)
    out = tmp_path / "out.json"
    assert command.main(["--suite", "reference", "--quick", "--out", str(out)]) == 1
    assert len(load_runs(out)) == 2
    assert "exit code 9" in capfd.readouterr().err


def test_wrong_input_is_a_sentence_and_exit_code_2(tmp_path: Path, capfd) -> None:
    assert command.main(["--suite", "reference", "--device", "cuda:99", "--out", str(tmp_path / "x.json")]) == 2
    said = capfd.readouterr().err
    assert "devices here: cpu" in said
    assert "Traceback" not in said
    with pytest.raises(SystemExit) as caught:
        command.main(["--suite", "none"])
    assert caught.value.code == 2


def test_interrupting_keeps_what_is_finished(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_run) -> None:
    answers = iter([make_run()])

    def run_benchmark(*args: object, **settings: object) -> object:
        for answer in answers:
            return answer
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_benchmark", run_benchmark)
    out = tmp_path / "out.json"
    assert command.main(["--suite", "reference", "--quick", "--out", str(out)]) == 130
    assert len(load_runs(out)) == 1
