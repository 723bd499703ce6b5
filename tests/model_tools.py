"""Models that are built in no time: configs of each architecture with a few narrow blocks, and requests about them."""

from __future__ import annotations

import dataclasses
from typing import Any

from made_up import ENVIRONMENT

from dyad_core.bench.parts import Correctness, MemoryUse, compared
from dyad_core.models.cost.prediction import predict
from dyad_core.models.measuring.reading import read_model_run
from dyad_core.models.records import LayerRow, ModelCandidate, ModelRun, PartTime
from dyad_core.models.spec import ModelPass, ModelSpec

__all__ = ["BERT", "GPT2", "LLAMA", "NEOX", "OPT", "TINY", "made_up_candidate", "made_up_model_run", "tiny"]

OPT: dict[str, Any] = {
    "model_type": "opt", "hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "vocab_size": 128, "max_position_embeddings": 64, "word_embed_proj_dim": 32,
}  # fmt: skip
NEOX: dict[str, Any] = {
    "model_type": "gpt_neox", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 2, "vocab_size": 128, "max_position_embeddings": 64,
}  # fmt: skip
GPT2: dict[str, Any] = {
    "model_type": "gpt2", "n_embd": 32, "n_inner": 64, "n_layer": 2, "n_head": 2, "vocab_size": 128, "n_positions": 64,
}  # fmt: skip
LLAMA: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 128, "max_position_embeddings": 64,
}  # fmt: skip
BERT: dict[str, Any] = {
    "model_type": "bert", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "vocab_size": 128, "max_position_embeddings": 64,
}  # fmt: skip

TINY: dict[str, Any] = {
    "config": OPT, "n_blocks": [4], "batch": 2, "sequence": 8, "threads": 1, "max_seconds": 0.3, "target_interval": 0.9,
}  # fmt: skip
"""A measurement that the real engine finishes in seconds, most of them the start of its process."""


def tiny(**changes: Any) -> ModelSpec:
    return ModelSpec.from_dict(TINY | changes)


def made_up_part(name: str, pass_: ModelPass, variant: str | None, ms: float, count: int = 1) -> PartTime:
    own = variant not in (None, "dense")
    n, mode = (4, "layers") if own else (None, None)
    return PartTime(name, pass_, variant, n, mode, count, (ms,), ms, ms, ms)  # type: ignore[arg-type]


def made_up_candidate(pass_: ModelPass, speedup: float | None = None, **changes: Any) -> ModelCandidate:
    """A candidate of 100 ms dense; the dense model itself where no speed-up is given."""
    low, high = (1.0, 1.0) if speedup is None else (speedup - 0.1, speedup + 0.1)
    ms = 100.0 if speedup is None else 100.0 / speedup
    values: dict[str, Any] = {
        "variant": "dense" if speedup is None else "it",
        "n_blocks": None if speedup is None else 4,
        "mode": None if speedup is None else "layers",
        "pass_": pass_,
        "outcome": "measured" if speedup is None else compared(low, high),
        "parameters": 1000, "flops": 2000, "samples_ms": (ms, ms), "calls_per_sample": 1, "median_ms": ms, "q1_ms": ms,
        "q3_ms": ms, "tokens_per_s": 160.0, "speedup": speedup or 1.0, "speedup_low": low, "speedup_high": high,
        "memory": MemoryUse(4000, 64, 4000, 9000, 21064, "by hand"),
        "correctness": None if speedup is None else Correctness(True, 1e-7, 1e-6, 1e-7),
    }  # fmt: skip
    return ModelCandidate(**{**values, **changes})


def made_up_model_run(*candidates: ModelCandidate, spec: ModelSpec | None = None, **changes: Any) -> ModelRun:
    """A run of made-up figures: dense 100 ms, IT n=4 at 1.25x in every pass, its parts in the first."""
    request = spec or tiny()
    first = request.passes[0]
    parts = (
        made_up_part("feed_forward", first, "dense", 25.0, 2),
        made_up_part("feed_forward", first, "it", 15.0, 2),
        made_up_part("rest_of_block", first, None, 24.0, 2),
    )
    foretold = predict(parts, first, "it", 4, "layers")
    found = candidates or tuple(
        made_up_candidate(pass_, speedup, prediction=foretold if speedup and pass_ == first else None)
        for pass_ in request.passes
        for speedup in (None, 1.25)
    )
    run = ModelRun(
        spec=request,
        environment=dataclasses.replace(ENVIRONMENT, dtype=request.dtype),
        model_type="opt",
        name="opt (2 layers, 32 wide)",
        layers=(LayerRow("model.decoder.layers.0.fc1", "feed_forward", 32, 64, True, True, "", (1, 2, 4, 8)),),
        candidates=found,
        parts=parts,
        created_at="2026-01-02T03:04:05+00:00",
        duration_s=1.5,
    )
    return read_model_run(dataclasses.replace(run, **changes))
