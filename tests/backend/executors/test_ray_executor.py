"""The executor on a real Ray cluster of this machine: which work runs on which node, and nodes that come and go."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ray_tools import ALONE, JOIN_S, RayCluster, eventually, run, script, skip_reason, total, wait_for_nodes

from backend.executors.base import SERVER, Needs, NoSuchDevice, PlaceLost, Reservation
from backend.executors.ray_executor import RayExecutor

pytestmark = pytest.mark.skipif(bool(skip_reason()), reason=skip_reason())


def raylet_of(place: Reservation, cluster: RayCluster, index: int = 0) -> str:
    """The address of the node that work of a place really runs on."""
    parents = run(place, "import psutil; return [each.pid for each in psutil.Process().parents()]", index=index)
    return next(
        node.address for node in cluster.nodes.values() if {each.pid for each in node.processes()} & set(parents)
    )


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


def test_work_for_files_of_the_service_runs_beside_it(executor: RayExecutor) -> None:
    place = executor.reserve(Needs(SERVER, alone=False))
    assert place is not None
    parent = place.run(script("return os.getppid()"), on_message=print, cancel=threading.Event())
    assert parent == os.getpid()
    place.release()


def test_a_node_that_dies_is_told_the_work_goes_on_elsewhere_and_one_that_joins_wakes_the_scheduler(
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

    joined = threading.Event()
    executor.when_freed(joined.set)
    cluster.fill(2)
    assert joined.wait(JOIN_S)
    assert total(executor) == 2
