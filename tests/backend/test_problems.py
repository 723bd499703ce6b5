"""Problem documents: whatever was received can be sent back, and a mistake of the service stays inside."""

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from backend.app import create_app
from backend.problems import printable, problem_response
from backend.settings import Settings
from dyad_core.errors import Problem

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=20,
)


@given(value=ANYTHING, text=st.text(st.characters(), max_size=900))
def test_any_received_value_becomes_short_valid_json(value: object, text: str) -> None:
    answer = problem_response(422, text, [Problem(text, text, value, text)])
    body = json.loads(bytes(answer.body).decode("utf-8"))

    assert (
        {"type", "title", "status", "detail", "errors"}
        <= set(body)
        <= {"type", "title", "status", "detail", "instance", "errors"}
    )
    assert len(json.dumps(body["errors"][0]["received"])) < 1500


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (4.5, 4.5), (float("nan"), "NaN"), (float("-inf"), "-Infinity"), (True, True), (None, None),
        ([1, "a"], [1, "a"]), (10**30, "1" + "0" * 30), ("\ud800", "\\ud800"), ("a\x00", "a\\x00"), ({"a": 1}, {"a": 1}),
    ],
)  # fmt: skip
def test_received_values_are_shown_as_they_came_where_that_is_possible(value: object, shown: object) -> None:
    assert printable(value) == shown


def test_an_unforeseen_error_is_a_problem_without_its_cause(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(Settings(home=tmp_path))

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("the secret cause")

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/broken")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert "the secret cause" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("PUT", "/api/v1/benchmarks", 405), ("POST", "/healthz", 405), ("GET", "/api/v1", 404)],
)
def test_http_errors_are_problems_too(shared_client: TestClient, method: str, path: str, status: int) -> None:
    answer = shared_client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"]
    assert ("allow" in answer.headers) is (status == 405)
