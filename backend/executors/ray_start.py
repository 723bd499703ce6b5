"""How a machine joins a cluster: the ``ray start`` that makes it a node with its devices, and joining again when the head was gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from backend.executors.ray_actor import NOT_OURS
from backend.executors.ray_kinds import CPU, PREFIX

__all__ = ["NodeOptions", "keep_joined", "node_environment", "start_command"]

OBJECT_STORE_BYTES = 80 * 2**20
"""Results go through Ray's channels and not its shared memory, so the least that Ray accepts will do."""

JOIN_AGAIN_S = 5.0

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray runs its workers at niceness 15, and so would be what they measure.
    "RAY_worker_niceness": "0",
    # Ray would kill the waiting process when memory runs out; the measuring process volunteers, and its end is a result.
    "RAY_memory_monitor_refresh_ms": "0",
    # gRPC's own care for forks lets the process that a head forks for a client die now and then (grpcio 1.85).
    "GRPC_ENABLE_FORK_SUPPORT": "false",
    # A machine that is gone is told within seconds rather than half a minute.
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_initial_delay_ms": "1000",
    # A node whose head is gone ends after so many seconds, and is started anew.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "20",
}


@dataclass(frozen=True)
class NodeOptions:
    """What may be chosen.

    Attributes:
        address: ``HOST:PORT`` at which nodes join; None for the head itself.
        port: at which nodes join a head.
        client_port: at which a head takes services.
        node_ip: address that the other machines reach this one at; None lets Ray find it.
        temp_dir: folder for Ray's sockets and logs; None is Ray's own.
        measures: whether it lends its devices.
    """

    address: str | None
    port: int
    client_port: int
    node_ip: str | None = None
    temp_dir: Path | None = None
    measures: bool = True


def start_command(
    options: NodeOptions, gpus: tuple[str, int], labels: Mapping[str, str], *, block: bool = False
) -> list[str]:
    """The command line; ``gpus`` are kind and number."""
    kind, count = gpus if options.measures else ("", 0)
    resources = {f"{PREFIX}{CPU}": 1} if options.measures else {}
    if count:
        resources[f"{PREFIX}{kind}"] = count
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--disable-usage-stats", "--num-cpus=0"),
        f"--num-gpus={count}",
        f"--resources={json.dumps(resources)}",
        f"--labels={','.join(f'{name}={value}' for name, value in labels.items())}",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        "--include-log-monitor=false",
    ]
    if options.address is None:
        command += ["--head", f"--port={options.port}", f"--ray-client-server-port={options.client_port}"]
        command += ["--include-dashboard=false"]
    else:
        command += [f"--address={options.address}"]
    if options.node_ip:
        command += [f"--node-ip-address={options.node_ip}"]
    if options.temp_dir:
        command += [f"--temp-dir={options.temp_dir}"]
    return [*command, "--block"] if block else command


def node_environment(variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a node: Ray's settings, where they are not set already, and what Ray's workers shall forget."""
    found = {**SETTINGS, **variables}
    if "OMP_NUM_THREADS" not in variables:
        found[NOT_OURS] = "OMP_NUM_THREADS"  # Ray sets it to 1 in each worker
    return found


def keep_joined(command: Sequence[str], environment: Mapping[str, str], *, again: bool) -> int:
    """Run a node until it is told to stop; one that ends by itself is started anew if ``again``. Returns its exit code."""
    stopping = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()
        for process in running:
            process.send_signal(signal.SIGTERM)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while True:
            process = subprocess.Popen(command, env=dict(environment), stdin=subprocess.DEVNULL, start_new_session=True)
            running[:] = [process]
            if stopping.is_set():  # a signal came while it was being started
                process.send_signal(signal.SIGTERM)
            code = process.wait()
            if stopping.is_set():
                return 0
            if not again:
                return code
            sys.stderr.write(f"The node ended (exit code {code}); joining again in {JOIN_AGAIN_S:.0f} s.\n")
            if stopping.wait(JOIN_AGAIN_S):
                return 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
