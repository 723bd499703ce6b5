"""What is known of the quality at these sizes: published training runs of one seed each, or honestly nothing."""

from __future__ import annotations

from functools import lru_cache

from dyad_core.geometry import DyadGeometry
from dyad_core.published import QualityComparison, model_sizes, quality
from dyad_core.verdict.records import QualityEvidence

__all__ = ["quality_of", "within_loss"]

NAMES = {"blimp": "BLiMP", "blimp_supplement": "BLiMP supplement", "glue": "GLUE"}


@lru_cache(maxsize=256)
def quality_of(geometry: DyadGeometry) -> QualityEvidence:
    """The published comparisons of models whose feed-forward layers have these sizes, variant and n.

    Either layer of the feed-forward fits. A grain above 1 was never trained, so nothing fits it.
    """
    sizes = {(geometry.in_features, geometry.out_features), (geometry.out_features, geometry.in_features)}
    models = {model for model, known in model_sizes().items() if sizes & known}
    of_sizes = [each for each in quality().comparisons() if each.model in models]
    structure = geometry.variant, geometry.n_blocks, geometry.grain
    fitting = tuple(each for each in of_sizes if (each.variant, each.n_blocks, 1) == structure)
    ratios = [aggregate.ratio for each in fitting for aggregate in each.aggregates]
    return QualityEvidence(
        evidence=fitting,
        lowest_ratio=min(ratios, default=None),
        highest_ratio=max(ratios, default=None),
        source=quality().source if fitting else "",
        reading=_reading(fitting) if fitting else _nothing(geometry, of_sizes),
    )


def within_loss(found: QualityEvidence, max_loss: float | None) -> bool:
    """Whether published quality is shown to stay within a loss; True when none is asked for."""
    return max_loss is None or (found.lowest_ratio is not None and found.lowest_ratio >= 1 - max_loss)


def _reading(fitting: tuple[QualityComparison, ...]) -> str:
    lowest, where, name = min((a.ratio, _trained(each), a.name) for each in fitting for a in each.aggregates)
    highest = max(a.ratio for each in fitting for a in each.aggregates)
    models = ", ".join(dict.fromkeys(_trained(each) for each in fitting))
    seeds = max(each.seeds for each in fitting)
    repeated = "one seed each" if seeds == 1 else f"up to {seeds} seeds each"
    return (
        f"published scores are {lowest:.3f} to {highest:.3f} of dense ({models}; {repeated}, so differences of this size "
        f"may be chance; lowest: {NAMES.get(name, name)}, {where})"
    )


def _nothing(geometry: DyadGeometry, of_sizes: list[QualityComparison]) -> str:
    grain = f" with grain={geometry.grain}" if geometry.grain != 1 else ""
    asked = f"{geometry.variant.upper()} n={geometry.n_blocks}{grain}"
    if not of_sizes:
        return "no evidence at this size: nobody published a model trained with DYAD layers of these sizes"
    there = ", ".join(dict.fromkeys(f"{each.variant.upper()} n={each.n_blocks}" for each in of_sizes))
    return f"no evidence for {asked} at this size: published models have {there}"


def _trained(each: QualityComparison) -> str:
    return f"{each.model} on {each.training_words} words"
