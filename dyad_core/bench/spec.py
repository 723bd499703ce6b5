"""What to measure: a frozen, fully checked request that is also the REST body.

The service accepts this dataclass as it is, the command line builds it, the dashboard shows it: one
vocabulary from library to browser. Rules of the *values* live here; rules that depend on the machine
(is there such a device, does it fit in memory) live in :mod:`dyad_core.bench.preflight`.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, get_args

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import VARIANTS, DyadGeometry, Variant, positive_integer

__all__ = [
    "ALLOCATORS",
    "CACHES",
    "DTYPES",
    "MATMUL_PRECISIONS",
    "MODULES",
    "OPTIMIZERS",
    "PASSES",
    "PEERS",
    "Allocator",
    "BenchmarkSpec",
    "Cache",
    "Dtype",
    "MatmulPrecision",
    "Module",
    "OptimizerName",
    "Pass",
    "Peer",
]

Module = Literal["linear", "feed_forward"]
Dtype = Literal["float32", "float64", "bfloat16", "float16"]
Pass = Literal["forward", "backward_input", "backward_weight", "train_step", "decode"]
Peer = Literal["low_rank", "monarch", "dense_again"]
Allocator = Literal["default", "keep_pages"]
OptimizerName = Literal["none", "sgd", "adamw"]
MatmulPrecision = Literal["highest", "high", "medium"]
Cache = Literal["warm", "flushed"]

MODULES: tuple[Module, ...] = get_args(Module)
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
PASSES: tuple[Pass, ...] = get_args(Pass)
PEERS: tuple[Peer, ...] = get_args(Peer)
ALLOCATORS: tuple[Allocator, ...] = get_args(Allocator)
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)
MATMUL_PRECISIONS: tuple[MatmulPrecision, ...] = get_args(MatmulPrecision)
CACHES: tuple[Cache, ...] = get_args(Cache)

MAX_CANDIDATES = 256
MAX_SEEDS = 100
MAX_SECONDS = 24 * 3600.0
MAX_THREADS = 1024

CHOICES: dict[str, tuple[str, ...]] = {
    "module": MODULES,
    "dtype": DTYPES,
    "allocator": ALLOCATORS,
    "optimizer": OPTIMIZERS,
    "float32_matmul_precision": MATMUL_PRECISIONS,
    "cache": CACHES,
}


@dataclass(frozen=True)
class BenchmarkSpec:
    """One benchmark: a layer, what to replace it by, and the conditions.

    Args:
        in_features: size of each input sample (``feed_forward``: the model width).
        out_features: size of each output sample (``feed_forward``: the hidden width).
        module: ``"linear"``, or ``"feed_forward"`` for in → out → in with an activation between.
        tokens: rows of the input, batch × sequence.
        n_blocks: block counts to measure, each dividing both sizes.
        variants: ``"it"``, ``"ot"``, ``"dt"`` and the ablation ``"bd"``.
        grains: run lengths of the interleave; 1 is the paper.
        implementations: names from the registry of :mod:`dyad_core.ops`, or ``"auto"``.
        passes: ``"forward"``; ``"backward_input"`` and ``"backward_weight"`` are the backward pass alone, for the gradient
            of the input or of the parameters; ``"train_step"`` is forward, both gradients and the optimizer's step;
            ``"decode"`` is forward with weights that come from memory and not from the cache, for few tokens.
        dtype: one dtype for the dense twin and every candidate.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        threads: CPU threads for both sides; None takes the number of physical cores this process may use.
        seed: of weights, inputs and the order of the rounds.
        max_seconds: budget for the timing of all passes together, in seconds; the run says when it was spent.
        peers: structured layers that are not DYAD, measured beside it with equal parameters at each n:
            ``"low_rank"``, ``"monarch"``.
        allocator: ``"keep_pages"`` starts the measuring process with a C library that keeps freed memory instead of
            handing it back, for both sides alike; ``"default"`` leaves the settings as they are.
        optimizer: what ends a ``train_step``: ``"adamw"``, ``"sgd"`` (no momentum) or ``"none"``.
        float32_matmul_precision: as ``torch.set_float32_matmul_precision``; below ``"highest"`` a GPU may use tf32.
        compile: measure every candidate and the dense twin under ``torch.compile``.
        cuda_graph: replay a captured CUDA graph instead of launching kernels one by one, for both sides; CUDA only.
        cache: ``"flushed"`` overwrites the last-level cache before every call, outside of the timed part.
        n_seeds: weights and inputs are drawn anew from ``seed``, ``seed + 1``, …, each for an equal share of the rounds.
        target_interval: sampling of a pass stops when every 95 % interval is at most this far from its speed-up on
            either side, as a share of it; 0.02 is ±2 %.

    ``peers`` may also hold ``"dense_again"``, a second dense twin: the A/A control, whose true speed-up is 1.

    Raises:
        SpecError: with one problem per wrong field.
    """

    # Read by pydantic when the service uses this class; no import of pydantic is needed for that.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    in_features: int
    out_features: int
    module: Module = "linear"
    tokens: int = 4096
    n_blocks: tuple[int, ...] = (4, 8)
    variants: tuple[Variant, ...] = ("it",)
    grains: tuple[int, ...] = (1,)
    implementations: tuple[str, ...] = ("auto",)
    passes: tuple[Pass, ...] = ("forward",)
    dtype: Dtype = "float32"
    device: str = "cpu"
    threads: int | None = None
    seed: int = 0
    max_seconds: float = 60.0
    peers: tuple[Peer, ...] = ()
    allocator: Allocator = "default"
    optimizer: OptimizerName = "adamw"
    float32_matmul_precision: MatmulPrecision = "highest"
    compile: bool = False
    cuda_graph: bool = False
    cache: Cache = "warm"
    n_seeds: int = 1
    target_interval: float = 0.02

    def __post_init__(self) -> None:
        """Turn lists into tuples, check every rule, report all problems at once."""
        problems = [*self._scalar_problems(), *self._list_problems()]
        structural = {"in_features", "out_features", "n_blocks", "variants", "grains"}
        if not structural & {problem.field for problem in problems}:
            problems += self._geometry_problems()
        if problems:
            raise SpecError(problems)

    def _scalar_problems(self) -> list[Problem]:
        problems = [
            problem
            for name in ("in_features", "out_features", "tokens")
            if (problem := positive_integer(name, getattr(self, name))) is not None
        ]
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                problems.append(Problem(name, f"must be one of {', '.join(allowed)}", getattr(self, name)))
        if not _is_device(self.device):
            problems.append(Problem("device", "must be cpu, cuda or cuda:<index>", self.device))
        if self.threads is not None and (problem := positive_integer("threads", self.threads)):
            problems.append(problem)
        elif self.threads is not None and self.threads > MAX_THREADS:
            problems.append(Problem("threads", f"must be at most {MAX_THREADS}", self.threads))
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            problems.append(Problem("seed", "must be an integer from 0 to 2**63 - 1", self.seed))
        if not _is_number(self.max_seconds) or not 0 < self.max_seconds <= MAX_SECONDS:
            rule = f"must be a number of seconds above 0 and at most {MAX_SECONDS:.0f}"
            problems.append(Problem("max_seconds", rule, self.max_seconds))
        return [*problems, *self._sampling_problems()]

    def _sampling_problems(self) -> list[Problem]:
        problems = [
            Problem(name, "must be true or false", getattr(self, name))
            for name in ("compile", "cuda_graph")
            if not isinstance(getattr(self, name), bool)
        ]
        if (problem := positive_integer("n_seeds", self.n_seeds)) is not None:
            problems.append(problem)
        elif self.n_seeds > MAX_SEEDS:
            problems.append(Problem("n_seeds", f"must be at most {MAX_SEEDS}", self.n_seeds))
        if not _is_number(self.target_interval) or not 0 < self.target_interval < 1:
            rule = "must be a number above 0 and below 1"
            problems.append(Problem("target_interval", rule, self.target_interval, "0.02 is an interval of ±2 %"))
        if self.cuda_graph is True and isinstance(self.device, str) and self.device == "cpu":
            problems.append(Problem("cuda_graph", "must be false on a CPU, which has no CUDA graphs", True))
        return problems

    def _list_problems(self) -> list[Problem]:
        problems: list[Problem] = []
        for name in ("n_blocks", "variants", "grains", "implementations", "passes", "peers"):
            value = getattr(self, name)
            if isinstance(value, str | bytes) or not isinstance(value, list | tuple):
                problems.append(Problem(name, "must be a list", value, f"for one value write [{value!r}]"))
            elif not value and name != "peers":
                problems.append(Problem(name, "must not be empty", []))
            else:
                object.__setattr__(self, name, tuple(dict.fromkeys(_hashable(item) for item in value)))
        if problems:
            return problems
        for name in ("n_blocks", "grains"):
            problems += [p for item in getattr(self, name) if (p := positive_integer(name, item)) is not None]
        for name, allowed in (("variants", VARIANTS), ("passes", PASSES), ("peers", PEERS)):
            for item in getattr(self, name):
                if item not in allowed:
                    problems.append(Problem(name, f"must be among {', '.join(allowed)}", item))
        problems += [
            Problem("implementations", "must be names", item)
            for item in self.implementations
            if not isinstance(item, str)
        ]
        problems += self._decode_problems()
        per_n = len(self.variants) * len(self.grains) * len(self.implementations) + len(self.peers)
        count = len(self.n_blocks) * per_n
        if count > MAX_CANDIDATES:
            rule = (
                f"n_blocks × (variants × grains × implementations + peers) must be at most {MAX_CANDIDATES} candidates"
            )
            problems.append(Problem("n_blocks", rule, count, "split the request into several"))
        return problems

    def _decode_problems(self) -> list[Problem]:
        if "decode" not in self.passes:
            return []
        why = "decode rotates through many copies of the weights of one draw"
        return [
            Problem(name, f"must be {usual!r} with the pass decode: {why}", getattr(self, name), "measure it apart")
            for name, usual in (("n_seeds", 1), ("compile", False), ("cuda_graph", False))
            if getattr(self, name) != usual
        ]

    def _geometry_problems(self) -> list[Problem]:
        found: dict[tuple[str, str], Problem] = {}
        for n in self.n_blocks:
            for variant in self.variants:
                for grain in self.grains:
                    try:
                        DyadGeometry(self.in_features, self.out_features, n, variant, grain)
                    except SpecError as error:
                        for problem in error.problems:
                            field = "grains" if problem.field == "grain" else problem.field
                            named = Problem(field, problem.rule, problem.received, problem.suggestion)
                            found.setdefault((field, problem.rule), named)
        return list(found.values())

    def geometries(self) -> list[DyadGeometry]:
        """Every geometry of the request, in order: n outermost, then variant, then grain; each once.

        ``bd`` has no interleave, so it appears with the first grain only.
        """
        return [
            DyadGeometry(self.in_features, self.out_features, n, variant, grain)
            for n in self.n_blocks
            for variant in self.variants
            for grain in (self.grains[:1] if variant == "bd" else self.grains)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return every field as JSON-ready values."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BenchmarkSpec:
        """Build from a mapping; an unknown field is a problem like any other.

        Raises:
            SpecError: for unknown or missing fields and every broken rule.
        """
        known = {field.name for field in fields(cls)}
        problems = [
            Problem(
                str(name), "is not a field of a benchmark", values[name], f"known fields: {', '.join(sorted(known))}"
            )
            for name in values
            if name not in known
        ]
        missing = [name for name in ("in_features", "out_features") if name not in values]
        problems += [Problem(name, "is required", None) for name in missing]
        given = {name: value for name, value in values.items() if name in known}
        try:
            spec = cls(**{**dict.fromkeys(missing), **given})
        except SpecError as error:
            raise SpecError([*problems, *(p for p in error.problems if p.field not in missing)]) from error
        if problems:
            raise SpecError(problems)
        return spec

    def digest(self) -> str:
        """Identity of the request: SHA-256 of its canonical JSON, hexadecimal.

        A field that a later version added counts only where it is set, so that older requests keep their identity.
        """
        added = {
            "peers": (),
            "allocator": "default",
            "optimizer": "none" if "train_step" in self.passes else self.optimizer,
            "float32_matmul_precision": "highest",
            "compile": False,
            "cuda_graph": False,
            "cache": "warm",
            "n_seeds": 1,
            "target_interval": 0.02,
        }
        values = {name: value for name, value in asdict(self).items() if name not in added or value != added[name]}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _is_device(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    kind, _, index = value.partition(":")
    if value in ("cpu", "cuda"):
        return True
    return kind == "cuda" and index.isascii() and index.isdigit() and len(index) <= 3


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _hashable(item: Any) -> Any:
    return repr(item) if isinstance(item, list | dict | set) else item
