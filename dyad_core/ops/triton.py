"""``triton``: one fused kernel for NVIDIA GPUs; both components, bias and activation in one pass.

This module registers the implementation and says what is missing where it cannot run. The parts are in
:mod:`dyad_core.ops._triton`; docs/triton_notes.md tells why they are as they are.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
from pathlib import Path

import torch

from dyad_core.ops._triton.function import linear_triton
from dyad_core.ops.registry import Implementation, register

__all__ = ["linear_triton"]

INSTALLED = importlib.util.find_spec("triton") is not None
# Triton's own switch, which it too reads once: kernels run in Python on the CPU, slowly, for tests.
INTERPRETED = INSTALLED and os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "yes", "on")
INSTALL = "pip install 'triton>=3.6'"
OLDEST_CAPABILITY = (8, 0)


def unavailable(device: torch.device, dtype: torch.dtype) -> str | None:
    """Say why Triton cannot run on ``device`` in ``dtype`` and what would help, or None when it can."""
    if not INSTALLED:
        return f"the package triton is not installed; {INSTALL} (Linux; torch's CUDA builds bring it along)"
    if INTERPRETED:
        return _unavailable_interpreted(device, dtype)
    if device.type != "cuda":
        return (
            f"it needs an NVIDIA GPU and the tensors are on {device.type!r}; move them to 'cuda', or set "
            "TRITON_INTERPRET=1 before Python starts to try the kernels on the CPU, slowly"
        )
    if dtype not in (torch.float32, torch.float16, torch.bfloat16):
        return "it computes float32, float16 and bfloat16; take implementation 'eager' for others"
    # Asking the machine is not for tracers; whatever runs while they trace was asked before or fails by itself.
    return None if torch.compiler.is_compiling() else _missing_on(device)


def _unavailable_interpreted(device: torch.device, dtype: torch.dtype) -> str | None:
    if device.type not in ("cpu", "meta"):
        return f"TRITON_INTERPRET=1 runs kernels on the CPU and the tensors are on {device.type!r}; unset it"
    if dtype not in (torch.float64, torch.float32, torch.float16):
        return "triton's interpreter computes float64, float32 and float16; its products in bfloat16 are wrong"
    return None


@functools.cache
def _missing_on(device: torch.device) -> str | None:
    if not torch.cuda.is_available():
        return "torch finds no CUDA device; see nvidia-smi, and install a CUDA build of torch: pip install torch"
    if torch.cuda.get_device_capability(device) < OLDEST_CAPABILITY:
        return f"it needs compute capability {OLDEST_CAPABILITY[0]}.{OLDEST_CAPABILITY[1]} (Ampere) or newer"
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return "triton builds its launcher with a C compiler and finds none: apt-get install gcc, or set CC"
    return None


def tune_here(device: torch.device) -> str:
    """Measure tile sizes for feed-forwards in bfloat16 on ``device``, use them from now on, and say where they are."""
    from dyad_core.ops._triton.settings import SETTINGS_VARIABLE, settings_for, table
    from dyad_core.ops._triton.tune import default_cases, save, tune

    path = Path(os.environ.get("DYAD_HOME") or ".dyad") / "triton.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    save(tune(default_cases(tokens=(16, 2048, 8192)), device=device), path)
    os.environ[SETTINGS_VARIABLE] = str(path.absolute())  # what is started from here on measures with them
    table.cache_clear()
    settings_for.cache_clear()
    return f"tile sizes are in {path}; to use them: export {SETTINGS_VARIABLE}={path.absolute()}"


register(
    Implementation(
        name="triton",
        summary="one fused Triton kernel: both components, bias and activation in one pass (NVIDIA GPUs)",
        apply=linear_triton,
        unavailable=unavailable,
        activation_copies=1,
        tune=tune_here,
    )
)
