"""DDP and FSDP2 over two real processes on gloo: they train as one process with all tokens, and checkpoints come back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import distributed_checkpoint_worker
import distributed_worker
import pytest
import torch

WORLD = 2


def run_workers(worker: ModuleType, wrapper: str, folder: Path) -> list[dict[str, Any]]:
    """Both processes' results; whatever happens, none is left running."""
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "PYTHONWARNINGS": "default"}
    command = [sys.executable, str(worker.__file__), wrapper]
    outputs = [folder / f"{rank}.pt" for rank in range(WORLD)]
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(WORLD), str(folder / "rendezvous"), str(output)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank, output in enumerate(outputs)
    ]
    try:
        said = [process.communicate(timeout=120)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0] * WORLD, "\n".join(said)
    return [torch.load(output, weights_only=True) for output in outputs]


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch is built without torch.distributed")
@pytest.mark.parametrize("wrapper", ["ddp", "fsdp2"])
def test_two_processes_train_as_one(wrapper: str, tmp_path: Path) -> None:
    results = run_workers(distributed_worker, wrapper, tmp_path)
    model = distributed_worker.build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(2):
        optimizer.zero_grad()
        losses = [model(distributed_worker.data(rank)).square().mean() for rank in range(WORLD)]
        (sum(losses) / WORLD).backward()
        for result, loss in zip(results, losses, strict=True):
            assert result["losses"][step] == pytest.approx(loss.item(), rel=1e-5)
        gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
        optimizer.step()
    for result in results:
        strip = {"ddp": "module.", "fsdp2": ""}[wrapper]
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(result["gradients"][strip + name], gradients[name])
            torch.testing.assert_close(result["parameters"][strip + name], parameter.detach())
        assert bool(result["sharded"]) == (wrapper == "fsdp2")


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch is built without torch.distributed")
@pytest.mark.parametrize("wrapper", ["ddp", "fsdp2"])
def test_a_distributed_checkpoint_is_loaded_by_another_model(wrapper: str, tmp_path: Path) -> None:
    results = run_workers(distributed_checkpoint_worker, wrapper, tmp_path)
    model = distributed_checkpoint_worker.build(3)
    for rank, result in enumerate(results):
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
