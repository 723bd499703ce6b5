"""One of several processes that train a wrapped feed-forward, and write what it computed for the test to compare.

Run: python distributed_worker.py <wrapper> <rank> <world size> <rendezvous file> <output file>
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from dyad_core import DyadFeedForward


def build() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        DyadFeedForward(16, 64, n_blocks=4, variant="dt"),
        DyadFeedForward(16, 64, n_blocks=4, variant=("ot", "it"), activation="gelu"),
    )


def data(rank: int) -> torch.Tensor:
    """The tokens of one process, (6, 16)."""
    return torch.randn(6, 16, generator=torch.Generator().manual_seed(100 + rank))


def wrap(model: nn.Module, wrapper: str) -> nn.Module:
    if wrapper == "ddp":
        return DistributedDataParallel(model)
    for block in model:
        fully_shard(block)
    return fully_shard(model)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor.detach().clone()


@contextmanager
def group(rank: int, world: int, rendezvous: str) -> Iterator[None]:
    """The process group, on gloo; all processes leave it together."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=world, timeout=timedelta(seconds=60)
    )
    try:
        yield
        dist.barrier()
    finally:
        dist.destroy_process_group()


def main(wrapper: str, rank: int, world: int, rendezvous: str, output: str) -> None:
    with group(rank, world, rendezvous):
        model = wrap(build(), wrapper)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        losses = []
        for _ in range(2):
            optimizer.zero_grad()
            loss = model(data(rank)).square().mean()
            loss.backward()
            losses.append(loss.item())
            gradients = {name: whole(parameter.grad) for name, parameter in model.named_parameters()}
            optimizer.step()
        parameters = {name: whole(parameter) for name, parameter in model.named_parameters()}
        sharded = sorted(name for name, parameter in model.named_parameters() if isinstance(parameter, DTensor))
        state = {"losses": losses, "gradients": gradients, "parameters": parameters, "sharded": sharded}
        torch.save(state, output)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
