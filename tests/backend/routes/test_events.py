"""The event stream of a run, read from a real server: start, progress, end, and clients that go away."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
from fastapi.testclient import TestClient
from service_tools import LONG, SMALL, ended, wait_until

RUNS = "/api/v1/benchmarks"


def events(answer: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a stream as (name, record)."""
    name = ""
    for line in answer.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def test_a_stream_tells_the_whole_run_and_ends_with_it(server: httpx.Client) -> None:
    run = server.post(RUNS, json=SMALL).json()
    with server.stream("GET", f"{RUNS}/{run['id']}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers  # a compressed stream would arrive late
        heard = list(events(answer))

    names = [name for name, _ in heard]
    assert names[0] == names[-1] == "status"
    assert "progress" in names
    last = server.get(f"{RUNS}/{run['id']}").json()
    del last["result"]
    assert heard[-1][1] == last
    fractions = [record["progress"]["fraction"] for _, record in heard if record["progress"]]
    assert fractions == sorted(fractions)
    assert any(record["progress"]["candidates"] for name, record in heard if name == "progress")


def test_a_stream_of_a_finished_run_says_so_and_ends(server: httpx.Client) -> None:
    run = ended(server, server.post(RUNS, json=SMALL).json()["id"])
    with server.stream("GET", f"{RUNS}/{run['id']}/events") as answer:
        ((name, record),) = events(answer)

    assert (name, record["status"]) == ("status", "succeeded")


def test_who_waits_in_the_queue_hears_of_moving_up_and_of_the_end(server: httpx.Client) -> None:
    first, second, third = (server.post(RUNS, json=LONG).json()["id"] for _ in range(3))
    with server.stream("GET", f"{RUNS}/{third}/events") as answer:
        heard = events(answer)
        assert next(heard)[1]["queue_position"] in (2, 3)
        server.post(f"{RUNS}/{second}/cancel")
        wait_until(lambda: next(heard)[1]["queue_position"] == 1, "moving up")
        server.delete(f"{RUNS}/{third}")
        assert [record["status"] for _, record in heard][-1] == "cancelled"
    server.post(f"{RUNS}/{first}/cancel")
    ended(server, first)


def test_clients_that_leave_are_forgotten(client: TestClient) -> None:
    desk = client.app.state.service.desk  # type: ignore[attr-defined]
    run = client.post(RUNS, json=SMALL).json()
    client.get(f"{RUNS}/{run['id']}/events")

    wait_until(lambda: desk.feed.watched() == [], "forgetting")
