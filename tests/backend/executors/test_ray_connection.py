"""The way to a Ray cluster: addresses that are none, and a head that goes away and comes back."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from ray_tools import ALONE, JOIN_S, RayCluster, eventually, run, skip_reason, total, wait_for_nodes

from backend.executors.base import ExecutorUnusable, PlaceLost
from backend.executors.ray_executor import RayExecutor

pytestmark = pytest.mark.skipif(bool(skip_reason()), reason=skip_reason())


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


@pytest.mark.soak
def test_a_head_that_is_gone_is_told_and_found_again(executor: RayExecutor, cluster: RayCluster) -> None:
    cluster.fill(1)
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
