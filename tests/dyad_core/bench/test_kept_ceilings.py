from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dyad_core.bench import kept_ceilings
from dyad_core.bench.ceilings import Ceilings, Rate
from dyad_core.bench.kept_ceilings import ceilings_for, ceilings_path, machine_identity
from dyad_core.errors import SpecError


class Measurement:
    """Counts how often it was asked; what it finds can be changed."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self.others_share: float | None = 0.0

    def __call__(self, device: str, dtype: str, threads: int) -> Ceilings:
        self.asked.append((device, dtype, threads))
        return Ceilings(
            device=device,
            device_name="AMD EPYC",
            dtype=dtype,
            threads=threads,
            float32_matmul_precision="highest",
            flops_per_s=Rate(2e11 + len(self.asked), 1.9e11, 2.1e11),
            bytes_per_s=Rate(2e10, 1.9e10, 2.1e10),
            launch_us=Rate(2.0, 1.9, 2.1),
            matrix_side=2048,
            copy_bytes=2**27,
            others_share=self.others_share,
            measured_at="2026-01-02T03:04:05+00:00",
        )


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Measurement:
    monkeypatch.setenv("DYAD_HOME", str(tmp_path / "home"))
    return Measurement()


@pytest.fixture
def path(measure: Measurement) -> Path:
    """Of a kept file, which is there."""
    ceilings_for("cpu", "float32", 2, measure=measure)
    return ceilings_path(machine_identity("cpu", "float32", 2))


def test_they_are_measured_once_for_each_device_dtype_and_number_of_threads(measure: Measurement) -> None:
    first = ceilings_for("cpu", "float32", 2, measure=measure)
    assert ceilings_for("cpu", "float32", 2, measure=measure) == first
    ceilings_for("cpu", "float32", 1, measure=measure)
    ceilings_for("cpu", "float64", 2, measure=measure)
    assert measure.asked == [("cpu", "float32", 2), ("cpu", "float32", 1), ("cpu", "float64", 2)]


def test_asked_again_they_are_measured_again_and_kept(measure: Measurement, path: Path) -> None:
    again = ceilings_for("cpu", "float32", 2, again=True, measure=measure)
    assert len(measure.asked) == 2
    assert ceilings_for("cpu", "float32", 2, measure=measure) == again
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_was_disturbed_is_returned_and_not_kept(measure: Measurement) -> None:
    measure.others_share = 0.5
    assert ceilings_for("cpu", "float32", 2, measure=measure).disturbed
    measure.others_share = 0.0
    assert not ceilings_for("cpu", "float32", 2, measure=measure).disturbed
    assert len(measure.asked) == 2


def test_without_a_home_they_go_beside_the_tables_of_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DYAD_HOME", raising=False)
    path = ceilings_path({"a": "b"})
    assert path.parts[:2] == (".dyad", "machines")
    assert path != ceilings_path({"a": "c"})


def foreign(values: dict) -> dict:
    return {**values, "identity": {**values["identity"], "cpu_name": "another"}}


def with_ceilings(**changes: object) -> Callable[[dict], dict]:
    return lambda values: {**values, "ceilings": {**values["ceilings"], **changes}}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (foreign, "must be of this machine"),
        (lambda values: {**values, "schema_version": 99}, "must be of schema 1"),
        (lambda values: [values], "must be of schema 1"),
        (lambda values: {**values, "ceilings": None}, "ceilings: must be an object"),
        (with_ceilings(threads="two"), "ceilings.threads: must be int"),
        (
            with_ceilings(bytes_per_s={"median": -1.0, "q1": 1.0, "q3": 1.0}),
            "ceilings.bytes_per_s.median: must be above",
        ),
    ],
)
def test_a_damaged_or_foreign_file_is_refused_in_a_sentence(
    measure: Measurement, path: Path, damage: Callable[[dict], object], said: str
) -> None:
    path.write_text(json.dumps(damage(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")
    with pytest.raises(SpecError, match=said) as caught:
        ceilings_for("cpu", "float32", 2, measure=measure)
    assert "dyad ceilings --again" in str(caught.value)
    ceilings_for("cpu", "float32", 2, again=True, measure=measure)
    assert ceilings_for("cpu", "float32", 2, measure=measure)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"schema_version": 1', "must be JSON"),
        (b"\xff\xfe", "must be JSON"),
        (b"[" * 70_000, "at most"),
        (b"", "JSON"),
    ],
)
def test_a_file_that_is_cut_off_or_huge_is_refused(measure: Measurement, path: Path, data: bytes, said: str) -> None:
    path.write_bytes(data)
    with pytest.raises(SpecError, match=said):
        ceilings_for("cpu", "float32", 2, measure=measure)


def test_a_place_that_cannot_be_written_or_read_is_a_sentence(
    measure: Measurement, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path.unlink()
    path.mkdir()
    with pytest.raises(SpecError, match="must be readable"):
        ceilings_for("cpu", "float32", 2, measure=measure)
    (tmp_path / "file").touch()
    monkeypatch.setenv("DYAD_HOME", str(tmp_path / "file"))
    with pytest.raises(SpecError, match="must be writable"):
        ceilings_for("cpu", "float32", 2, measure=measure)


def test_precision_is_part_of_the_identity(measure: Measurement, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_ceilings.torch, "get_float32_matmul_precision", lambda: "high")
    changed = machine_identity("cpu", "float32", 2)
    monkeypatch.undo()
    assert changed != machine_identity("cpu", "float32", 2)
