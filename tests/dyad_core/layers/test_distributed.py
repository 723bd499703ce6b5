"""DDP and FSDP2 over two real processes on gloo: they train as one process with all tokens, and checkpoints come back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import distributed_checkpoint_worker
import distributed_worker
import pytest
import torch

WORLD = 2
TESTS = str(Path(distributed_worker.__file__).parent)


WORKERS = {"training": distributed_worker, "checkpoint": distributed_checkpoint_worker}
BOTH = """
import importlib, sys
wrapper, rank, world, folder = sys.argv[1:5]
for name, module in zip(sys.argv[5::2], sys.argv[6::2], strict=True):
    worker = importlib.import_module(module)
    worker.main(wrapper, int(rank), int(world), f"{folder}/{name}-rendezvous", f"{folder}/{name}-{rank}.pt")
"""

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="this torch is built without torch.distributed"
)


@pytest.fixture(scope="module", params=["ddp", "fsdp2"])
def wrapper(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def results(wrapper: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """By worker what both processes found, one after the other in the same two; whatever happens, none is left running."""
    folder = tmp_path_factory.mktemp(wrapper)
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "PYTHONWARNINGS": "default"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [TESTS, os.environ.get("PYTHONPATH")]))
    named = [part for name, module in WORKERS.items() for part in (name, module.__name__)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BOTH, wrapper, str(rank), str(WORLD), str(folder), *named],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(WORLD)
    ]
    try:
        said = [process.communicate(timeout=180)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0] * WORLD, "\n".join(said)
    return {
        name: [torch.load(folder / f"{name}-{rank}.pt", weights_only=True) for rank in range(WORLD)] for name in WORKERS
    }


def test_two_processes_train_as_one(wrapper: str, results: dict[str, list[dict[str, Any]]]) -> None:
    model = distributed_worker.build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(2):
        optimizer.zero_grad()
        losses = [model(distributed_worker.data(rank)).square().mean() for rank in range(WORLD)]
        (sum(losses) / WORLD).backward()
        for result, loss in zip(results["training"], losses, strict=True):
            assert result["losses"][step] == pytest.approx(loss.item(), rel=1e-5)
        gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
        optimizer.step()
    for result in results["training"]:
        strip = {"ddp": "module.", "fsdp2": ""}[wrapper]
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(result["gradients"][strip + name], gradients[name])
            torch.testing.assert_close(result["parameters"][strip + name], parameter.detach())
        assert bool(result["sharded"]) == (wrapper == "fsdp2")


def test_a_distributed_checkpoint_is_loaded_by_another_model(
    wrapper: str, results: dict[str, list[dict[str, Any]]]
) -> None:
    model = distributed_checkpoint_worker.build(3)
    for rank, result in enumerate(results["checkpoint"]):
        assert result["sharded"] == (sorted(model.state_dict()) if wrapper == "fsdp2" else [])
        saved, loaded, from_full = result["outputs"]
        torch.testing.assert_close(loaded, saved, rtol=0, atol=0)
        torch.testing.assert_close(from_full, saved, rtol=0, atol=0)
        assert not torch.equal(result["before"], saved)
        # The optimizer's state came along: the next step is the same too.
        torch.testing.assert_close(result["stepped"][1], result["stepped"][0], rtol=0, atol=0)
        assert not torch.equal(result["stepped"][0], saved)
        # The full state dict is that of a single process.
        model.load_state_dict(result["full"])
        torch.testing.assert_close(model(distributed_worker.data(rank)), saved)
