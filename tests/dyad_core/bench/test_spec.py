"""Every rule of a request, each with the field that breaks it; and its identity."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad_core import DyadGeometry, SpecError
from dyad_core.bench import BenchmarkSpec


def fields_of(**values: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        BenchmarkSpec.from_dict({"in_features": 768, "out_features": 3072, **values})
    assert all(problem.rule for problem in caught.value.problems)
    return [problem.field for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"in_features": 0}, ["in_features"]),
        ({"in_features": -4, "out_features": 2.0}, ["in_features", "out_features"]),
        ({"in_features": "768"}, ["in_features"]),
        ({"in_features": True}, ["in_features"]),
        ({"in_features": float("nan")}, ["in_features"]),
        ({"in_features": None}, ["in_features"]),
        ({"tokens": 0}, ["tokens"]),
        ({"module": "conv"}, ["module"]),
        ({"module": ["linear"]}, ["module"]),
        ({"dtype": "tf32"}, ["dtype"]),
        ({"dtype": {}}, ["dtype"]),
        ({"device": "tpu"}, ["device"]),
        ({"device": "cuda:"}, ["device"]),
        ({"device": "cuda:-1"}, ["device"]),
        ({"device": "cuda:9999"}, ["device"]),
        ({"device": 0}, ["device"]),
        ({"threads": 0}, ["threads"]),
        ({"threads": 10**6}, ["threads"]),
        ({"seed": -1}, ["seed"]),
        ({"seed": 2**63}, ["seed"]),
        ({"seed": 1.0}, ["seed"]),
        ({"max_seconds": 0}, ["max_seconds"]),
        ({"max_seconds": float("inf")}, ["max_seconds"]),
        ({"max_seconds": float("nan")}, ["max_seconds"]),
        ({"max_seconds": "60"}, ["max_seconds"]),
        ({"peers": "low_rank"}, ["peers"]),
        ({"peers": ["monarch", "toeplitz"]}, ["peers"]),
        ({"peers": [["monarch"]]}, ["peers"]),
        ({"allocator": "jemalloc"}, ["allocator"]),
        ({"n_blocks": 4}, ["n_blocks"]),
        ({"n_blocks": []}, ["n_blocks"]),
        ({"n_blocks": [0]}, ["n_blocks"]),
        ({"n_blocks": [4, -8, "x"]}, ["n_blocks", "n_blocks"]),
        ({"n_blocks": [[4]]}, ["n_blocks"]),
        ({"n_blocks": "48"}, ["n_blocks"]),
        ({"n_blocks": {"4": 4}}, ["n_blocks"]),
        ({"n_blocks": list(range(1, 400))}, ["n_blocks"]),
        ({"n_blocks": [5]}, ["in_features", "out_features"]),
        ({"variants": ["IT"]}, ["variants"]),
        ({"variants": [None]}, ["variants"]),
        ({"passes": ["backward"]}, ["passes"]),
        ({"implementations": [3]}, ["implementations"]),
        ({"grains": [5]}, ["grains", "grains"]),
        ({"threds": 2}, ["threds"]),
        ({"in_features": 770, "dtype": "fp32"}, ["dtype", "in_features", "in_features"]),
    ],
)
def test_wrong_values_name_their_field(values: dict[str, Any], fields: list[str]) -> None:
    assert fields_of(**values) == fields


def test_missing_fields_are_named_together() -> None:
    with pytest.raises(SpecError) as caught:
        BenchmarkSpec.from_dict({"tokens": 0})
    assert {"in_features", "out_features"} <= {problem.field for problem in caught.value.problems}


@pytest.mark.parametrize("n_blocks", [1, 2])
def test_few_blocks_are_allowed(n_blocks: int) -> None:
    assert BenchmarkSpec(768, 3072, n_blocks=(n_blocks,)).geometries()[0].saves_nothing


def test_defaults_are_those_of_the_public_surface() -> None:
    spec = BenchmarkSpec(768, 3072)
    assert (spec.module, spec.tokens, spec.n_blocks, spec.variants) == ("linear", 4096, (4, 8), ("it",))
    assert (spec.dtype, spec.device, spec.passes, spec.seed) == ("float32", "cpu", ("forward",), 0)


def test_lists_become_tuples_without_repeats_and_the_spec_is_frozen() -> None:
    spec = BenchmarkSpec(768, 3072, n_blocks=[8, 4, 8], variants=["dt", "dt"])
    assert (spec.n_blocks, spec.variants) == ((8, 4), ("dt",))
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.tokens = 1
    assert hash(spec) == hash(BenchmarkSpec(768, 3072, n_blocks=(8, 4), variants=("dt",)))


def test_geometries_in_order_and_bd_once() -> None:
    spec = BenchmarkSpec(64, 128, n_blocks=(2, 4), variants=("it", "bd"), grains=(1, 2))
    assert spec.geometries() == [
        DyadGeometry(64, 128, n, variant, grain) for n in (2, 4) for variant, grain in (("it", 1), ("it", 2), ("bd", 1))
    ]


@given(
    n_blocks=st.lists(st.sampled_from([1, 2, 4, 8]), min_size=1, max_size=3),
    tokens=st.integers(1, 1 << 20),
    seed=st.integers(0, 2**63 - 1),
    max_seconds=st.floats(0.001, 1000),
)
def test_json_round_trip_and_identity(n_blocks: list[int], tokens: int, seed: int, max_seconds: float) -> None:
    spec = BenchmarkSpec(64, 128, n_blocks=n_blocks, tokens=tokens, seed=seed, max_seconds=max_seconds)
    again = BenchmarkSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert again.digest() == spec.digest()
    assert dataclasses.replace(spec, tokens=tokens + 1).digest() != spec.digest()


def test_a_field_that_came_later_leaves_the_identity_of_older_requests() -> None:
    # Computed before there were peers and allocators.
    assert BenchmarkSpec(768, 3072).digest() == "5040d41f7261f3e910f117e57345af0e79d56fa0a9cdf21396a65a0f2d844336"
    assert BenchmarkSpec(768, 3072, peers=["low_rank"]).digest() != BenchmarkSpec(768, 3072).digest()
    assert BenchmarkSpec(768, 3072, allocator="keep_pages").digest() != BenchmarkSpec(768, 3072).digest()
    assert BenchmarkSpec(768, 3072, peers=[]) == BenchmarkSpec(768, 3072)
