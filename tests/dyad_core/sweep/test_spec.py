"""The request of a sweep: defaults, identity, and every wrong field at once."""

from __future__ import annotations

import dataclasses
import json

import pytest

from dyad_core.bench import BenchmarkSpec
from dyad_core.errors import SpecError
from dyad_core.sweep import SweepSpec

WIDTHS = [128, 256, 512]


def problems(**values: object) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        SweepSpec.from_dict(values)
    return {problem.field: str(problem) for problem in caught.value.problems}


def test_it_survives_json_and_sorts_its_lists() -> None:
    spec = SweepSpec(widths=[512, 128, 128], tokens=[64, 8], passes=["train_step"], grain=4)
    assert (spec.widths, spec.tokens) == ((128, 512), (8, 64))
    assert SweepSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    pairs = SweepSpec(sizes=[[768, 3072], [512, 512]])
    assert pairs.sizes == ((512, 512), (768, 3072))
    assert SweepSpec.from_dict(pairs.to_dict()) == pairs


def test_a_point_is_a_benchmark_with_the_conditions_of_the_sweep() -> None:
    spec = SweepSpec(
        widths=WIDTHS, n_blocks=(4, 3), variants=("it", "ot"), grain=2, passes=("train_step",), dtype="bfloat16",
        threads=1, seed=3, optimizer="sgd", cache="flushed", allocator="keep_pages", compile=True, target_interval=0.1,
        implementations=("eager",), module="feed_forward", ratio=2.0,
    )  # fmt: skip
    assert spec.request(spec.grid.columns[0], 64, 5.0) == BenchmarkSpec(
        128, 256, "feed_forward", 64, (4,), ("it", "ot"), (2,), ("eager",), ("train_step",), "bfloat16", threads=1, seed=3,
        max_seconds=5.0, optimizer="sgd", cache="flushed", allocator="keep_pages", compile=True, target_interval=0.1,
    )  # fmt: skip


def test_the_budget_is_no_part_of_the_identity() -> None:
    spec = SweepSpec(widths=WIDTHS)
    richer = dataclasses.replace(spec, max_seconds=9.0, max_points=3, confirmed=True, reuse=False)
    assert spec.digest() == richer.digest()
    assert spec.digest() != dataclasses.replace(spec, tokens=(1, 2)).digest()
    assert spec.conditions_digest() == dataclasses.replace(spec, tokens=(1, 2)).conditions_digest()
    assert spec.conditions_digest() != dataclasses.replace(spec, dtype="bfloat16").conditions_digest()


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({}, "widths", "the lattice would have no points"),
        ({"widths": []}, "widths", "the lattice would have no points"),
        ({"widths": WIDTHS, "tokens": []}, "tokens", "must not be empty"),
        ({"widths": WIDTHS, "sizes": [[64, 64]]}, "widths", "must not be given beside sizes"),
        ({"widths": 128}, "widths", "must be a list"),
        ({"widths": "128"}, "widths", "must be a list"),
        ({"widths": [True]}, "widths", "positive integer"),
        ({"widths": [1.5]}, "widths", "positive integer"),
        ({"widths": [-4]}, "widths", "positive integer"),
        ({"widths": [2**60]}, "widths", "at most 2**48"),
        ({"widths": [10**400]}, "widths", "at most 2**48"),
        ({"widths": list(range(1, 1002))}, "widths", "at most 1000 values"),
        ({"sizes": [[64]]}, "sizes", "must hold pairs"),
        ({"sizes": [64]}, "sizes", "must hold pairs"),
        ({"sizes": [[64, 0]]}, "sizes", "positive integer"),
        ({"sizes": [[64, 64], [64, 128]]}, "sizes", "each in_features once"),
        ({"widths": WIDTHS, "ratio": 0}, "ratio", "above 0"),
        ({"widths": WIDTHS, "ratio": float("nan")}, "ratio", "above 0"),
        ({"widths": WIDTHS, "ratio": "4"}, "ratio", "above 0"),
        ({"widths": WIDTHS, "max_seconds": 0}, "max_seconds", "above 0"),
        ({"widths": WIDTHS, "max_seconds": float("inf")}, "max_seconds", "above 0"),
        ({"widths": WIDTHS, "max_points": 0}, "max_points", "positive integer"),
        ({"widths": WIDTHS, "max_points": 10**6}, "max_points", "at most 10000"),
        ({"widths": WIDTHS, "grain": 0}, "grain", "positive integer"),
        ({"widths": WIDTHS, "confirmed": 1}, "confirmed", "true or false"),
        ({"widths": WIDTHS, "reuse": None}, "reuse", "true or false"),
        ({"widths": WIDTHS, "n_blocks": []}, "n_blocks", "must not be empty"),
        ({"widths": WIDTHS, "n_blocks": ["x"]}, "n_blocks", "positive integer"),
        ({"widths": WIDTHS, "passes": "forward"}, "passes", "must be a list"),
        ({"widths": WIDTHS, "variants": ["xx"]}, "variants", "must be among"),
        ({"widths": WIDTHS, "dtype": "int8"}, "dtype", "must be one of"),
        ({"widths": WIDTHS, "device": "tpu"}, "device", "must be cpu"),
        ({"widths": WIDTHS, "colour": "red"}, "colour", "is not a field of a sweep"),
        ({"widths": [127, 129]}, "widths", "in_features must be divisible by n_blocks=4"),
        ({"widths": [5], "ratio": 1.5, "n_blocks": [5]}, "widths", "is no whole number"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_its_rule(values: dict[str, object], field: str, said: str) -> None:
    found = problems(**values)
    assert set(found) == {field}
    assert said in found[field]


def test_all_wrong_fields_are_named_at_once() -> None:
    found = problems(widths=[0], tokens="8", ratio=-1, max_seconds=0, n_blocks=[], dtype="x", grain=0, sort=1)
    assert set(found) == {"widths", "tokens", "ratio", "max_seconds", "n_blocks", "dtype", "grain", "sort"}


def test_an_exploding_lattice_says_how_many_points_how_long_and_how_to_confirm() -> None:
    values = {"widths": list(range(64, 64 * 41, 64)), "tokens": list(range(1, 41))}
    said = problems(**values)["confirmed"]
    assert "1,600 points (40 sizes × 40 tokens)" in said
    assert " h if every one were measured" in said
    assert "confirmed: true (--yes)" in said
    assert SweepSpec.from_dict(values | {"confirmed": True}).grid.points == 1600
    huge = {"widths": list(range(4, 4001, 4)), "tokens": list(range(1, 1001)), "confirmed": True}
    assert "at most 10,000 points" in problems(**huge)["tokens"]


def test_what_does_not_fit_is_left_out_with_its_reason() -> None:
    spec = SweepSpec(widths=(30, 64, 100), ratio=1.5, n_blocks=(4, 8, 5))
    assert [(column.in_features, column.n_blocks) for column in spec.grid.columns] == [
        (30, (5,)),
        (64, (4, 8)),
        (100, (5,)),
    ]
    reasons = {(each.in_features, each.n_blocks): each.reason for each in spec.grid.skipped}
    assert (
        reasons[100, 8] == "in_features must be divisible by n_blocks=8; out_features must be divisible by n_blocks=8"
    )
    assert reasons[100, 4] == "out_features must be divisible by n_blocks=4"
    torn = SweepSpec(widths=(64, 65), ratio=1.5, n_blocks=(4,)).grid.skipped
    assert (torn[0].in_features, torn[0].out_features, torn[0].n_blocks) == (65, None, None)
