"""The published condition measured: two ordinary runs and what is made of them, without measuring."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from verdict_cases import candidate, dense, finished

from dyad_core.bench import BenchmarkRun, BenchmarkSpec
from dyad_core.bench.original_conditions import check_device, measure_original_conditions, take_apart
from dyad_core.errors import SpecError


def made(spec: BenchmarkSpec, **_watching: Any) -> BenchmarkRun:
    """A run of ``spec``: float16 takes a third of the time on both sides, DYAD two thirds of dense."""
    faster = 1.0 if spec.dtype == "float32" else 3.0
    samples = tuple(each / faster for each in (11.0, 11.5, 12.0, 12.0, 12.0, 12.5, 13.0))
    name = spec.implementations[0]
    rivals = [
        candidate(1.4, 1.6, pass_=each, median_ms=8.0 / faster, samples_ms=tuple(s * 2 / 3 for s in samples),
                  implementation="eager" if name == "auto" else name, chosen_by_auto=name == "auto",
                  variant=spec.variants[0], n_blocks=spec.n_blocks[0])
        for each in spec.passes
    ]  # fmt: skip
    twins = tuple(dense(each, median_ms=12.0 / faster, samples_ms=samples) for each in spec.passes)
    return dataclasses.replace(finished(*rivals, twins=twins, dtype=spec.dtype), spec=spec)


def test_two_runs_that_are_each_like_for_like_make_the_mixed_figure() -> None:
    specs: list[BenchmarkSpec] = []

    def run(spec: BenchmarkSpec, **watching: Any) -> BenchmarkRun:
        specs.append(spec)
        return made(spec, **watching)

    answer = measure_original_conditions(max_seconds=10, device="cuda", run=run)

    assert [each.dtype for each in specs] == ["float32", "float16"]
    assert dataclasses.replace(specs[1], dtype="float32") == specs[0]
    assert (specs[0].optimizer, specs[0].max_seconds, specs[0].passes) == ("none", 5.0, ("train_step", "forward"))
    assert (answer.kind, answer.label) == ("measured", "not like for like")
    assert [each.spec for each in answer.runs] == specs
    (layer,) = answer.decompositions
    part = layer.parts[0]
    assert part.pass_ == "train_step"
    for ratio, expected in (
        (part.headline, 4.5),
        (part.structure, 1.5),
        (part.precision, 3.0),
        (part.structure_float16, 1.5),
    ):
        assert ratio is not None
        assert ratio.low is not None
        assert ratio.high is not None
        assert ratio.ratio == pytest.approx(expected)
        assert ratio.low <= ratio.ratio <= ratio.high
    assert (part.structure.low, part.structure.high) == (1.4, 1.6)
    assert "4.50x between DYAD in float16 and dense in float32, which is not like for like" in answer.reading
    assert "1.50x as fast as the dense one (in float16 1.50x)" in answer.reading
    assert len(answer.to_dict()["runs"]) == 2


def test_what_auto_took_pairs_with_what_it_took_in_the_other_precision() -> None:
    answer = measure_original_conditions(device="cuda", implementation="auto", run=made)

    assert not answer.decompositions[0].missing


def test_a_layer_without_a_speed_is_said_to_lack_it() -> None:
    spec = BenchmarkSpec(768, 3072, n_blocks=(4,), passes=("train_step", "forward"), implementations=("eager",))
    half = made(dataclasses.replace(spec, dtype="float16"))
    broken = tuple(
        dataclasses.replace(each, median_ms=None, samples_ms=(), outcome="unsupported")
        if each.variant == "it"
        else each
        for each in half.candidates
    )
    answer = take_apart(made(spec), dataclasses.replace(half, candidates=broken))

    assert (
        answer.decompositions[0].missing == "there is no speed of DYAD float16 in train_step, DYAD float16 in forward"
    )
    assert "nothing to take apart; in equal precision, float32, it is 1.50x" in answer.decompositions[0].reading
    assert "no layer has a speed in both precisions" in answer.reading


def test_only_runs_that_differ_in_precision_alone_are_taken_apart() -> None:
    spec = BenchmarkSpec(768, 3072, n_blocks=(4,), passes=("forward",), implementations=("eager",))
    float32, float16 = made(spec), made(dataclasses.replace(spec, dtype="float16", tokens=1))
    elsewhere = dataclasses.replace(float16, environment=dataclasses.replace(float16.environment, hostname="other"))
    with pytest.raises(SpecError) as caught:
        take_apart(float32, elsewhere)
    assert {problem.field for problem in caught.value.problems} == {"runs.1.spec", "runs.1.environment"}
    with pytest.raises(SpecError, match=r"runs\.1\.dtype"):
        take_apart(float32, float32)


EMULATING, NATIVE = frozenset({"avx2"}), frozenset({"avx512_fp16"})


def test_a_processor_that_emulates_float16_is_refused_with_the_replay_offered_unless_asked_anyway() -> None:
    with pytest.raises(SpecError, match=r"emulated.*take the replay of the published rows.*--anyway"):
        check_device("cpu", anyway=False, flags=EMULATING)
    check_device("cpu", anyway=True, flags=EMULATING)
    check_device("cpu", anyway=False, flags=NATIVE)
    check_device("cuda", anyway=False, flags=EMULATING)


def test_emulation_that_was_asked_for_is_flagged() -> None:
    def run(spec: BenchmarkSpec, **watching: Any) -> BenchmarkRun:
        found = made(spec, **watching)
        where = dataclasses.replace(found.environment, dtype_emulated=spec.dtype == "float16")
        return dataclasses.replace(found, environment=where, warnings=("a note",))

    answer = measure_original_conditions(device="cpu", anyway=True, run=run)

    assert "no float16 arithmetic, so it is emulated" in answer.caveats[0]
    assert answer.caveats.count("a note") == 1


def test_a_wrong_request_is_refused_before_anything_is_measured() -> None:
    with pytest.raises(SpecError) as caught:
        measure_original_conditions(100, 3072, n_blocks=7, device="cuda", run=lambda *_a, **_k: pytest.fail("it ran"))
    assert {problem.field for problem in caught.value.problems} == {"in_features", "out_features"}
