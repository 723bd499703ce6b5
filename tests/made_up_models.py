"""Made-up models: answers about whole models in exactly the shapes of the service, from a little arithmetic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from made_up import ENVIRONMENT

from dyad_core.bench.parts import Correctness, MemoryUse, Outcome
from dyad_core.models.records import (
    CandidateCost,
    KindCost,
    LayerRow,
    MemoryCost,
    ModelCandidate,
    ModelCost,
    ModelEstimate,
    ModelRun,
    ModelSampling,
    PartTime,
    Prediction,
)
from dyad_core.models.spec import EstimateSpec, ModelPass, ModelSpec

__all__ = ["JOB", "LAYERS", "SIZES", "made_estimate", "made_job", "made_presets", "made_run"]

JOB = "0123456789abcdef0123456789abcdef"
SIZES: dict[str, tuple[int, int, int, int]] = {"opt-125m": (768, 12, 50272, 2048), "opt-350m": (1024, 24, 50272, 2048)}
"""Width, blocks, vocabulary and positions; the feed-forward is four times as wide."""

PASS_MS: dict[ModelPass, float] = {"train_step": 1480.0, "prefill": 410.0, "decode": 38.0}
LAYERS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "fc1", "fc2")


def made_presets() -> dict[str, Any]:
    """The answer of ``GET /models/presets``."""
    items = [
        {
            "name": name,
            "model_type": "opt",
            "parameters": made_cost(EstimateSpec(name), None).parameters,
            "config": {"model_type": "opt", "hidden_size": width, "num_hidden_layers": blocks},
            "source": "made up",
        }
        for name, (width, blocks, _, _) in SIZES.items()
    ]
    return {"items": items, "total": len(items)}


def sizes_of(spec: EstimateSpec) -> tuple[int, int, int, int]:
    """Width, blocks, vocabulary and positions; a configuration of one's own is that of OPT-125m with its own blocks."""
    if isinstance(spec.config, dict):
        return 768, int(spec.config.get("num_hidden_layers", 12)), 50272, 2048
    return SIZES[spec.config]


def made_layers(spec: EstimateSpec) -> tuple[LayerRow, ...]:
    """Every linear layer; the feed-forward ones are picked."""
    width, blocks, vocabulary, _ = sizes_of(spec)
    rows = []
    for block in range(blocks):
        for name in LAYERS:
            inside, outside = {"fc1": (width, 4 * width), "fc2": (4 * width, width)}.get(name, (width, width))
            picked = name.startswith("fc")
            rows.append(
                LayerRow(
                    f"model.decoder.layers.{block}.{name}",
                    "feed_forward" if picked else "attention",
                    inside,
                    outside,
                    True,
                    picked,
                    "" if picked else "not a feed-forward layer",
                    (2, 4, 8, 16, 32, 64) if picked else (),
                )
            )
    rows.append(
        LayerRow("lm_head", "head", width, vocabulary, False, False, "its weight is tied to model.decoder.embed_tokens")
    )
    return tuple(rows)


def made_cost(spec: EstimateSpec, n_blocks: int | None) -> ModelCost:
    """Cost of an OPT-like model, its feed-forward kept at 2/n."""
    width, blocks, vocabulary, positions = sizes_of(spec)
    share = 1.0 if n_blocks is None else 2 / n_blocks
    feed_forward = int(blocks * (8 * width * width * share + 5 * width))
    attention = blocks * (4 * width * width + 4 * width)
    embedding = (vocabulary + positions + 2) * width
    tokens, item = spec.tokens, {"float64": 8, "float32": 4}.get(spec.dtype, 2)
    forward = 2 * tokens * (feed_forward + attention + vocabulary * width)
    kinds = (
        KindCost("embedding", 2, embedding, 0, tokens * width * item),
        KindCost("attention", 4 * blocks, attention, 2 * tokens * attention, 9 * blocks * tokens * width * item),
        KindCost(
            "feed_forward", 2 * blocks, feed_forward, 2 * tokens * feed_forward, 9 * blocks * tokens * width * item
        ),
        KindCost("norm", 2 * blocks + 1, (2 * blocks + 1) * 2 * width, 0, 2 * blocks * tokens * width * item),
        KindCost("head", 1, 0, 2 * tokens * vocabulary * width, 2 * tokens * vocabulary * item),
    )
    parameters = sum(kind.parameters for kind in kinds)
    activations = sum(kind.activations_bytes for kind in kinds)
    checkpointed = blocks * tokens * width * item + kinds[-1].activations_bytes
    weights = parameters * item
    optimizer = {"adamw": 2, "sgd": 0}.get(spec.optimizer, 0) * weights
    kept = checkpointed if spec.checkpointing else activations
    cache = 2 * blocks * tokens * width * item
    memory = MemoryCost(
        weights, weights, optimizer, activations, checkpointed, cache, 2 * weights + optimizer + kept, weights + cache
    )
    return ModelCost(parameters, forward, 3 * forward, 2 * spec.batch * parameters, memory, kinds)


def made_prediction(spec: EstimateSpec, n_blocks: int, pass_: ModelPass) -> Prediction:
    """A step in which the feed-forward takes 0.62 of the time and becomes 0.45 n times as fast."""
    share, speedup = 0.62, 0.45 * n_blocks
    dense = PASS_MS[pass_]
    whole = 1 / ((1 - share) + share / speedup)
    words = f"1 / ((1 - {share:.2f}) + {share:.2f} / {speedup:.2f}) = {whole:.2f}; at most 1 / (1 - {share:.2f}) = {1 / (1 - share):.2f}"
    return Prediction(pass_, dense, dense / whole, share, speedup, whole, 1 / (1 - share), words)


def made_estimate(spec: EstimateSpec, *, measured: bool = False) -> ModelEstimate:
    """The answer of ``POST /models/estimate``; a count of blocks that does not divide 768 cannot be built."""
    candidates = []
    for mode in spec.modes:
        for variant in spec.variants:
            for n in spec.n_blocks:
                fits = 768 % n == 0
                candidates.append(
                    CandidateCost(
                        variant,
                        n,
                        mode,
                        made_cost(spec, n) if fits else None,
                        ()
                        if fits
                        else (f"in_features of fc1 must be divisible by n_blocks (received {n}); 6 and 8 would do",),
                        (made_prediction(spec, n, "train_step"),) if measured and fits else (),
                        f"from dyad_core.models import build, swap\n\nmodel = build({spec.config!r}, device='cpu')\n"
                        f"model, report = swap(model, n_blocks={n}, variant={variant!r})\n"
                        if fits
                        else "",
                    )
                )
    dense = made_cost(spec, None)
    first = next((each.cost for each in candidates if each.cost is not None), dense)
    reading = (
        f"DYAD keeps {first.parameters / dense.parameters:.0%} of the parameters and {first.memory.train_bytes / dense.memory.train_bytes:.0%} of "
        "the memory of a training step; how fast it is was not measured here."
    )
    name = spec.config if isinstance(spec.config, str) else f"opt, {sizes_of(spec)[1]} blocks 768 wide"
    when = "AMD EPYC, 2 threads, 2026-11-22" if measured else None
    return ModelEstimate(spec, "opt", name, made_layers(spec), dense, tuple(candidates), reading, measured=when)


def made_run(spec: ModelSpec) -> ModelRun:
    """A finished measurement, every pass a little slower than it was foretold."""
    candidates: list[ModelCandidate] = []
    for pass_ in spec.passes:
        dense = PASS_MS[pass_]
        candidates.append(_timed(spec, pass_, "dense", None, dense))
        for variant in spec.variants:
            for n in spec.n_blocks:
                prediction = made_prediction(spec, n, pass_)
                candidates.append(
                    replace(
                        _timed(spec, pass_, variant, n, 1.06 * prediction.predicted_ms),
                        prediction=prediction,
                        deviation=1 / 1.06 - 1,
                    )
                )
    sampling = tuple(
        ModelSampling(pass_, 34, 6, "target", spec.target_interval, 0.018, 2.6, "made up") for pass_ in spec.passes
    )
    return ModelRun(
        spec=spec,
        environment=ENVIRONMENT,
        model_type="opt",
        name=str(spec.config) if isinstance(spec.config, str) else "opt, 12 blocks 768 wide",
        layers=made_layers(spec),
        candidates=tuple(candidates),
        parts=_parts(spec),
        created_at="2026-11-22T22:00:00+00:00",
        duration_s=63.0,
        reading="IT n=4 trains 1.33 times as fast as the dense model (95 % interval 1.29 to 1.37), 5.7 % slower than predicted.",
        sampling=sampling,
    )


def _timed(spec: ModelSpec, pass_: ModelPass, variant: str, n: int | None, median: float) -> ModelCandidate:
    cost = made_cost(spec, n)
    speedup = None if n is None else PASS_MS[pass_] / median
    outcome: Outcome = "measured"
    if speedup is not None:
        outcome = "faster" if speedup > 1.05 else "not_distinguishable"
    memory = cost.memory
    use = MemoryUse(
        parameters_bytes=memory.weights_bytes,
        inputs_bytes=8 * spec.tokens,
        gradients_bytes=memory.gradients_bytes if pass_ == "train_step" else 0,
        allocated_peak_bytes=memory.gradients_bytes + memory.activations_bytes,
        peak_bytes=int(1.02 * (memory.train_bytes if pass_ == "train_step" else memory.inference_bytes)),
        method="made up",
        outputs_bytes=0,
        saved_activations_bytes=memory.activations_bytes if pass_ == "train_step" else 0,
        optimizer_state_bytes=memory.optimizer_bytes if pass_ == "train_step" else 0,
        temporaries_bytes=2**22,
    )
    return ModelCandidate(
        variant=variant,
        n_blocks=n,
        mode=None if n is None else spec.modes[0],
        pass_=pass_,
        outcome=outcome,
        parameters=cost.parameters,
        flops=cost.flops_train_step,
        samples_ms=(0.99 * median, median, 1.01 * median),
        calls_per_sample=1,
        median_ms=median,
        q1_ms=0.985 * median,
        q3_ms=1.02 * median,
        tokens_per_s=1000 * (spec.batch if pass_ == "decode" else spec.tokens) / median,
        speedup=speedup,
        speedup_low=None if speedup is None else 0.97 * speedup,
        speedup_high=None if speedup is None else 1.03 * speedup,
        memory=use,
        memory_predicted=replace(use, peak_bytes=int(use.peak_bytes / 1.02), method="predicted from sizes"),
        correctness=None if n is None else Correctness(True, 2e-6, 1e-5, 1e-6),
    )


def _parts(spec: ModelSpec) -> tuple[PartTime, ...]:
    blocks = sizes_of(spec)[1]
    parts = []
    for pass_ in spec.passes:
        dense = PASS_MS[pass_]
        kept = (("rest_of_block", blocks, 0.2), ("outside_of_blocks", 1, 0.13), ("optimizer_rest", 1, 0.05))
        parts += [_part(name, pass_, None, None, None, count, share * dense / count) for name, count, share in kept]
        parts.append(_part("feed_forward", pass_, "dense", None, None, blocks, 0.62 * dense / blocks))
        for variant in spec.variants:
            for n in spec.n_blocks:
                once = 0.62 * dense / blocks / (0.45 * n)
                parts.append(_part("feed_forward", pass_, variant, n, spec.modes[0], blocks, once))
    return tuple(parts)


def _part(
    part: str, pass_: ModelPass, variant: str | None, n: int | None, mode: Any, count: int, median: float
) -> PartTime:
    samples = (0.98 * median, median, 1.02 * median)
    return PartTime(part, pass_, variant, n, mode, count, samples, median, 0.99 * median, 1.01 * median)


def made_job(spec: ModelSpec, status: str = "succeeded", **fields: Any) -> dict[str, Any]:
    """A measurement as the service keeps it."""
    return {
        "id": JOB,
        "kind": "model",
        "status": status,
        "spec": spec.to_dict(),
        "progress": None,
        "queue_position": None,
        "warnings": [],
        "error": None,
        "origin": "local",
        "machine": None,
        "created_at": "2026-11-22T22:00:00+00:00",
        "started_at": "2026-11-22T22:00:01+00:00",
        "finished_at": "2026-11-22T22:01:04+00:00",
        "result": made_run(spec).to_dict() if status == "succeeded" else None,
        "headline": "IT n=4 trains 1.33x as fast" if status == "succeeded" else None,
        **fields,
    }
