"""Rules of a measurement that depend on the machine and the model, checked before a process starts or a byte is allocated.

Rules of the values alone live in :mod:`dyad_core.models.spec`.
"""

from __future__ import annotations

from dataclasses import dataclass

from dyad_core.bench.footprint import human
from dyad_core.bench.preflight import device_problem, implementation_problems, native_warnings
from dyad_core.bench.system import DeviceInfo, SystemInfo, system_info
from dyad_core.errors import Problem, SpecError
from dyad_core.models.building import is_masked
from dyad_core.models.configs import read_config
from dyad_core.models.cost.estimate import answer
from dyad_core.models.records import ModelCost, ModelEstimate
from dyad_core.models.spec import ModelSpec

__all__ = ["ModelFootprint", "model_footprint", "preflight_model"]

MIB = 2**20
# Measured: a process that has imported torch 2.13 and transformers 5.23 and built a small model has some 560 MiB resident.
PROCESS_BYTES = 600 * MIB

ORACLE_ITEM_BYTES = 8
LOSS_ITEM_BYTES = 4
LOSS_COPIES = 3
"""The loss works in float32: logits, their logarithm of probabilities, and a gradient."""


@dataclass(frozen=True)
class ModelFootprint:
    """Bytes that a measurement needs, from above.

    Attributes:
        held_bytes: of all models together, which are alive at once: weights, state of optimizers, filled caches.
        working_bytes: of one model at a time: gradients, activations, logits, or the check against the oracle.
    """

    held_bytes: int
    working_bytes: int

    @property
    def total_bytes(self) -> int:
        """Everything."""
        return self.held_bytes + self.working_bytes


def preflight_model(
    spec: ModelSpec, system: SystemInfo | None = None, *, estimate: ModelEstimate | None = None
) -> list[str]:
    """Check whether this machine can measure ``spec``; return warnings, each a sentence.

    Never initialises CUDA in this process, and allocates nothing of the model's size.

    Args:
        spec: the request.
        system: what is here; read when not given.
        estimate: the answer to ``spec.estimate_spec()``, where it is known already.

    Raises:
        SpecError: no such device, an implementation that cannot run there, a model that cannot be built or decoded, no
            candidate that is possible, or not enough memory: with the bytes needed and the bytes there.
    """
    here = system_info() if system is None else system
    device = here.device(spec.device)
    if device is None:
        raise SpecError([device_problem(spec.device, here)])
    estimate = estimate or answer(spec.estimate_spec())
    problems = implementation_problems((spec.implementation,), spec.device, spec.dtype, field="implementation")
    problems += _pass_problems(spec)
    possible = [each.cost for each in estimate.candidates if each.cost is not None]
    if not possible:
        reasons = "; ".join(estimate.candidates[0].problems)
        problems.append(Problem("n_blocks", f"must leave a candidate that is possible, and none is: {reasons}"))
    else:
        problems += _memory_problems(spec, estimate, possible, device)
    if problems:
        raise SpecError(problems)
    return _warnings(spec, estimate, device, here)


def model_footprint(spec: ModelSpec, dense: ModelCost, candidates: list[ModelCost], vocab_size: int) -> ModelFootprint:
    """Estimate from above what a measurement needs on its device."""
    every = [dense, *candidates]
    trains, decodes = "train_step" in spec.passes, "decode" in spec.passes
    held = sum(cost.memory.weights_bytes for cost in every)
    working = 0
    if trains:
        held += sum(cost.memory.optimizer_bytes for cost in every)
        loss = LOSS_COPIES * LOSS_ITEM_BYTES * spec.tokens * vocab_size
        kept = dense.memory.weights_bytes if spec.parts else 0  # one set of gradients for the optimizers' parts
        working = max(_training_bytes(cost, spec) for cost in every) + loss + kept
    if decodes:
        # The parts' own, and the longer one that a call makes before it is put back.
        held += sum(cost.memory.kv_cache_bytes for cost in every) * (2 if spec.parts else 1)
        working = max(working, max(cost.memory.kv_cache_bytes for cost in every))
    checked = max(cost.parameters for cost in candidates) * ORACLE_ITEM_BYTES * (2 if trains else 1)
    # Optimizers are made after the check.
    checked -= sum(cost.memory.optimizer_bytes for cost in every) if trains else 0
    working = max(working, checked)
    return ModelFootprint(held + (PROCESS_BYTES if spec.device == "cpu" else 0), working)


def _training_bytes(cost: ModelCost, spec: ModelSpec) -> int:
    memory = cost.memory
    saved = memory.activations_checkpointed_bytes if spec.checkpointing else memory.activations_bytes
    return memory.gradients_bytes + saved


def _pass_problems(spec: ModelSpec) -> list[Problem]:
    config = read_config(spec.config)
    if "decode" not in spec.passes:
        return []
    if is_masked(config):
        rule = f"must not hold decode: {config.model_type} fills in masked words and has no cache"
        return [Problem("passes", rule, list(spec.passes), "take train_step and prefill")]
    most = getattr(config, "max_position_embeddings", None)
    if isinstance(most, int) and spec.sequence + 1 > most:
        rule = f"must be at most {most - 1} with decode, which adds a token: the model has {most} positions"
        return [Problem("sequence", rule, spec.sequence)]
    return []


def _memory_problems(
    spec: ModelSpec, estimate: ModelEstimate, candidates: list[ModelCost], device: DeviceInfo
) -> list[Problem]:
    available = device.memory_available_bytes
    if available is None:
        return []
    vocab_size = int(read_config(spec.config).get_text_config().vocab_size)
    need = model_footprint(spec, estimate.dense, candidates, vocab_size)
    if need.total_bytes <= available:
        return []
    rule = (
        f"this needs {human(need.total_bytes)} of memory and {device.name} has {human(available)} available: "
        f"{human(need.held_bytes)} for {1 + len(candidates)} models that are measured beside each other, "
        f"{human(need.working_bytes)} for the work on one of them"
    )
    return [Problem("config", rule, estimate.name, _way_out(spec, estimate, candidates, available, vocab_size))]


def _way_out(
    spec: ModelSpec, estimate: ModelEstimate, candidates: list[ModelCost], available: int, vocab_size: int
) -> str:
    smallest = min(candidates, key=lambda cost: cost.parameters)
    alone = model_footprint(spec, estimate.dense, [smallest], vocab_size).total_bytes
    if len(candidates) > 1 and alone <= available:
        return f"a single candidate needs {human(alone)}; or take a smaller batch, or fewer tokens"
    ways = ["a smaller batch or fewer tokens"]
    if spec.optimizer == "adamw" and "train_step" in spec.passes:
        ways.append("optimizer sgd, which keeps no state")
    if "train_step" in spec.passes and not spec.checkpointing:
        ways.append("checkpointing")
    if "train_step" in spec.passes:
        ways.append("prefill and decode alone")
    return f"a single candidate needs {human(alone)}; what needs less: {', '.join(ways)}, a smaller model"


def _warnings(spec: ModelSpec, estimate: ModelEstimate, device: DeviceInfo, system: SystemInfo) -> list[str]:
    warnings = list(estimate.warnings)
    for each in estimate.candidates:
        if each.cost is None:
            warnings.append(f"{each.variant} n={each.n_blocks} ({each.mode}) cannot be: {'; '.join(each.problems)}")
    warnings += native_warnings(spec.dtype, spec.threads, device, system)
    return list(dict.fromkeys(warnings))
