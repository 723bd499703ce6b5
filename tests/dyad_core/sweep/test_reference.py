from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from sweep_tools import Simulated, slope

from dyad_core.errors import SpecError
from dyad_core.sweep import SweepSpec, load_sweep, run_sweep, save_sweep
from dyad_core.sweep.reference import FOLDER, adopt, main

SPEC = SweepSpec(widths=(256, 1024), tokens=(16,), n_blocks=(4,))


def test_a_map_is_adopted_without_its_host_and_reads_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Simulated(slope(600))
    result = run_sweep(SPEC, run=machine, clock=machine.clock, here=machine.here)
    assert result.environment is not None
    assert result.environment.hostname != ""
    save_sweep(tmp_path / "own.json", result)
    monkeypatch.setattr("dyad_core.sweep.reference.adopt", lambda found, name: adopt(found, name, tmp_path))
    assert main([str(tmp_path / "own.json"), "a-machine"]) == 0
    kept = load_sweep(tmp_path / "a-machine.json")
    assert capsys.readouterr().out == f"{tmp_path / 'a-machine.json'}\n"
    assert kept.environment == dataclasses.replace(result.environment, hostname="")
    assert {point.run.environment.hostname for point in kept.points if point.run} == {""}
    assert (kept.reading, kept.contours, kept.rules) == (result.reading, result.contours, result.rules)


def test_wrong_input_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main([str(tmp_path / "none.json"), "a"]) == 2
    machine = Simulated(slope(600))
    result = run_sweep(SPEC, run=machine, clock=machine.clock, here=machine.here)
    with pytest.raises(SpecError, match="lower-case letters, digits and dashes"):
        adopt(result, "../x", tmp_path)
    assert "usage: " in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_bundled_map_reads_and_tells_no_host(path: Path) -> None:
    found = load_sweep(path)
    assert found.reading
    assert found.environment is not None
    assert found.environment.hostname == ""
    assert found.rules
