"""Verdicts over REST: the record of the library, from runs that are stored, and plain refusals."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from service_tools import LONG, SMALL, ended
from verdict_cases import candidate, finished

from dyad_core.bench import BenchmarkRun
from dyad_core.verdict import Verdict, decide, verdicts

VERDICTS, RUNS = "/api/v1/verdicts", "/api/v1/benchmarks"


def keep(client: TestClient, run: BenchmarkRun) -> str:
    answer = client.post(f"{RUNS}/import", json=run.to_dict())
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def run() -> BenchmarkRun:
    return finished(candidate(1.5), candidate(0.5, n_blocks=8), candidate(1.2, n_blocks=16), dtype="bfloat16")


@pytest.fixture(scope="module")
def run_id(shared_client: TestClient, run: BenchmarkRun) -> str:
    return keep(shared_client, run)


def test_it_is_the_record_of_the_library_and_the_others_behind_it(
    shared_client: TestClient, run: BenchmarkRun, run_id: str
) -> None:
    values = shared_client.post(VERDICTS, json={"run": run_id}).json()
    others = values.pop("others")
    named = {"run_id": run_id, "address": f"{RUNS}/{run_id}", "origin": "imported"}

    assert Verdict.from_dict(values) == decide(run, **named)
    assert [Verdict.from_dict(each) for each in others] == list(verdicts(run, **named)[1:])
    assert values["decision"] == "swap"
    assert values["evidence"] == [run_id]
    assert values["sentence"].endswith(f"measured on another machine (run {RUNS}/{run_id}).")
    assert shared_client.get(values["address"]).status_code == 200


def test_a_candidate_a_pass_and_a_threshold_can_be_named(shared_client: TestClient, run_id: str) -> None:
    def ask(**fields: Any) -> dict[str, Any]:
        answer: dict[str, Any] = shared_client.post(VERDICTS, json={"run": run_id, **fields}).json()
        return answer

    slow = ask(n_blocks=8, variant="it", grain=1, implementation="auto")
    assert (slow["decision"], slow["geometry"]["n_blocks"], slow["others"]) == ("do_not_swap", 8, [])
    assert ask(required_speedup=1.6)["decision"] == "not_distinguishable"
    assert ask(required_speedup=2)["decision"] == "do_not_swap"
    assert ask(max_loss=0.01)["depends_on"] == "quality"
    assert ask(**{"pass": "forward"}) == ask(passes=["forward"]) == ask()


def test_a_request_is_answered_by_its_newest_run_of_this_machine(client: TestClient) -> None:
    there = client.post(VERDICTS, json={"benchmark": SMALL})
    assert there.status_code == 404
    assert there.json()["errors"][0]["suggestion"] == "POST /api/v1/benchmarks measures it"

    own = ended(client, client.post(RUNS, json=SMALL).json()["id"])
    assert own["status"] == "succeeded", own["error"]
    foreign = BenchmarkRun.from_dict(own["result"])
    keep(client, foreign)
    values = client.post(VERDICTS, json={"benchmark": SMALL}).json()

    assert values["evidence"] == [own["id"]]
    assert values["conditions"]["origin"] == "local"
    assert "another machine" not in values["sentence"]


def test_a_run_without_a_result_is_a_conflict(client: TestClient) -> None:
    waiting = client.post(RUNS, json=LONG).json()["id"]

    by_id = client.post(VERDICTS, json={"run": waiting})
    assert by_id.status_code == 409
    assert "has no result to judge" in by_id.json()["detail"]
    by_request = client.post(VERDICTS, json={"benchmark": LONG})
    assert by_request.status_code == 409
    assert by_request.json()["errors"][0]["received"] == waiting
    client.post(f"{RUNS}/{waiting}/cancel")
    ended(client, waiting)
    assert client.post(VERDICTS, json={"run": waiting}).status_code == 409
    assert client.post(VERDICTS, json={"benchmark": LONG}).status_code == 404


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"variant": "ot"}, {"variant"}),
        ({"variant": ["it"]}, {"variant"}),
        ({"n_blocks": 3, "required_speedup": "fast", "max_loss": -1}, {"n_blocks", "required_speedup", "max_loss"}),
        ({"passes": []}, {"passes"}),
        ({"passes": [["forward"]]}, {"passes"}),
        ({"pass": "decode"}, {"passes"}),
        ({"pass": "forward", "passes": ["forward"]}, {"pass"}),
        ({"implementation": "triton"}, {"implementation"}),
        ({"speedup": 2}, {"speedup"}),
        ({"benchmark": {"in_features": 1, "out_features": 1}}, {"run"}),
        ({"run": 7}, {"run"}),
        ({"run": None}, {"run"}),
        ({"run": None, "benchmark": 7}, {"benchmark"}),
        ({"run": None, "benchmark": {"in_features": 7}}, {"benchmark.out_features"}),
    ],
)
def test_wrong_fields_are_named(
    shared_client: TestClient, run_id: str, fields: dict[str, Any], wrong: set[str]
) -> None:
    answer = shared_client.post(VERDICTS, json={"run": run_id, **fields})

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {problem["field"] for problem in answer.json()["errors"]} == wrong


def test_an_unknown_run_is_not_there(shared_client: TestClient) -> None:
    assert shared_client.post(VERDICTS, json={"run": "0" * 32}).status_code == 404
    assert shared_client.post(VERDICTS, json={"run": ""}).status_code == 404


def test_a_layer_is_answered_by_the_newest_run_that_holds_it(client: TestClient) -> None:
    asked = {"layer": {"in_features": 768, "out_features": 3072}, "variant": "it", "n_blocks": 4}
    none = client.post(VERDICTS, json=asked)
    assert (none.status_code, none.json()["detail"]) == (404, "No run of this layer is stored.")
    older = keep(client, finished(candidate(1.5), candidate(0.5, n_blocks=8)))
    newer = keep(client, finished(candidate(1.2), tokens=64))

    assert client.post(VERDICTS, json=asked).json()["evidence"] == [newer]
    assert client.post(VERDICTS, json=asked | {"n_blocks": 8}).json()["evidence"] == [older]
    assert client.post(VERDICTS, json=asked | {"n_blocks": 16}).status_code == 404
    other = {"in_features": 768, "out_features": 3072, "module": "feed_forward"}
    assert client.post(VERDICTS, json=asked | {"layer": other}).status_code == 404


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"layer": 3}, {"layer"}),
        ({"layer": {"in_features": 0, "width": 1}}, {"layer.in_features", "layer.out_features", "layer.width"}),
        ({"layer": {"in_features": 8, "out_features": 8, "module": "x"}, "variant": "z"}, {"layer.module", "variant"}),
        ({"layer": {"in_features": 8, "out_features": 8}, "n_blocks": [4]}, {"n_blocks"}),
        ({"layer": {"in_features": 8, "out_features": 8}, "run": "0" * 32}, {"run"}),
        ({}, {"run"}),
    ],
)
def test_a_wrong_layer_is_named_field_by_field(client: TestClient, body: dict[str, Any], fields: set[str]) -> None:
    answer = client.post(VERDICTS, json=body)
    assert answer.status_code == 422, answer.text
    assert {error["field"] for error in answer.json()["errors"]} == fields
