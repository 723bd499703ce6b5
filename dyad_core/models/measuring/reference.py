"""The measured models that ship with the library, and the requests they answer: published models in bfloat16 on a GPU.

Run ``dyad model measure --suite reference --device cuda --save FOLDER``: one file per request.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from dyad_core.bench.spec import Dtype
from dyad_core.errors import Problem, SpecError
from dyad_core.models.spec import ModelSpec

__all__ = ["FOLDER", "SUITES", "file_name", "model_suite"]

FOLDER = Path(__file__).resolve().parents[1] / "reference_runs"

SUITES = ("reference",)

MODELS = ("opt-125m", "opt-350m", "opt-1.3b", "pythia-160m")
SHAPES = ((32, 128), (8, 2048))
"""Batch and sequence: that of the paper's pre-training, and a long one."""

CPU_MODELS = ("opt-125m",)
CPU_SHAPES = ((1, 256),)


def model_suite(name: str, device: str = "cpu", *, quick: bool = False) -> list[ModelSpec]:
    """The requests of a suite.

    Args:
        name: one of :data:`SUITES`.
        device: where to measure; it also chooses models, dtype and sizes.
        quick: a few seconds each, to try the path and not to compare.

    Raises:
        SpecError: an unknown suite, or a device name that is none.
    """
    if name not in SUITES:
        raise SpecError([Problem("suite", "must be a known suite", name, f"known: {', '.join(SUITES)}")])
    on_cpu = device == "cpu"
    dtype: Dtype = "float32" if on_cpu else "bfloat16"
    specs = [
        ModelSpec(
            config=model,
            n_blocks=(4, 8),
            modes=("layers", "feed_forward"),
            batch=batch,
            sequence=sequence,
            dtype=dtype,
            device=device,
            passes=("train_step", "prefill", "decode"),
            max_seconds=300.0,
        )
        for model in (CPU_MODELS if on_cpu else MODELS)
        for batch, sequence in (CPU_SHAPES if on_cpu else SHAPES)
    ]
    # Decoding behind 2048 tokens needs a position that models made for 2048 do not have.
    specs = [dataclasses.replace(spec, passes=spec.passes[:2]) if spec.sequence >= 2048 else spec for spec in specs]
    if quick:
        return [dataclasses.replace(spec, batch=1, sequence=16, n_blocks=(4,), max_seconds=2.0) for spec in specs[:1]]
    return specs


def file_name(spec: ModelSpec) -> str:
    """The name of the file of one request."""
    device = spec.device.replace(":", "-")
    return f"{spec.config}-{spec.batch}x{spec.sequence}-{spec.dtype}-{device}.json"
