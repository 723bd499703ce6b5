"""The executor on a real Ray cluster of this machine: a head that only coordinates, and two nodes that measure.

Nodes join and die on the way, so the tests run in the order they stand in, the last of them with what is left.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest
from ray_tools import RayCluster, eventually, ray_cluster, script, skip_reason
from service_tools import LONG, ended

from backend.executors.base import (
    SERVER,
    ExecutorUnusable,
    Limits,
    Needs,
    NoSuchDevice,
    PlaceLost,
    Reservation,
)
from backend.executors.ray_executor import RayExecutor
from backend.ports import free_port
from dyad_core.bench import BenchmarkSpec, run_benchmark
from dyad_core.errors import BenchmarkCancelled, BenchmarkFailed, BenchmarkMemoryLimit, BenchmarkTimeout, SpecError

pytestmark = pytest.mark.skipif(bool(skip_reason()), reason=skip_reason())

ALONE = Needs("cpu")
JOIN_S = 60.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster() as made:
        made.start("one")
        made.start("two")
        yield made


@pytest.fixture(scope="module")
def executor(cluster: RayCluster) -> Iterator[RayExecutor]:
    made = RayExecutor(cluster.address)
    made.open()
    try:
        wait_for_nodes(made, 2)
        yield made
    finally:
        made.close()


@pytest.fixture
def reserve(executor: RayExecutor) -> Iterator[Callable[..., Reservation]]:
    """Reserves what is free, and gives it back."""
    held: list[Reservation] = []

    def take(needs: Needs = ALONE) -> Reservation:
        found = executor.reserve(needs)
        assert found is not None
        held.append(found)
        return found

    yield take
    for each in held:
        each.release()


def wait_for_nodes(executor: RayExecutor, count: int) -> None:
    eventually(lambda: total(executor) == count, within_s=JOIN_S, what=f"{count} nodes measure")


def total(executor: RayExecutor) -> int:
    return sum(group.total for group in executor.groups() if group.kind == "cpu")


def run(place: Reservation, text: str, *, index: int = 0, **options: Any) -> Any:
    options = {"on_message": lambda _message: None, "cancel": threading.Event()} | options
    return place.run(script(text), index=index, **options)


def raylet_of(place: Reservation, cluster: RayCluster, index: int = 0) -> str:
    """The address of the node that work of a place really runs on."""
    parents = run(place, "import psutil; return [each.pid for each in psutil.Process().parents()]", index=index)
    return next(
        node.address for node in cluster.nodes.values() if {each.pid for each in node.processes()} & set(parents)
    )


def test_an_address_that_answers_nothing_is_unusable_and_nothing_is_started_instead() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(ExecutorUnusable, match=f"Nothing answers at {address}.*dyad worker --head"):
            RayExecutor(address).open()


SOMETHING_ELSE = """
import sys
from backend.executors.base import ExecutorUnusable
from backend.executors.ray_executor import RayExecutor
try:
    RayExecutor(sys.argv[1]).open()
except ExecutorUnusable as error:
    print(error)
"""


def test_a_port_of_something_else_is_unusable() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        # In a process of its own, for Ray reads its settings once: here, to wait for less than half a minute.
        quick = {"RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S": "1", "RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S": "1"}
        command = [sys.executable, "-c", SOMETHING_ELSE, address]
        said = subprocess.run(command, env={**os.environ, **quick}, capture_output=True, text=True, check=True)
    assert f"What answers at {address} is no Ray head that takes clients" in said.stdout


def test_work_runs_on_the_node_that_was_reserved_as_if_no_ray_were_there(
    executor: RayExecutor, cluster: RayCluster, reserve: Callable[..., Reservation]
) -> None:
    first, second = reserve(), reserve()
    assert executor.reserve(ALONE) is None
    assert [group.free for group in executor.groups()] == [0]
    ran_at = [raylet_of(each, cluster) for each in (first, second)]
    assert [
        place.endswith(f" at {ran_at[number]} (cpu)") for number, (place,) in enumerate((first.places, second.places))
    ]
    assert len(set(ran_at)) == 2

    messages: list[dict[str, Any]] = []
    text = "report({'a': 1}); report({'a': 2}); return [os.nice(0), os.environ.get('OMP_NUM_THREADS')]"
    found = run(first, text, on_message=messages.append)
    assert found == [os.nice(0), os.environ.get("OMP_NUM_THREADS")]
    assert messages == [{"a": 1}, {"a": 2}]


def test_two_jobs_run_at_once_and_a_node_never_runs_two(executor: RayExecutor) -> None:
    freed = threading.Condition()
    executor.when_freed(lambda: notify(freed))
    spans: list[tuple[str, float, float]] = []

    def job(_number: int) -> None:
        with freed:
            place = eventually_reserved(executor, freed)
        try:
            start, end = run(place, "start = time.time(); time.sleep(0.3); return [start, time.time()]")
            spans.append((place.places[0], start, end))
        finally:
            place.release()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(job, range(4)))
    executor.when_freed(lambda: None)
    assert len({place for place, _, _ in spans}) == 2
    for place in {place for place, _, _ in spans}:
        mine = sorted((start, end) for where, start, end in spans if where == place)
        assert all(before[1] <= after[0] for before, after in zip(mine, mine[1:], strict=False))


def notify(condition: threading.Condition) -> None:
    with condition:
        condition.notify_all()


def eventually_reserved(executor: RayExecutor, freed: threading.Condition) -> Reservation:
    while (place := executor.reserve(ALONE)) is None:
        assert freed.wait(60)
    return place


def test_a_job_that_asks_for_two_devices_gets_both_and_three_are_refused(
    executor: RayExecutor, cluster: RayCluster, reserve: Callable[..., Reservation]
) -> None:
    both = reserve(Needs("cpu", count=2))
    assert len(both.places) == 2
    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(lambda index: raylet_of(both, cluster, index), range(2)))) == 2
    with pytest.raises(NoSuchDevice, match="3 devices of the kind cpu were asked for, and the cluster has 2"):
        executor.check(Needs("cpu", count=3))
    with pytest.raises(NoSuchDevice, match="no GPU"):
        executor.check(Needs("cuda"))


def test_a_benchmark_is_measured_there_and_checked_there(reserve: Callable[..., Reservation]) -> None:
    place = reserve()

    def run_there(work: Any, /, *, on_message: Any, cancel: Any, timeout_s: float | None) -> Any:
        return place.run(work, on_message=on_message, cancel=cancel or threading.Event(), limits=Limits(timeout_s))

    spec = BenchmarkSpec(32, 64, tokens=8, n_blocks=(4,), threads=1, max_seconds=2, target_interval=0.9)
    stages: list[str] = []
    found = run_benchmark(
        spec, run_work=run_there, check="there", on_progress=lambda progress: stages.append(progress.stage)
    )
    assert found.environment.hostname == os.uname().nodename
    assert found.environment.threads == 1
    assert found.candidates[1].samples_ms
    assert len(set(stages)) > 1
    with pytest.raises(SpecError) as refused:
        run_benchmark(BenchmarkSpec(32, 64, threads=4096), run_work=run_there, check="there")
    assert refused.value.problems[0].field == "threads"


def test_errors_come_across_whole_and_the_place_goes_on(reserve: Callable[..., Reservation]) -> None:
    place = reserve()
    with pytest.raises(BenchmarkFailed) as failed:
        run(place, "print('the last words', file=sys.stderr, flush=True); os._exit(3)")
    assert (failed.value.exit_code, failed.value.stderr_tail) == (3, "the last words")
    assert failed.value.__notes__ == [f"on {place.places[0]}"]
    with pytest.raises(BenchmarkTimeout, match="past its limit of 1 s"):
        run(place, "time.sleep(60)", limits=Limits(seconds=1.0))
    with pytest.raises(BenchmarkMemoryLimit) as held:
        run(place, "kept = bytearray(300 << 20); time.sleep(60)", limits=Limits(memory_bytes=200 << 20))
    assert held.value.limit_bytes == 200 << 20
    assert run(place, "return 7") == 7


def test_cancelling_ends_the_process_and_all_that_it_started(reserve: Callable[..., Reservation]) -> None:
    place, cancel, started = reserve(), threading.Event(), threading.Event()
    pids: list[int] = []

    def hear(message: dict[str, Any]) -> None:
        pids.extend(message["pids"])
        started.set()

    text = (
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "report({'pids': [os.getpid(), child.pid]})\ntime.sleep(600)"
    )
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, place, text, on_message=hear, cancel=cancel)
        assert started.wait(60)
        cancel.set()
        with pytest.raises(BenchmarkCancelled):
            running.result(30)
    eventually(lambda: not any(map(psutil.pid_exists, pids)), within_s=10, what="both processes are gone")
    assert run(place, "return 7") == 7  # with an actor anew


def test_what_a_listener_raises_ends_the_work(reserve: Callable[..., Reservation]) -> None:
    place, pids = reserve(), []

    def hear(message: dict[str, Any]) -> None:
        pids.append(message["pid"])
        raise KeyError("full")

    with pytest.raises(KeyError):
        run(place, "report({'pid': os.getpid()}); time.sleep(600)", on_message=hear)
    eventually(lambda: not psutil.pid_exists(pids[0]), within_s=10, what="the process is gone")


def test_work_for_files_of_the_service_runs_beside_it(executor: RayExecutor) -> None:
    place = executor.reserve(Needs(SERVER, alone=False))
    assert place is not None
    parent = place.run(script("return os.getppid()"), on_message=print, cancel=threading.Event())
    assert parent == os.getpid()
    place.release()


CLIENT = """
import sys, threading
from backend.executors.ray_executor import RayExecutor
from backend.executors.base import Needs
from ray_tools import script
executor = RayExecutor(sys.argv[1])
executor.open()
place = executor.reserve(Needs("cpu"))
say = lambda message: print(message["pid"], flush=True)
place.run(script("report({'pid': os.getpid()}); time.sleep(600)"), on_message=say, cancel=threading.Event())
"""


def test_a_service_that_is_killed_leaves_no_process_behind(cluster: RayCluster, executor: RayExecutor) -> None:
    command = [sys.executable, "-c", CLIENT, cluster.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=cluster.environment) as service:
        assert service.stdout is not None
        pid = int(service.stdout.readline())
        assert psutil.pid_exists(pid)
        service.send_signal(signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(pid), within_s=30, what="the measuring process is gone")


def test_a_node_that_dies_in_the_middle_is_told_and_the_work_goes_on_elsewhere(
    executor: RayExecutor, cluster: RayCluster, reserve: Callable[..., Reservation]
) -> None:
    first = reserve()
    address = raylet_of(first, cluster)
    name = next(name for name, node in cluster.nodes.items() if node.address == address)
    started = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, first, "report({}); time.sleep(600)", on_message=lambda _message: started.set())
        assert started.wait(60)
        cluster.nodes.pop(name).kill()
        with pytest.raises(PlaceLost, match=address):
            running.result(60)
    first.release()
    wait_for_nodes(executor, 1)
    second = reserve()
    assert raylet_of(second, cluster) != address
    assert executor.reserve(ALONE) is None

    def are_too_few() -> bool:
        try:
            executor.check(Needs("cpu", count=2))
        except NoSuchDevice as error:
            return "2 devices of the kind cpu" in str(error)
        return False

    eventually(are_too_few, within_s=JOIN_S, what="the cluster counts one machine")


def test_a_machine_that_joins_wakes_the_scheduler(executor: RayExecutor, cluster: RayCluster) -> None:
    joined = threading.Event()
    executor.when_freed(joined.set)
    cluster.start("three")
    assert joined.wait(JOIN_S)
    assert total(executor) == 2


@pytest.fixture(scope="module")
def service(cluster: RayCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The real service on the same cluster, in a process of its own."""
    port, home = free_port("127.0.0.1"), tmp_path_factory.mktemp("home")
    settings = {
        "DYAD_EXECUTOR": "ray",
        "DYAD_RAY_ADDRESS": cluster.address,
        "DYAD_HOME": str(home),
        "DYAD_PORT": str(port),
        "DYAD_REFERENCE_RUNS": "0",
    }
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "backend"], env={**cluster.environment, **settings}, stderr=log, stdout=log
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:

            def is_ready() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    groups = client.get("/api/v1/system").json()["device_groups"]
                    return [group["total"] for group in groups] == [2]
                return False

            eventually(is_ready, within_s=90, what="the service sees both nodes", log=home / "log")
            yield client
    finally:
        process.terminate()
        process.wait(30)


def test_a_sweep_is_measured_by_both_nodes(service: httpx.Client) -> None:
    sweep = {
        "widths": [32, 64],
        "tokens": [8],
        "n_blocks": [4],
        "threads": 1,
        "max_seconds": 120,
        "target_interval": 0.9,
    }
    job = service.post("/api/v1/sweeps", json=sweep)
    assert job.status_code == 202, job.text
    record = ended(service, job.json()["id"])
    assert record["status"] == "succeeded", record
    assert len(record["place"].split(", ")) == 2
    said = service.get(f"/api/v1/jobs/{record['id']}/log").json()["items"]
    for place in record["place"].split(", "):
        assert any(f"measuring process on {place} ended" in line["text"] for line in said), said
    assert len(record["result"]["points"]) == 2


def test_a_job_whose_node_dies_is_started_on_another(service: httpx.Client, cluster: RayCluster) -> None:
    job = service.post("/api/v1/benchmarks?attempts=2", json=LONG)
    assert job.status_code == 202, job.text
    path = f"/api/v1/jobs/{job.json()['id']}"

    def measures(attempt: int) -> str | None:
        record = service.get(path).json()
        assert record["status"] in ("queued", "running"), record
        measuring = record["attempt"] == attempt and (record["progress"] or {}).get("stage") not in (None, "starting")
        return str(record["place"]) if measuring else None

    first = eventually(lambda: measures(1), within_s=90, what="it is measured")
    name = next(name for name, node in cluster.nodes.items() if f" {node.address} " in first)
    cluster.nodes.pop(name).kill()
    second = eventually(lambda: measures(2), within_s=90, what="it is measured elsewhere")
    assert second != first
    assert service.post(f"{path.replace('jobs', 'benchmarks')}/cancel").status_code in (200, 202)
    assert ended(service, job.json()["id"])["status"] == "cancelled"
    assert "is gone" in str(service.get(f"{path}/log").json()) or "was lost" in str(service.get(f"{path}/log").json())


@pytest.mark.soak
def test_a_head_that_is_gone_is_told_and_found_again(executor: RayExecutor, cluster: RayCluster) -> None:
    wait_for_nodes(executor, 1)
    place = executor.reserve(ALONE)
    assert place is not None
    started = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, place, "report({}); time.sleep(600)", on_message=lambda _message: started.set())
        assert started.wait(60)
        assert executor.problem() == ""
        cluster.nodes.pop("head").kill()
        with pytest.raises(PlaceLost):
            running.result(60)
    place.release()
    eventually(executor.problem, within_s=30, what="the loss is told")
    assert f"The Ray head at {cluster.address} is gone" in executor.problem()
    assert executor.reserve(ALONE) is None
    assert not [each for each in psutil.Process().children(recursive=True) if "gcs_server" in each.name()]

    cluster.start("head")
    # The node joins by itself.
    eventually(lambda: not executor.problem() and total(executor) == 1, within_s=JOIN_S, what="the cluster is back")
    again = executor.reserve(ALONE)
    assert again is not None
    assert run(again, "return 7") == 7
    again.release()
