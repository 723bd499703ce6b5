"""What to ask of a whole model: a frozen, fully checked request that is also the REST body.

:class:`EstimateSpec` is a question that arithmetic answers; :class:`ModelSpec` adds what a measurement needs to know. What
is a number here is checked here; whether such a model can be built is the business of :mod:`dyad_core.models.configs`.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, Self, get_args

from dyad_core.bench.spec import (
    DTYPES,
    MATMUL_PRECISIONS,
    MAX_SECONDS,
    MAX_THREADS,
    OPTIMIZERS,
    Dtype,
    MatmulPrecision,
    OptimizerName,
)
from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import VARIANTS, Variant, positive_integer

__all__ = ["MODEL_PASSES", "MODES", "EstimateSpec", "Mode", "ModelPass", "ModelSpec"]

ModelPass = Literal["train_step", "prefill", "decode"]
Mode = Literal["layers", "feed_forward"]

MODEL_PASSES: tuple[ModelPass, ...] = get_args(ModelPass)
MODES: tuple[Mode, ...] = get_args(Mode)

MAX_BATCH = 2**20
MAX_SEQUENCE = 2**24
MAX_CANDIDATES = 64
MAX_NAMES = 64
LONGEST_NAME = 256


@dataclass(frozen=True)
class EstimateSpec:
    """A model, what to put into it, and the work it is given.

    Args:
        config: name of a preset (``"opt-125m"``) or the object of a ``config.json`` with its ``model_type``.
        n_blocks: block counts, each a candidate with each variant; a single number is a list of one.
        variants: ``"it"``, ``"ot"``, ``"dt"``, ``"bd"``; a single name is a list of one.
        modes: ``"layers"`` replaces each linear layer by itself, ``"feed_forward"`` a pair of them and the activation between
            by one module, where the architecture allows it.
        names: patterns of dotted names (``*`` and ``?`` as in a shell) that say which linear layers to replace; empty
            means the feed-forward layers, where the architecture is known.
        grain: run length of the interleave; 1 is the paper.
        batch: sequences per step.
        sequence: tokens per sequence; of ``decode`` those that are in the cache already.
        dtype: of weights, gradients and activations, dense and DYAD alike.
        optimizer: ``"adamw"``, ``"sgd"`` (no momentum) or ``"none"``.
        checkpointing: gradient checkpointing of each block of the model in a training step.

    Raises:
        SpecError: with one problem per wrong field.
    """

    # Read by pydantic when the service uses this class; no import of pydantic is needed for that.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    config: str | dict[str, Any]
    n_blocks: tuple[int, ...] = (4, 8)
    variants: tuple[Variant, ...] = ("it",)
    modes: tuple[Mode, ...] = ("layers",)
    names: tuple[str, ...] = ()
    grain: int = 1
    batch: int = 1
    sequence: int = 256
    dtype: Dtype = "float32"
    optimizer: OptimizerName = "adamw"
    checkpointing: bool = False

    def __post_init__(self) -> None:
        """Turn lists and single values into tuples, check every rule, report all problems at once."""
        if problems := self._problems():
            raise SpecError(problems)

    def _problems(self) -> list[Problem]:
        problems = [*self._list_problems(), *self._number_problems(), *self._choice_problems()]
        if not isinstance(self.config, str | dict) or not self.config:
            rule = "must be the name of a preset, or the object of a config.json with its model_type"
            problems.append(Problem("config", rule, self.config))
        elif isinstance(self.config, dict) and not isinstance(self.config.get("model_type"), str):
            received = self.config.get("model_type")
            problems.append(Problem("config.model_type", "must name the architecture, as 'opt' or 'llama'", received))
        return problems

    def _list_problems(self) -> list[Problem]:
        problems: list[Problem] = []
        choices: dict[str, tuple[str, ...]] = {"variants": VARIANTS, "modes": MODES}
        for name in ("n_blocks", "variants", "modes", "names"):
            given = getattr(self, name)
            values = (given,) if isinstance(given, str | int) else given
            if not isinstance(values, list | tuple) or (not values and name != "names"):
                problems.append(Problem(name, "must be a list of at least one value", given))
                continue
            # What cannot be hashed is wrong here anyway, and is named below.
            values = tuple(dict.fromkeys(value if isinstance(value, str | int) else repr(value) for value in values))
            object.__setattr__(self, name, values)
            if name in choices:
                rule = f"must be among {', '.join(choices[name])}"
                problems += [Problem(name, rule, value) for value in values if value not in choices[name]]
            elif name == "n_blocks":
                problems += [found for value in values if (found := positive_integer(name, value)) is not None]
            else:
                problems += [Problem(name, _NAME_RULE, value) for value in values if not _is_name(value)]
        if not problems and len(self.n_blocks) * len(self.variants) * len(self.modes) > MAX_CANDIDATES:
            rule = f"n_blocks × variants × modes must be at most {MAX_CANDIDATES} candidates"
            problems.append(Problem("n_blocks", rule, len(self.n_blocks) * len(self.variants) * len(self.modes)))
        if not problems and len(self.names) > MAX_NAMES:
            problems.append(Problem("names", f"must be at most {MAX_NAMES} patterns", len(self.names)))
        return problems

    def _number_problems(self) -> list[Problem]:
        problems = []
        for name, most in (("grain", MAX_BATCH), ("batch", MAX_BATCH), ("sequence", MAX_SEQUENCE)):
            value = getattr(self, name)
            if (problem := positive_integer(name, value)) is not None:
                problems.append(problem)
            elif value > most:
                problems.append(Problem(name, f"must be at most {most}", value))
        return problems

    def _choice_problems(self) -> list[Problem]:
        problems = [
            Problem(name, f"must be one of {', '.join(allowed)}", getattr(self, name))
            for name, allowed in (("dtype", DTYPES), ("optimizer", OPTIMIZERS))
            if getattr(self, name) not in allowed
        ]
        if not isinstance(self.checkpointing, bool):
            problems.append(Problem("checkpointing", "must be true or false", self.checkpointing))
        return problems

    @property
    def tokens(self) -> int:
        """Rows that reach the linear layers in a training step or a prefill: batch × sequence."""
        return self.batch * self.sequence

    def to_dict(self) -> dict[str, Any]:
        """Return every field as JSON-ready values."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from a mapping; an unknown field is a problem like any other.

        Raises:
            SpecError: for unknown or missing fields and every broken rule.
        """
        known = {field.name for field in fields(cls)}
        hint = f"known fields: {', '.join(sorted(known))}"
        problems = [
            Problem(str(name), "is not a field of this request", values[name], hint)
            for name in values
            if name not in known
        ]
        if "config" not in values:
            problems.append(Problem("config", "is required", None, "the name of a preset, or a config.json"))
        given = {name: value for name, value in values.items() if name in known}
        try:
            spec = cls(**{"config": "opt-125m", **given})
        except SpecError as error:
            raise SpecError([*problems, *error.problems]) from error
        if problems:
            raise SpecError(problems)
        return spec

    def digest(self) -> str:
        """Identity of the request: SHA-256 of its canonical JSON, hexadecimal."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class ModelSpec(EstimateSpec):
    """A measurement of a whole model, dense and with DYAD, in interleaved rounds.

    Args:
        passes: ``"train_step"`` is forward, loss, backward and the optimizer's step; ``"prefill"`` a forward without
            gradients that fills the cache; ``"decode"`` one more token behind ``sequence`` cached ones.
        parts: also measure the layers of one block by themselves, and from them what the step should take.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        threads: CPU threads for both sides; None takes the number of physical cores this process may use.
        float32_matmul_precision: as ``torch.set_float32_matmul_precision``; below ``"highest"`` a GPU may use tf32.
        compile: measure every candidate and the dense model under ``torch.compile``.
        implementation: name from the registry of :mod:`dyad_core.ops`, or ``"auto"``.
        seed: of weights, tokens and the order of the rounds.
        max_seconds: budget for the timing of all passes together, in seconds.
        target_interval: sampling of a pass stops when every 95 % interval is at most this far from its speed-up on
            either side, as a share of it.

    The other fields are those of :class:`EstimateSpec`.
    """

    passes: tuple[ModelPass, ...] = ("train_step",)
    parts: bool = True
    device: str = "cpu"
    threads: int | None = None
    float32_matmul_precision: MatmulPrecision = "highest"
    compile: bool = False
    implementation: str = "auto"
    seed: int = 0
    max_seconds: float = 120.0
    target_interval: float = 0.02

    def _problems(self) -> list[Problem]:
        return [*super()._problems(), *self._pass_problems(), *self._measuring_problems()]

    def _pass_problems(self) -> list[Problem]:
        given = (self.passes,) if isinstance(self.passes, str) else self.passes
        if not isinstance(given, list | tuple) or not given:
            return [Problem("passes", "must be a list of at least one value", self.passes)]
        rule = f"must be among {', '.join(MODEL_PASSES)}"
        problems = [Problem("passes", rule, value) for value in given if value not in MODEL_PASSES]
        if not problems:
            object.__setattr__(self, "passes", tuple(dict.fromkeys(given)))
        return problems

    def _measuring_problems(self) -> list[Problem]:
        problems = [
            Problem(name, "must be true or false", getattr(self, name))
            for name in ("parts", "compile")
            if not isinstance(getattr(self, name), bool)
        ]
        kind, _, index = self.device.partition(":") if isinstance(self.device, str) else ("", "", "")
        if kind not in ("cpu", "cuda") or (":" in self.device and (kind == "cpu" or not _is_index(index))):
            problems.append(Problem("device", "must be cpu, cuda or cuda:<index>", self.device))
        if self.threads is not None:
            if (problem := positive_integer("threads", self.threads)) is not None:
                problems.append(problem)
            elif self.threads > MAX_THREADS:
                problems.append(Problem("threads", f"must be at most {MAX_THREADS}", self.threads))
        if self.float32_matmul_precision not in MATMUL_PRECISIONS:
            rule = f"must be one of {', '.join(MATMUL_PRECISIONS)}"
            problems.append(Problem("float32_matmul_precision", rule, self.float32_matmul_precision))
        if not isinstance(self.implementation, str):
            problems.append(Problem("implementation", "must be a name", self.implementation))
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            problems.append(Problem("seed", "must be an integer from 0 to 2**63 - 1", self.seed))
        for name, most in (("max_seconds", MAX_SECONDS), ("target_interval", 1.0)):
            value = getattr(self, name)
            if not _is_number(value) or not 0 < value <= most:
                problems.append(Problem(name, f"must be a number above 0 and at most {most:g}", value))
        return problems

    def estimate_spec(self) -> EstimateSpec:
        """The question without the measurement."""
        return EstimateSpec(**{field.name: getattr(self, field.name) for field in fields(EstimateSpec)})


_NAME_RULE = f"must be a pattern of dotted names of 1 to {LONGEST_NAME} characters"


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
