"""The ``ray start`` that makes a machine a node, and the commands that are refused. Nothing is started."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from backend.executors.base import ExecutorUnusable
from backend.executors.ray_connection import parse_address
from backend.executors.ray_start import NodeOptions, node_environment, start_command
from backend.worker_cli import worker

LABELS = {"dyad-code": "abc", "dyad-host": "tower"}


def test_a_node_offers_its_processor_and_its_gpus() -> None:
    command = start_command(NodeOptions("head:6379", 6379, 10001), ("H200", 8), LABELS, block=True)
    (resources,) = [json.loads(each.partition("=")[2]) for each in command if each.startswith("--resources=")]
    assert resources == {"dyad:cpu": 1, "dyad:H200": 8}
    assert {"--address=head:6379", "--num-gpus=8", "--num-cpus=0", "--block"} <= set(command)
    assert "--labels=dyad-code=abc,dyad-host=tower" in command
    assert "--head" not in command


def test_a_head_that_only_coordinates_offers_nothing() -> None:
    command = start_command(NodeOptions(None, 1234, 5678, measures=False), ("H200", 8), LABELS)
    assert {"--head", "--port=1234", "--ray-client-server-port=5678", "--resources={}", "--num-gpus=0"} <= set(command)
    assert "--block" not in command


def test_ray_changes_nothing_that_a_measurement_could_feel() -> None:
    found = node_environment({})
    assert (found["RAY_worker_niceness"], found["RAY_memory_monitor_refresh_ms"]) == ("0", "0")
    assert found["DYAD_NOT_OURS"] == "OMP_NUM_THREADS"
    assert node_environment({"RAY_worker_niceness": "5"})["RAY_worker_niceness"] == "5"
    assert "DYAD_NOT_OURS" not in node_environment({"OMP_NUM_THREADS": "4"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Either --head"),
        (["--head", "--address", "head:6379"], "Either --head"),
        (["--address", "head"], "HOST:PORT"),
        (["--address", "ray://head:10001"], "HOST:PORT"),
    ],
)
def test_commands_that_make_no_sense_are_refused(options: list[str], said: str) -> None:
    app = typer.Typer()
    app.command()(worker)
    found = CliRunner().invoke(app, options)
    assert found.exit_code == 2
    assert said in found.output


@pytest.mark.parametrize(
    ("address", "read"),
    [
        ("head", ("head", 10001)),
        ("head:7", ("head", 7)),
        ("ray://10.0.0.1:10002", ("10.0.0.1", 10002)),
        ("[::1]:10001", ("::1", 10001)),
    ],
)
def test_addresses(address: str, read: tuple[str, int]) -> None:
    assert parse_address(address) == read


@pytest.mark.parametrize("address", ["", ":1", "head:", "head:x", "head:0", "head:65536", "http://head:1"])
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(ExecutorUnusable, match="is no address of a Ray head"):
        parse_address(address)
