"""What goes with a request that queues a job: keys, clients, priorities, limits; and the answers that wait for news."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from service_tools import SLEEP, SMALL, ProcessKind, wait_until

from backend.app import create_app
from backend.jobs.kinds.benchmark import BenchmarkKind
from backend.settings import Settings

RUNS = "/api/v1/benchmarks"


class Slow(BenchmarkKind):
    """Benchmarks whose requests are checked as always; their work is a process that sleeps."""

    def run(self, spec: dict[str, Any], context: Any) -> Any:
        return ProcessKind().run({"code": SLEEP}, context)


@pytest.fixture
def slow(settings: Settings) -> Iterator[TestClient]:
    """The application with a measurement under way, so that everything else waits."""
    limited = settings.model_copy(update={"queue_limit": 6, "client_queue_limit": 4})
    with TestClient(create_app(limited, kinds={"benchmark": Slow(), "process": ProcessKind()})) as client:
        first = client.post(RUNS, json=SMALL, headers={"X-Dyad-Client": "first"}).json()["id"]
        wait_until(lambda: client.get(f"{RUNS}/{first}").json()["progress"], "the start of the first run")
        client.headers["X-First"] = first
        yield client


def post(client: TestClient, who: str = "ann", key: str | None = None, **query: Any) -> Any:
    headers = {"X-Dyad-Client": who} | ({} if key is None else {"Idempotency-Key": key})
    return client.post(RUNS, json=SMALL, params=query, headers=headers)


def position(client: TestClient, job_id: str) -> int:
    place: int = client.get(f"{RUNS}/{job_id}").json()["queue_position"]
    return place


def test_a_record_says_who_asked_what_it_needs_and_its_limits(slow: TestClient) -> None:
    record = post(slow, attempts=2, time_limit_s=90.5, memory_limit_bytes=2**30, priority=-1).json()
    assert {name: record[name] for name in ("client", "priority", "device", "attempt", "attempts", "place")} == {
        "client": "ann", "priority": -1, "device": "cpu", "attempt": 0, "attempts": 2, "place": None,
    }  # fmt: skip
    assert (record["time_limit_s"], record["memory_limit_bytes"]) == (90.5, 2**30)
    running = slow.get(f"{RUNS}/{slow.headers['X-First']}").json()
    assert (running["client"], running["attempt"]) == ("first", 1)
    assert running["place"].endswith(" (cpu)")


def test_the_queue_is_fair_between_clients_and_knows_priorities(slow: TestClient) -> None:
    ann = [post(slow).json()["id"] for _ in range(3)]
    ben = post(slow, "ben").json()["id"]
    assert [position(slow, job) for job in (*ann, ben)] == [1, 3, 4, 2]
    urgent = post(slow, "ben", priority=5).json()["id"]
    assert [position(slow, job) for job in (urgent, *ann, ben)] == [1, 2, 4, 5, 3]
    listed = slow.get(RUNS, params={"status": "queued"}).json()["items"]
    assert {item["id"]: item["queue_position"] for item in listed} == {
        urgent: 1, ann[0]: 2, ben: 3, ann[1]: 4, ann[2]: 5,
    }  # fmt: skip


def test_a_full_queue_says_when_to_come_back_and_one_client_cannot_fill_it(slow: TestClient) -> None:
    assert [post(slow).status_code for _ in range(5)] == [202] * 4 + [429]
    refused = post(slow)
    assert "4 jobs of this client are waiting already" in refused.json()["detail"]
    assert [post(slow, "ben").status_code for _ in range(3)] == [202, 202, 429]
    refused = post(slow, "cleo")
    assert "6 jobs are waiting already" in refused.json()["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 600
    assert f"Try again in {refused.headers['Retry-After']} s" in refused.json()["detail"]


def test_a_key_queues_once_however_often_it_comes(slow: TestClient) -> None:
    first = post(slow, key="k-1")
    again = post(slow, key="k-1")
    assert first.status_code == again.status_code == 202
    assert again.json()["id"] == first.json()["id"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert post(slow, "ben", key="k-1").json()["id"] != first.json()["id"]

    headers = {"X-Dyad-Client": "ann", "Idempotency-Key": "k-1"}
    other = slow.post(RUNS, json=SMALL | {"seed": 7}, headers=headers)
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"
    slow.post(f"{RUNS}/{first.json()['id']}/cancel")
    assert post(slow, key="k-1").json()["status"] == "cancelled"


def test_of_many_that_come_at_once_with_one_key_one_is_queued(slow: TestClient) -> None:
    start = threading.Barrier(8)

    def submit(_number: int) -> str:
        start.wait()
        answer = post(slow, key="race")
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(submit, range(8)))) == 1


@pytest.mark.parametrize(
    ("query", "headers", "field"),
    [
        ({"priority": 11}, {}, "priority"),
        ({"priority": "high"}, {}, "priority"),
        ({"attempts": 0}, {}, "attempts"),
        ({"time_limit_s": 0}, {}, "time_limit_s"),
        ({"time_limit_s": "nan"}, {}, "time_limit_s"),
        ({"memory_limit_bytes": 1}, {}, "memory_limit_bytes"),
        ({"device_kind": "H 200"}, {}, "device_kind"),
        ({"device_kind": "H200"}, {}, "device_kind"),
        ({}, {"Idempotency-Key": ""}, "Idempotency-Key"),
        ({}, {"Idempotency-Key": "a b"}, "Idempotency-Key"),
        ({}, {"Idempotency-Key": "k" * 256}, "Idempotency-Key"),
        ({}, {"X-Dyad-Client": "x" * 81}, "X-Dyad-Client"),
        ({}, {"X-Dyad-Client": "\xe9\x01"}, "X-Dyad-Client"),
    ],
)
def test_a_wrong_option_is_named(
    shared_client: TestClient, query: dict[str, Any], headers: dict[str, str], field: str
) -> None:
    sent = [(name, value.encode("latin-1")) for name, value in headers.items()]
    answer = shared_client.post(RUNS, json=SMALL, params=query, headers=sent)
    assert answer.status_code == 422, answer.text
    assert [problem["field"] for problem in answer.json()["errors"]] == [field]
    assert answer.json()["errors"][0]["rule"]


def test_a_long_poll_answers_when_there_is_news_and_at_the_latest_in_its_time(slow: TestClient) -> None:
    url = f"{RUNS}/{post(slow).json()['id']}"
    waiting = slow.get(url).json()
    assert slow.get(url, params={"wait_s": 0.2, "version": waiting["version"]}).json() == waiting
    assert slow.get(url, params={"wait_s": 60, "version": waiting["version"] + 5}).json() == waiting

    def cancel_soon() -> None:
        time.sleep(0.3)
        slow.post(f"{url}/cancel")

    canceller = threading.Thread(target=cancel_soon)
    canceller.start()
    record = slow.get(url, params={"wait_s": 60}).json()
    canceller.join()
    assert record["status"] == "cancelled"
    assert record["version"] > waiting["version"]
    assert slow.get(f"/api/v1/jobs/{waiting['id']}", params={"wait_s": 60}).json() == record
    assert slow.get(f"{RUNS}/{'0' * 32}", params={"wait_s": 1}).status_code == 404
    assert slow.get(url, params={"wait_s": 61}).status_code == 422


def test_the_log_of_a_job_tells_its_life_and_is_read_on(slow: TestClient) -> None:
    job = slow.headers["X-First"]
    log = slow.get(f"/api/v1/jobs/{job}/log").json()
    assert [line["text"].split(" ")[:2] for line in log["items"]] == [["Started", "on"]]
    slow.post(f"{RUNS}/{job}/cancel")
    wait_until(lambda: slow.get(f"{RUNS}/{job}").json()["status"] == "cancelled", "the end")
    later = slow.get(f"/api/v1/jobs/{job}/log", params={"after": log["next"]}).json()
    assert [line["text"] for line in later["items"]] == ["It was cancelled."]
    assert later["items"][0]["attempt"] == 1
    assert slow.get(f"/api/v1/jobs/{job}/log", params={"after": later["next"]}).json() == {
        "items": [], "next": later["next"],
    }  # fmt: skip
    assert slow.get(f"/api/v1/jobs/{'0' * 32}/log").status_code == 404


def test_cancelling_twice_is_harmless_until_it_is_over(slow: TestClient) -> None:
    job = slow.headers["X-First"]
    assert [slow.post(f"{RUNS}/{job}/cancel").status_code for _ in range(2)] in ([202, 202], [202, 409])
    wait_until(lambda: slow.get(f"{RUNS}/{job}").json()["status"] == "cancelled", "the end")
    answer = slow.post(f"{RUNS}/{job}/cancel")
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["received"] == "cancelled"
