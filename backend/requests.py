"""Objects inside the requests of structure questions: their fields, their defaults, and the rules between them.

The library checks values against sizes; what is checked here is what it would not be handed: types, and names of its
functions' choices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, get_args

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import VARIANTS, DyadGeometry, Variant
from dyad_core.layers.linear import INITS, Init
from dyad_core.structure.sizes import MAX_CELLS
from dyad_core.weights.pictures import DEFAULT_CELLS, PARTS, Part
from dyad_core.weights.projection import DEFAULT_N_BLOCKS

__all__ = [
    "Examine",
    "Feature",
    "Pair",
    "ProjectionRequest",
    "RankOf",
    "RealisedDraw",
    "RealisedUpload",
    "Reorder",
    "list_problem",
]

MAX_VALUES = 64
"""Values in a list of a request."""

_CONFIG = {"extra": "forbid"}
"""Read by pydantic for the OpenAPI document."""


@dataclass(frozen=True)
class Feature:
    """One feature of a layer; ``index`` is checked against the layer by the library."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    side: Literal["input", "output"]
    index: int

    def __post_init__(self) -> None:
        """Check the side."""
        _raise(_choice("side", self.side, ("input", "output")))


@dataclass(frozen=True)
class Pair:
    """An input of a chain's first layer and an output of its last, checked against the chain by the library."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    input: int
    output: int


@dataclass(frozen=True)
class RankOf:
    """Which draw of the weights the rank is asked of."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    seed: int = 0

    def __post_init__(self) -> None:
        """Check the seed."""
        _raise(_whole("seed", self.seed, 0))


@dataclass(frozen=True)
class RealisedDraw:
    """Weights drawn for a layer as a fresh one has them."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    seed: int = 0
    init: Init = "paper"

    def __post_init__(self) -> None:
        """Check seed and rule of initialisation."""
        _raise(_whole("seed", self.seed, 0), _choice("init", self.init, INITS))


@dataclass(frozen=True)
class RealisedUpload:
    """Weights of an uploaded file, or what a pattern keeps or drops of them."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    upload: str
    tensor: str | None = None
    transpose: bool = False
    part: Part = "all"

    def __post_init__(self) -> None:
        """Check types and the part."""
        _raise(*_tensor_problems(self.upload, self.tensor, self.transpose), _choice("part", self.part, PARTS))


@dataclass(frozen=True)
class Examine:
    """One structure that a projection is to look at in detail."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    variant: Variant = "it"
    n_blocks: int = 4
    grain: int = 1
    residual_spectrum: bool = False
    max_cells: int = DEFAULT_CELLS

    def __post_init__(self) -> None:
        """Check types and the number of cells; the structure is checked against the matrix later."""
        _raise(
            *_structure_problems(self.variant, self.n_blocks, self.grain),
            _flag("residual_spectrum", self.residual_spectrum),
            _whole("max_cells", self.max_cells, 1, MAX_CELLS),
        )

    def geometry(self, in_features: int, out_features: int) -> DyadGeometry:
        """The structure for these sizes; SpecError where it does not fit."""
        return DyadGeometry(in_features, out_features, self.n_blocks, self.variant, self.grain)


@dataclass(frozen=True)
class Reorder:
    """The second weight of a feed-forward, whose hidden units are to be reordered, and the structure of both.

    ``upload`` None means the file of the first weight; ``second_variant`` None means ``variant``.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    tensor: str
    upload: str | None = None
    transpose: bool = False
    variant: Variant = "it"
    second_variant: Variant | None = None
    n_blocks: int = 4
    grain: int = 1

    def __post_init__(self) -> None:
        """Check types; the structure is checked against the matrices later."""
        _raise(
            *_tensor_problems("" if self.upload is None else self.upload, self.tensor, self.transpose),
            None if isinstance(self.tensor, str) else Problem("tensor", "must be a text", self.tensor),
            *_structure_problems(self.variant, self.n_blocks, self.grain),
            None if self.second_variant is None else _choice("second_variant", self.second_variant, VARIANTS),
        )

    @property
    def variants(self) -> tuple[Variant, Variant]:
        """Of the first and of the second weight."""
        return self.variant, self.second_variant or self.variant


@dataclass(frozen=True)
class ProjectionRequest:
    """What to hold against an uploaded matrix.

    Attributes:
        upload: id of the file.
        tensor: name of the matrix; None takes the only one.
        transpose: the file holds it as (in_features, out_features).
        variants: of the patterns.
        n_blocks: of the patterns; those that do not fit are reported as skipped.
        grains: of the patterns.
        low_rank: compute the singular values and compare with low rank.
        examine: one structure in detail, with singular values and pictures.
        reorder: look for an order of hidden units that keeps more.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    upload: str
    tensor: str | None = None
    transpose: bool = False
    variants: tuple[Variant, ...] = VARIANTS
    n_blocks: tuple[int, ...] = DEFAULT_N_BLOCKS
    grains: tuple[int, ...] = (1,)
    low_rank: bool = True
    examine: Examine | None = None
    reorder: Reorder | None = None

    def __post_init__(self) -> None:
        """Check types and turn lists into tuples."""
        _raise(
            *_tensor_problems(self.upload, self.tensor, self.transpose),
            list_problem("variants", self.variants, str),
            list_problem("n_blocks", self.n_blocks, int),
            list_problem("grains", self.grains, int),
            _flag("low_rank", self.low_rank),
        )
        for name in ("variants", "n_blocks", "grains"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values of every field."""
        values = asdict(self)
        return values | {name: list(values[name]) for name in ("variants", "n_blocks", "grains")}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ProjectionRequest:
        """Read what :meth:`to_dict` gave."""
        examine = None if values["examine"] is None else Examine(**values["examine"])
        reorder = None if values["reorder"] is None else Reorder(**values["reorder"])
        return cls(**values | {"examine": examine, "reorder": reorder})


def _raise(*problems: Problem | None) -> None:
    if found := [problem for problem in problems if problem is not None]:
        raise SpecError(found)


def _choice(name: str, value: Any, choices: Sequence[str]) -> Problem | None:
    if isinstance(value, str) and value in choices:
        return None
    return Problem(name, f"must be one of {', '.join(choices)}", value)


def _flag(name: str, value: Any) -> Problem | None:
    return None if isinstance(value, bool) else Problem(name, "must be true or false", value)


def _whole(name: str, value: Any, least: int, most: int | None = None) -> Problem | None:
    if isinstance(value, int) and not isinstance(value, bool) and least <= value and (most is None or value <= most):
        return None
    return Problem(
        name,
        f"must be an integer of at least {least}" if most is None else f"must be an integer from {least} to {most}",
        value,
    )


def list_problem(name: str, values: Any, kind: type, most: int = MAX_VALUES) -> Problem | None:
    """What is wrong with a field that must be a list of 1 to ``most`` values of one type; None when nothing is."""
    whole = isinstance(values, list | tuple) and 1 <= len(values) <= most
    if whole and all(isinstance(value, kind) and not isinstance(value, bool) for value in values):
        return None
    words = "texts" if kind is str else "integers"
    return Problem(name, f"must be a list of 1 to {most} {words}", values)


def _tensor_problems(upload: Any, tensor: Any, transpose: Any) -> Iterator[Problem | None]:
    if not isinstance(upload, str):
        yield Problem("upload", "must be the id of an upload", upload, "POST /api/v1/uploads answers with one")
    if tensor is not None and not isinstance(tensor, str):
        yield Problem("tensor", "must be the name of a tensor, or null for the file's only matrix", tensor)
    yield _flag("transpose", transpose)


def _structure_problems(variant: Any, n_blocks: Any, grain: Any) -> Iterator[Problem | None]:
    yield _choice("variant", variant, get_args(Variant))
    yield _whole("n_blocks", n_blocks, 1)
    yield _whole("grain", grain, 1)
