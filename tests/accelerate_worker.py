"""One of several processes in which accelerate trains a small OPT with DYAD in it, saves it, and resumes from a checkpoint.

Started by ``torchrun``, as ``accelerate launch`` starts it: accelerate_worker.py <output folder>. The folder gets ``losses.json``, the model as ``save_pretrained`` writes
it, and what each process holds in the end.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from small_models import VOCABULARY, small_model
from torch.utils.data import DataLoader

from dyad_core.models import swap

GLOBAL_BATCH, STEPS = 8, 4


def swapped_model() -> tuple[Any, torch.optim.Optimizer]:
    """The model to be trained, and its optimizer, the same in every process."""
    set_seed(0)
    model, _ = swap(small_model("opt"))
    return model, torch.optim.AdamW(model.parameters(), lr=1e-2)


def training_tokens() -> torch.Tensor:
    """One epoch, (GLOBAL_BATCH · STEPS, 8)."""
    return torch.randint(3, VOCABULARY, (GLOBAL_BATCH * STEPS, 8), generator=torch.Generator().manual_seed(2))


def train(accelerator: Accelerator, model: Any, optimizer: Any, loader: Any) -> list[float]:
    """Loss of each step over all processes."""
    losses = []
    for batch in loader:
        loss = model(batch, labels=batch).loss
        losses.append(accelerator.gather(loss.detach()[None]).mean().item())
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
    return losses


def main(folder: Path) -> None:
    accelerator = Accelerator(cpu=True)
    model, optimizer = swapped_model()
    loader = DataLoader(training_tokens(), batch_size=GLOBAL_BATCH // accelerator.num_processes)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)

    first = train(accelerator, model, optimizer, loader)
    accelerator.save_state(str(folder / "state"))
    second = train(accelerator, model, optimizer, loader)
    accelerator.load_state(str(folder / "state"))
    resumed = train(accelerator, model, optimizer, loader)

    plain = accelerator.unwrap_model(model)
    plain.save_pretrained(
        folder / "model", is_main_process=accelerator.is_main_process, state_dict=accelerator.get_state_dict(model)
    )
    weights = torch.cat([parameter.detach().flatten() for parameter in plain.parameters()])
    alike = accelerator.gather(weights[None])
    if accelerator.is_main_process:
        found = {
            "processes": accelerator.num_processes,
            "type": type(model).__name__,
            "losses": first + second,
            "resumed": resumed,
            "alike": bool((alike == alike[0]).all()),
        }
        (folder / "losses.json").write_text(json.dumps(found), encoding="utf-8")
    accelerator.wait_for_everyone()
    # torch 2.13: DDP's reducer, freed at the end of this function, joins a thread of gloo while it holds the interpreter's lock, and
    # now and then that thread waits for the lock to free the last gathered tensor. Leave without freeing anything.
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
