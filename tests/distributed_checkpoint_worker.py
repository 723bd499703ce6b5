"""One of several processes that save a sharded model through torch.distributed.checkpoint and load it into another.

Run: python distributed_checkpoint_worker.py <wrapper> <rank> <world size> <rendezvous file> <output file>
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed.checkpoint as dcp
from distributed_worker import data, group, wrap
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.tensor import DTensor

from dyad_core import DyadFeedForward, DyadLinear

FULL = StateDictOptions(full_state_dict=True)


def build(seed: int, variant: str = "dt") -> nn.Module:
    """A layer and a feed-forward, every kind of component and one that is missing."""
    torch.manual_seed(seed)
    return nn.Sequential(
        DyadLinear(16, 16, n_blocks=4, variant=variant, grain=2),
        DyadFeedForward(16, 64, n_blocks=4, variant=("ot", "it")),
        DyadLinear(16, 16, False, n_blocks=2, variant="bd"),
    )


def step(model: nn.Module, optimizer: torch.optim.Optimizer, tokens: torch.Tensor) -> None:
    optimizer.zero_grad()
    model(tokens).square().mean().backward()
    optimizer.step()


def main(wrapper: str, rank: int, world: int, rendezvous: str, output: str) -> None:
    folder = str(Path(output).parent / "checkpoint")
    with group(rank, world, rendezvous):
        saved, tokens = wrap(build(0), wrapper), data(rank)
        optimizer = torch.optim.AdamW(saved.parameters(), lr=0.01)
        step(saved, optimizer, tokens)
        state = {"model": get_model_state_dict(saved), "optimizer": get_optimizer_state_dict(saved, optimizer)}
        sharded = sorted(name for name, value in state["model"].items() if isinstance(value, DTensor))
        dcp.save(state, checkpoint_id=folder)
        full = {name: value.clone() for name, value in get_model_state_dict(saved, options=FULL).items()}

        loaded = wrap(build(1), wrapper)
        other = torch.optim.AdamW(loaded.parameters(), lr=0.01)
        before = loaded(tokens).detach()
        state = {"model": get_model_state_dict(loaded), "optimizer": get_optimizer_state_dict(loaded, other)}
        dcp.load(state, checkpoint_id=folder)
        set_model_state_dict(loaded, state["model"])
        set_optimizer_state_dict(loaded, other, state["optimizer"])
        outputs = [model(tokens).detach() for model in (saved, loaded)]
        for model, one in ((saved, optimizer), (loaded, other)):
            step(model, one, tokens)
        stepped = [model(tokens).detach() for model in (saved, loaded)]

        from_full = wrap(build(2), wrapper)
        set_model_state_dict(from_full, dict(full), options=FULL)  # it replaces the values by what it makes of them
        outputs.append(from_full(tokens).detach())
        torch.save(
            {
                "before": before,
                "outputs": outputs,
                "stepped": stepped,
                "sharded": sharded,
                "full": full,
            },
            output,
        )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
