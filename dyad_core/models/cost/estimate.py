"""What a model costs dense and with DYAD in it, and what its step should take where layer times were measured.

Run ``python -c "from dyad_core.models import estimate; print(estimate('opt-125m', 4, 'it').reading)"``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from dyad_core.bench.spec import Dtype, OptimizerName
from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import Variant
from dyad_core.models.building import build
from dyad_core.models.configs import BUILD_ERRORS, read_config
from dyad_core.models.cost.limits import swap_problems, work_problems, work_warnings
from dyad_core.models.cost.lines import python_lines
from dyad_core.models.cost.model_cost import model_cost
from dyad_core.models.cost.prediction import predictions
from dyad_core.models.cost.reading import model_name, reading
from dyad_core.models.cost.tracing import Trace, trace
from dyad_core.models.cost.untraced import untraced
from dyad_core.models.hugging_face import PreTrainedConfig
from dyad_core.models.layers import linear_layers
from dyad_core.models.records import CandidateCost, LayerRow, ModelCost, ModelEstimate, PartTime
from dyad_core.models.spec import EstimateSpec, Mode
from dyad_core.surgery import replace_linear

__all__ = ["answer", "estimate", "foretold"]

Count = Callable[[Any, int, int], Trace]


def estimate(
    config: str | dict[str, Any] | Path | PreTrainedConfig,
    n_blocks: int | Sequence[int] = 4,
    variant: Variant | Sequence[Variant] = "it",
    batch: int = 1,
    sequence: int = 256,
    dtype: Dtype = "float32",
    optimizer: OptimizerName = "adamw",
    *,
    modes: Mode | Sequence[Mode] = ("layers",),
    names: str | Sequence[str] = (),
    grain: int = 1,
    checkpointing: bool = False,
    times: Sequence[PartTime] | None = None,
) -> ModelEstimate:
    """Estimate a model: nothing of its size is allocated, so it may be far larger than this machine.

    Args:
        config: name of a preset, object of a ``config.json``, path of one, id of a model on the hub, or a config of transformers.
        n_blocks: one block count or several.
        variant: one variant or several; each is a candidate with each block count and mode.
        batch: sequences per step.
        sequence: tokens per sequence; in decoding those in the cache.
        dtype: of weights, gradients and activations.
        optimizer: ``"adamw"``, ``"sgd"`` or ``"none"``.
        modes: ``"layers"``, ``"feed_forward"`` or both.
        names: patterns of the layers to replace; empty means the feed-forward layers.
        grain: run length of the interleave.
        checkpointing: gradient checkpointing of each block.
        times: measured times of parts, from which steps are foretold.

    Returns:
        With one entry of ``candidates`` per combination; ``.dyad`` is the cost of the first that can be built.

    Raises:
        SpecError: a wrong argument, a config that cannot be read, an unknown architecture without ``names``, or a
            sequence that the model has no positions for. A candidate that cannot be built is no error: its ``problems`` say why.
    """
    # A path or the id of a hub has a slash; any other string is meant as the name of a preset.
    if isinstance(config, Path | PreTrainedConfig) or (isinstance(config, str) and "/" in config):
        config = read_config(config, outside=True).to_dict()
    spec = EstimateSpec(
        config=config,
        n_blocks=_several(n_blocks),
        variants=_several(variant),
        modes=_several(modes),
        names=_several(names),
        grain=grain,
        batch=batch,
        sequence=sequence,
        dtype=dtype,
        optimizer=optimizer,
        checkpointing=checkpointing,
    )
    return answer(spec, times)


def answer(spec: EstimateSpec, times: Sequence[PartTime] | None = None, measured: str | None = None) -> ModelEstimate:
    """Answer one request.

    Args:
        spec: the question.
        times: measured times of parts for the same model, batch, sequence and dtype.
        measured: where they come from: machine and date.

    Raises:
        SpecError: as :func:`estimate`.
    """
    model = build(read_config(spec.config), device="meta", dtype=spec.dtype)
    if problems := work_problems(spec, model):
        raise SpecError(problems)
    layers = linear_layers(model, spec.names)
    if problems := swap_problems(spec, layers):
        raise SpecError(problems)
    warnings = work_warnings(spec, model)
    try:
        dense, candidates = _costs(model, layers, spec, trace)
    except BUILD_ERRORS as error:
        dense, candidates = _costs(model, layers, spec, untraced)
        said = " ".join(str(error).split())[:200]
        warnings.append(
            f"the model's own forward fails on tensors without values ({type(error).__name__}: {said}), so FLOPs and "
            "activations are those of its linear layers alone, each used by every token; where real ones fail it too, the "
            "config is wrong"
        )
    found = ModelEstimate(
        spec=spec,
        model_type=model.config.model_type,
        name=model_name(spec.config, model.config),
        layers=layers,
        dense=dense,
        candidates=candidates,
        warnings=tuple(warnings),
    )
    return foretold(found, times or (), measured)


def foretold(found: ModelEstimate, times: Sequence[PartTime], measured: str | None = None) -> ModelEstimate:
    """The same estimate with steps foretold from measured ``times``, for each candidate that they hold, and read with them."""
    candidates = tuple(
        replace(
            each, predictions=() if each.cost is None else predictions(times, each.variant, each.n_blocks, each.mode)
        )
        for each in found.candidates
    )
    known = measured if any(each.predictions for each in candidates) else None
    found = replace(found, candidates=candidates, measured=known)
    return replace(found, reading=reading(found))


def _costs(
    model: Any, layers: tuple[LayerRow, ...], spec: EstimateSpec, count: Count
) -> tuple[ModelCost, tuple[CandidateCost, ...]]:
    """The dense model and every candidate, counted alike."""
    dense = _cost(model, spec, count)
    wanted = itertools.product(spec.modes, spec.variants, spec.n_blocks)
    return dense, tuple(_candidate(model, layers, spec, (variant, n, mode), count) for mode, variant, n in wanted)


def _candidate(
    model: Any,
    layers: tuple[LayerRow, ...],
    spec: EstimateSpec,
    candidate: tuple[Variant, int, Mode],
    count: Count,
) -> CandidateCost:
    variant, n_blocks, mode = candidate
    try:
        with _swapped(model, layers, spec.grain, candidate) as swapped:
            cost = _cost(swapped, spec, count)
    except SpecError as error:
        return CandidateCost(variant, n_blocks, mode, None, _alike(error.problems))
    return CandidateCost(variant, n_blocks, mode, cost, lines=python_lines(spec, variant, n_blocks, mode))


def _alike(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Problems as sentences, those of layers that differ in their number alone as one."""
    numbered = re.compile(r"(?<=\.)\d+(?=\.)")
    return tuple(dict.fromkeys(str(replace(problem, field=numbered.sub("*", problem.field))) for problem in problems))


@contextmanager
def _swapped(
    model: Any, layers: tuple[LayerRow, ...], grain: int, candidate: tuple[Variant, int, Mode]
) -> Iterator[Any]:
    """The model with DYAD in it while the ``with`` block runs.

    Raises:
        SpecError: it does not admit this candidate.
    """
    variant, n_blocks, mode = candidate
    picked = {row.name for row in layers if row.picked}
    swapped, report = replace_linear(
        model,
        filter_fn=lambda _module, name: name in picked,
        n_blocks=n_blocks,
        variant=variant,
        grain=grain,
        weights="fresh",
        feed_forward=mode == "feed_forward",
    )
    try:
        yield swapped
    finally:
        report.undo(swapped)


def _cost(model: Any, spec: EstimateSpec, count: Count) -> ModelCost:
    return model_cost(
        model,
        batch=spec.batch,
        sequence=spec.sequence,
        optimizer=spec.optimizer,
        checkpointing=spec.checkpointing,
        count=count,
    )


def _several(values: Any) -> Any:
    return (values,) if isinstance(values, str | int) else tuple(values)
