"""One Ray cluster for the tests of this folder: a head that only coordinates; each test says how many nodes it wants beside it.

A node that a test has killed is replaced for the next one, so no test builds on another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from ray_tools import ALONE, RayCluster, ray_cluster, wait_for_nodes

from backend.executors.base import Needs, Reservation
from backend.executors.ray_executor import RayExecutor


@pytest.fixture(scope="package")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster() as made:
        yield made


@pytest.fixture(scope="package")
def connected(cluster: RayCluster) -> Iterator[RayExecutor]:
    cluster.fill(2)
    made = RayExecutor(cluster.address)
    made.open()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def executor(connected: RayExecutor, cluster: RayCluster) -> RayExecutor:
    """The executor, with two nodes that measure."""
    cluster.fill(2)
    wait_for_nodes(connected, 2)
    return connected


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
