"""The JSON shapes of answers about chains of layers; see :mod:`frontend.schemas` for how they are meant."""

from __future__ import annotations

from typing import Any, TypedDict

from frontend.schemas import FeatureSetJson, GeometryJson

__all__ = [
    "AdviceJson",
    "AlternativeJson",
    "ArrayJson",
    "ChoiceJson",
    "DepthJson",
    "HeatMapsJson",
    "LocalityJson",
    "NumberJson",
    "PathsJson",
    "RankJson",
    "ReachabilityJson",
    "StepJson",
    "TraceJson",
]


class PathsJson(TypedDict):
    """How the numbers of paths spread over the pairs; decimal logarithms where ``logarithmic``, None for no path."""

    min: float | None
    median: float | None
    max: float | None
    mean: float | None
    evenness: float
    logarithmic: bool


class DepthJson(TypedDict, total=False):
    """Reach after ``depth`` layers."""

    depth: int
    in_features: int
    out_features: int
    reached_pairs: int
    total_pairs: int
    reached_share: float
    full: bool
    connected_parts: int
    paths: PathsJson | None


class ArrayJson(TypedDict):
    """Numbers of a picture: base64 of zlib of little-endian numbers, row by row."""

    values: str
    dtype: str


class HeatMapsJson(TypedDict):
    """Hops and paths between groups of inputs (rows) and of outputs (columns)."""

    input_groups: list[FeatureSetJson]
    output_groups: list[FeatureSetJson]
    merged: bool
    compared_depths: list[int]
    rows: int
    columns: int
    hops: ArrayJson
    paths_log10: ArrayJson


class LocalityJson(TypedDict):
    """Numbers of paths by the distance of input and output, in cells."""

    in_features: int
    out_features: int
    cells: int
    distance: list[int]
    pairs: list[int]
    min: list[float | None]
    mean: list[float | None]
    max: list[float | None]
    logarithmic: bool
    near_over_mean: float


class NumberJson(TypedDict):
    """A whole number of any size: text always, ``count`` where JSON readers keep it exactly, and its logarithm."""

    text: str
    count: int | None
    log10: float | None


class StepJson(TypedDict):
    """One step of a path: through one block of one layer."""

    layer: int
    input: int
    hub: int
    component: str
    block: int
    output: int


class TraceJson(TypedDict):
    """How one input reaches one output."""

    input: int
    output: int
    compared_depths: list[int]
    hops: int | None
    paths_at_hops: NumberJson
    paths: NumberJson
    path: list[StepJson]


class AlternativeJson(TypedDict):
    """One structure in place of the whole chain."""

    name: str
    choices: list[str]
    parameters: int
    flops_per_token: int
    reached_share: list[float]
    first_full_depth: int | None
    rank_bound: int
    notes: list[str]


class RankJson(TypedDict):
    """Numerical rank by depth for one draw of the weights."""

    seed: int
    depths: list[dict[str, Any]]
    rank: int
    method: str


class ReachabilityJson(TypedDict, total=False):
    """Reach of a chain of layers, and what else was asked for."""

    layers: list[GeometryJson]
    depths: list[DepthJson]
    first_full_depth: int | None
    warnings: list[str]
    heatmaps: HeatMapsJson
    locality: LocalityJson
    compare: dict[str, list[AlternativeJson]]
    pair: TraceJson
    rank: RankJson


class ChoiceJson(TypedDict, total=False):
    """One legal layer of the sizes asked about."""

    in_features: int
    out_features: int
    n_blocks: int
    variant: str
    grain: int
    parameters: int
    flops_per_token: int
    share_of_dense: float
    limit: float
    saves: bool
    density: float
    first_full_depth: int | None
    reached_share_of_two: float | None


class AdviceJson(TypedDict):
    """Every legal choice for two sizes, and one of them recommended (an index into ``choices``)."""

    in_features: int
    out_features: int
    dense_parameters: int
    choices: list[ChoiceJson]
    recommended: int | None
    reason: str
    padding: list[ChoiceJson]
    notes: list[str]
