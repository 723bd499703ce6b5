"""Every way to get a benchmark request wrong ends in a sentence per field: one line each."""

import gzip
from typing import Any

import pytest
from fastapi.testclient import TestClient
from service_tools import SMALL

from dyad_core.bench import SCHEMA_VERSION

RUNS = "/api/v1/benchmarks"
PROBLEM = {"type", "title", "status", "detail", "instance", "errors"}
SIZES = {"in_features": 64, "out_features": 64}


def errors_of(answer: Any, status: int = 422) -> list[dict[str, Any]]:
    """Check the shape of a problem and return its entries."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == PROBLEM
    assert body["status"] == status
    assert body["detail"]
    assert "Traceback" not in answer.text
    for entry in body["errors"]:
        assert set(entry) == {"field", "rule", "received", "suggestion"}
        assert entry["field"]
        assert entry["rule"]
    errors: list[dict[str, Any]] = body["errors"]
    return errors


@pytest.mark.parametrize(
    ("change", "field", "rule", "suggestion"),
    [
        ({"in_features": 66}, "in_features", "divisible by n_blocks=4", "64, 68"),
        (
            {"out_features": 66},
            "out_features",
            "divisible by n_blocks=4",
            "nearest n_blocks that divide both sizes: 1, 2",
        ),
        ({"in_features": 0}, "in_features", "positive integer", "the smallest is 1"),
        ({"in_features": -64}, "in_features", "positive integer", "the smallest is 1"),
        ({"in_features": 64.0}, "in_features", "positive integer", ""),
        ({"in_features": 64.5}, "in_features", "positive integer", ""),
        ({"in_features": "64"}, "in_features", "positive integer", ""),
        ({"in_features": True}, "in_features", "positive integer", ""),
        ({"in_features": None}, "in_features", "positive integer", ""),
        ({"in_features": [64]}, "in_features", "positive integer", ""),
        ({"in_features": {"a": 1}}, "in_features", "positive integer", ""),
        ({"in_features": 10**30}, "in_features", "2**63", ""),
        ({"in_features": 10**1000}, "in_features", "positive integer", ""),
        ({"tokens": 0}, "tokens", "positive integer", "the smallest is 1"),
        ({"n_blocks": [0]}, "n_blocks", "positive integer", "the smallest is 1"),
        ({"n_blocks": [-4]}, "n_blocks", "positive integer", ""),
        ({"n_blocks": [[4]]}, "n_blocks", "positive integer", ""),
        ({"n_blocks": []}, "n_blocks", "must not be empty", ""),
        ({"n_blocks": 4}, "n_blocks", "must be a list", "[4]"),
        ({"variants": ["xy"]}, "variants", "among it, ot, dt, bd", ""),
        ({"variants": "it"}, "variants", "must be a list", "['it']"),
        ({"variants": [{"it": 1}]}, "variants", "among it, ot, dt, bd", ""),
        ({"dtype": "int8"}, "dtype", "one of float32", ""),
        ({"dtype": 32}, "dtype", "one of float32", ""),
        ({"device": "tpu"}, "device", "must be cpu, cuda", ""),
        ({"device": "cuda:99"}, "device", "must be a device of this machine", "devices here: cpu"),
        ({"module": "conv"}, "module", "one of linear, feed_forward", ""),
        ({"passes": ["sideways"]}, "passes", "among forward, backward_input", ""),
        ({"implementations": ["magic"]}, "implementations", "registered", "eager"),
        ({"grains": [5]}, "grains", "must divide", "nearest grains that work"),
        ({"threads": 0}, "threads", "positive integer", ""),
        ({"threads": 10**6}, "threads", "at most", ""),
        ({"seed": -1}, "seed", "integer from 0", ""),
        ({"max_seconds": 0}, "max_seconds", "above 0", ""),
        ({"max_seconds": "soon"}, "max_seconds", "number of seconds", ""),
        ({"colour": "red"}, "colour", "is not a field", "known fields"),
        ({"dtype": "a\x00b"}, "dtype", "NUL", ""),
    ],
)
def test_a_wrong_value_is_answered_with_field_rule_and_what_would_do(
    shared_client: TestClient, change: dict[str, Any], field: str, rule: str, suggestion: str
) -> None:
    (error,) = errors_of(shared_client.post(RUNS, json=SMALL | change))

    assert error["field"] == field
    assert rule in error["rule"]
    assert suggestion in error["suggestion"]
    assert shared_client.get(RUNS).json()["total"] == 0


@pytest.mark.parametrize("size", [2**20, 2**31, 2**40, 2**62])
def test_an_absurdly_large_layer_is_refused_with_the_bytes_needed_and_there(
    shared_client: TestClient, size: int
) -> None:
    (error,) = errors_of(shared_client.post(RUNS, json={"in_features": size, "out_features": size}))

    assert error["rule"].count(" bytes (") == 2
    assert error["field"] in ("in_features", "tokens")


def test_absurdly_many_candidates_are_refused(shared_client: TestClient) -> None:
    (error,) = errors_of(shared_client.post(RUNS, json=SIZES | {"n_blocks": list(range(1, 1000))}))
    assert "at most 256 candidates" in error["rule"]


def test_all_problems_are_said_at_once(shared_client: TestClient) -> None:
    wrong = {"in_features": -1, "tokens": 0, "variants": ["xy"], "dtype": "int8", "n_blocks": [0], "colour": 1}
    fields = {error["field"] for error in errors_of(shared_client.post(RUNS, json=wrong))}

    assert fields == {"in_features", "out_features", "tokens", "variants", "dtype", "n_blocks", "colour"}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_dtype_that_the_processor_only_emulates_runs_and_is_flagged(shared_client: TestClient, dtype: str) -> None:
    cpu = shared_client.get("/api/v1/system").json()["devices"][0]
    if dtype not in cpu["emulated_dtypes"]:
        pytest.skip(f"this processor computes {dtype} natively")
    answer = shared_client.post(RUNS, json=SMALL | {"dtype": dtype})
    shared_client.delete(answer.headers["location"])

    assert answer.status_code == 202
    assert any(f"dtype {dtype} is not native" in warning for warning in answer.json()["warnings"])


@pytest.mark.parametrize("n", [1, 2])
def test_block_counts_that_save_nothing_run_and_are_flagged(shared_client: TestClient, n: int) -> None:
    answer = shared_client.post(RUNS, json=SMALL | {"n_blocks": [n]})
    shared_client.post(f"{answer.headers['location']}/cancel")

    assert answer.status_code == 202
    assert any("saves nothing" in warning for warning in answer.json()["warnings"])


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"{'in_features': 1}", 400, "line 1, column 2"),
        (b'{"in_features": }', 400, "not JSON"),
        (b"\xff\xfe{", 400, "not"),
        (b'{"in_features": "\xff"}', 400, "not UTF-8"),
        (b"[" * 100_000, 400, "nested deeper"),
        (b'{"a":' * 100_000, 400, "nested deeper"),
        (b'{"n_blocks": ' + b"[" * 50 + b"]" * 50 + b"}", 422, "wrong"),
        (b"[]", 422, "wrong"),
        (b"null", 422, "wrong"),
        (b'"text"', 422, "wrong"),
        (b'{"in_features": 64, "out_features": 64, "dtype": "\\ud800"}', 422, "wrong"),
        (b'{"in_features": 64, "out_features": 64, "\\udfff": 1}', 422, "wrong"),
        (b'{"in_features": NaN, "out_features": 64}', 422, "wrong"),
        (b'{"in_features": 64, "out_features": -Infinity}', 422, "wrong"),
        (b'{"in_features": 64, "out_features": 64, "max_seconds": 1e999}', 422, "wrong"),
        (b'{"in_features": ' + b"9" * 100_000 + b', "out_features": 64}', 422, "wrong"),
    ],
)
def test_a_body_that_is_no_request_is_a_problem_too(
    shared_client: TestClient, body: bytes, status: int, words: str
) -> None:
    for path in (RUNS, f"{RUNS}/import", "/api/v1/structure/pattern"):
        answer = shared_client.post(path, content=body, headers={"content-type": "application/json"})
        errors_of(answer, status)
        if path == RUNS:
            assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (gzip.compress(b"{}" * 1000), "compressed by gzip"),
        (b"{}," * 1_000_001, "at most 1,000,000 objects"),
        (b'{"schema_version": 1,\n "runs": [{}, {}', "cut off"),
    ],
)
def test_a_file_that_is_none_is_refused_before_it_grows(shared_client: TestClient, body: bytes, words: str) -> None:
    answer = shared_client.post(f"{RUNS}/import", content=body, headers={"content-type": "application/json"})
    errors_of(answer, 400)
    assert words in answer.json()["detail"]


def test_a_wrong_field_of_a_file_is_named_with_its_line(shared_client: TestClient) -> None:
    body = b'{"schema_version": 1,\n "spec": {"in_features": 64, "out_features": "64"},\n "environment": {}}'
    (error,) = errors_of(shared_client.post(f"{RUNS}/import", content=body))
    assert (error["field"], error["rule"]) == ("spec.out_features", "must be a positive integer (line 2, column 46)")


def test_a_body_of_another_type_is_refused(shared_client: TestClient) -> None:
    errors = errors_of(shared_client.post(RUNS, data={"in_features": "64"}), 415)
    assert errors[0]["field"] == "Content-Type"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_not_read(shared_client: TestClient, chunked: bool) -> None:
    limit = shared_client.app.state.settings.max_body_bytes  # type: ignore[attr-defined]
    body = b" " * (limit + 1)
    answer = shared_client.post(RUNS, content=iter([body[: limit // 2], body[limit // 2 :]]) if chunked else body)

    errors_of(answer, 413)
    assert str(limit) in answer.json()["detail"]


@pytest.mark.parametrize("run_id", ["f" * 32, "x", "%00", "%ED%A0%80", "f" * 5000, "é"])
@pytest.mark.parametrize(
    ("method", "rest"),
    [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/events"), ("GET", "/export")],
)
def test_an_unknown_run_is_not_found(shared_client: TestClient, run_id: str, method: str, rest: str) -> None:
    answer = shared_client.request(method, f"{RUNS}/{run_id}{rest}")
    errors_of(answer, 404)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "limit=", "offset=-1", f"offset={10**30}", "status=done", "origin=moon",
     "variant=xy", "order=size", "device=%00", "device=" + "a" * 99],
)  # fmt: skip
def test_a_wrong_filter_is_named(shared_client: TestClient, query: str) -> None:
    (error,) = errors_of(shared_client.get(f"{RUNS}?{query}"))
    assert error["field"] == query.partition("=")[0]


def test_a_wrong_export_format_is_named(shared_client: TestClient) -> None:
    (error,) = errors_of(shared_client.get(f"{RUNS}/{'f' * 32}/export?format=xml"))
    assert error["field"] == "format"
    assert error["received"] == "xml"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "schema_version"),
        ({"schema_version": 99}, "schema_version"),
        ({"schema_version": "1"}, "schema_version"),
        ({"schema_version": 1}, "spec"),
        ({"schema_version": 1, "spec": [], "environment": {}, "candidates": []}, "spec"),
        ({"schema_version": 1, "spec": SIZES, "environment": {}, "candidates": []}, "environment.hostname"),
        ({"schema_version": 1, "spec": SIZES | {"n_blocks": [5]}, "environment": {}}, "spec.in_features"),
        ({"schema_version": 1, "runs": []}, "runs"),
        ({"schema_version": 1, "runs": [{"schema_version": 1}]}, "runs.0.spec"),
        ({"schema_version": SCHEMA_VERSION + 1, "runs": []}, "schema_version"),
        ({"schema_version": SCHEMA_VERSION, "runs": [], "more": 1}, "runs"),
    ],
)
def test_a_wrong_result_file_is_refused_by_field(shared_client: TestClient, body: dict[str, Any], field: str) -> None:
    errors = errors_of(shared_client.post(f"{RUNS}/import", json=body))
    assert errors[0]["field"] == field
