"""accelerate trains a swapped model on two processes as on one, and what it saves loads."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from accelerate_worker import GLOBAL_BATCH, STEPS, swapped_model, training_tokens
from small_models import some_tokens
from transformers import AutoModelForCausalLM

from dyad_core import DyadLinear
from dyad_core.models.persistence.attaching import settings_of

TESTS = Path(__file__).resolve().parents[2]


def started(processes: int, folder: Path) -> dict[str, Any]:
    """Start the worker in this many processes, wait for them, and return what it wrote."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    paths = os.pathsep.join((str(TESTS), str(TESTS.parent)))
    done = subprocess.run(
        [*launch, str(TESTS / "accelerate_worker.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written: dict[str, Any] = json.loads((folder / "losses.json").read_text(encoding="utf-8"))
    return written


def alone() -> list[float]:
    """The losses of the same training in this process, without accelerate."""
    model, optimizer = swapped_model()
    losses = []
    for batch in training_tokens().split(GLOBAL_BATCH) * 2:
        loss = model(batch, labels=batch).loss
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return losses


def test_two_processes_train_as_one_does_and_resume_exactly(tmp_path: Path) -> None:
    found = started(2, tmp_path)

    assert (found["processes"], found["type"]) == (2, "DistributedDataParallel")
    assert found["losses"] == pytest.approx(alone(), rel=1e-3)
    assert found["alike"], "every process holds the same weights"
    assert found["resumed"] == found["losses"][STEPS:], "weights and optimizer state came back to the bit"
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert settings_of(model) is not None
    assert sum(isinstance(module, DyadLinear) for module in model.modules()) == 4
    assert model(some_tokens(), labels=some_tokens()).loss.isfinite()
