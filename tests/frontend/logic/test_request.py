"""Controls, requests, and the two calls to copy, held against the library and the real command line."""

import json
import shlex

import pytest

from dyad_core.bench.spec import BenchmarkSpec
from dyad_core.cli import main
from frontend.logic import presets, request


def test_defaults_are_those_of_the_library() -> None:
    assert BenchmarkSpec(768, 3072).to_dict() == request.DEFAULTS


def test_controls_become_a_request_with_ascending_numbers() -> None:
    asked = request.from_controls(
        {"in_features": 8, "out_features": 16, "n_blocks": ["8", "2", "8"], "variants": ["dt"]}
    )

    assert asked["n_blocks"] == [2, 8]
    assert BenchmarkSpec.from_dict(asked).variants == ("dt",)


def test_an_entry_that_is_no_number_reaches_the_service_as_it_was_typed() -> None:
    assert request.from_controls({"n_blocks": ["four", "2"]})["n_blocks"] == [2, "four"]


def test_curl_carries_the_same_request() -> None:
    asked = request.from_controls({"variants": ["it", "ot"], "threads": 2, "max_seconds": 5.0})
    parts = shlex.split(request.curl(asked, "http://127.0.0.1:8000"))

    assert parts[:4] == ["curl", "-X", "POST", "http://127.0.0.1:8000/api/v1/benchmarks"]
    body = json.loads(parts[parts.index("-d") + 1])
    assert BenchmarkSpec.from_dict(body) == BenchmarkSpec.from_dict(asked)
    assert "seed" not in body, "what the service assumes anyway is left out"


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({"variants": ["it", "bd"], "grains": [1, 2]}, 6),
        ({"n_blocks": [4], "implementations": ["eager", "reference"]}, 2),
    ],
)
def test_the_candidates_expected_are_those_that_the_library_makes(spec: dict[str, object], count: int) -> None:
    asked = request.DEFAULTS | spec
    known = BenchmarkSpec.from_dict(asked)
    expected = request.expected_candidates(asked)

    assert request.candidate_count(asked) == count == len(expected)
    assert [(c["n_blocks"], c["variant"], c["grain"]) for c in expected] == [
        (g.n_blocks, g.variant, g.grain) for g in known.geometries() for _ in known.implementations
    ]


def test_the_summary_says_what_run_will_do() -> None:
    assert request.summary(request.DEFAULTS) == "2 candidates against the dense twin; ideal speed-up 2x and 4x."
    assert "Choose at least one" in request.summary(request.DEFAULTS | {"variants": []})


def test_limits_are_those_of_the_library() -> None:
    spec = BenchmarkSpec(64, 64, n_blocks=(1, 4, 8), variants=("it", "ot", "dt", "bd"))
    assert [request.limit(g.n_blocks, g.variant) for g in spec.geometries()] == [g.limit for g in spec.geometries()]


def test_presets_are_named_with_their_sizes_and_found_again() -> None:
    assert presets.PRESETS[0].label == "OPT-125m fc1 (768 → 3072)"
    assert presets.named("OPT-350m fc2 (4096 → 1024)") is not None
    assert presets.matching(2048, 8192) == "OPT-1.3B fc1 (2048 → 8192)"
    assert presets.matching(768, 3072, "Pythia-160m fc1 (768 → 3072)") == "Pythia-160m fc1 (768 → 3072)"
    assert presets.matching(768, 3071) == presets.CUSTOM
    assert presets.named(presets.CUSTOM) is None


def test_the_command_line_takes_every_option_that_the_dashboard_shows(capsys: pytest.CaptureFixture[str]) -> None:
    asked = {
        **request.from_controls({"in_features": 770, "n_blocks": ["4", "8"], "variants": ["it", "ot"]}),
        "module": "feed_forward",
        "tokens": 16,
        "grains": [2],
        "implementations": ["eager"],
        "passes": ["train_step"],
        "dtype": "float64",
        "device": "cuda:0",
        "threads": 3,
        "seed": 7,
        "max_seconds": 2.5,
        "peers": ["low_rank"],
        "allocator": "keep_pages",
        "optimizer": "sgd",
        "float32_matmul_precision": "high",
        "compile": True,
        "cuda_graph": True,
        "cache": "flushed",
        "n_seeds": 2,
        "target_interval": 0.05,
    }
    command = shlex.split(request.command_line(asked))
    assert set(request._OPTIONS.values()) <= set(command)

    # The one wrong value in it is the size, so that is all the real command complains about.
    with pytest.raises(SystemExit):
        main(command[1:])
    said = " ".join(capsys.readouterr().err.split())
    assert "770" in said
    assert "No such option" not in said
