"""The published figures taken apart: which part of each is structure and which is precision, from the rows themselves.

Run ``python -c "from dyad_core.bench.original_replay import published_conditions as p; print(p().reading)"``.
"""

from __future__ import annotations

from dyad_core.bench.precision_split import LABEL, Decomposition, OriginalConditions, factors, in_words, part_of
from dyad_core.published import LayerTiming, TimingRow, layer_timing

__all__ = ["published_conditions"]

PUBLISHED_PASSES = ("total", "forward", "backward")

_LAYER = tuple[str, str, int | None, str, int, int]


def published_conditions(timing: LayerTiming | None = None) -> OriginalConditions:
    """Take apart every published figure that has the rows for it, and say of the others which row is missing.

    Figures with a headline come first, in the order of the file.

    Args:
        timing: the rows; None takes the packaged file.
    """
    timing = timing or layer_timing()
    layers: dict[_LAYER, dict[str, TimingRow]] = {}
    for row in timing.rows:
        if not row.is_dense:
            key = (row.model, row.variant, row.n_blocks, row.implementation, row.hidden_size, row.ffn_size)
            layers.setdefault(key, {})["float32" if row.precision == "float32" else "float16"] = row
    found = [_replayed(timing, rows.get("float32"), rows.get("float16")) for rows in layers.values()]
    found.sort(key=lambda each: bool(each.missing))
    return OriginalConditions(
        kind="replay",
        label=LABEL,
        source=timing.source,
        device_name=timing.gpu,
        conditions=f"{timing.tokens} tokens, {timing.unit}; {timing.method}",
        caveats=(timing.caveat,),
        decompositions=tuple(found),
        reading=_replay_reading(found, timing),
    )


def _replayed(timing: LayerTiming, single: TimingRow | None, half: TimingRow | None) -> Decomposition:
    row = single or half
    if row is None or row.n_blocks is None:
        msg = "a published DYAD row has a number of blocks"
        raise ValueError(msg)
    dense = timing.dense(row)
    parts = tuple(
        part_of(name, *(None if each is None else getattr(each, f"{name}_ms") for each in (dense, single, half)))
        for name in PUBLISHED_PASSES
    )
    lacking = [
        name
        for name, each in (("dense float32", dense), ("DYAD float32", single), ("DYAD float16", half))
        if each is None
    ]
    missing = f"the file has no row of {' and of '.join(lacking)} for this layer" if lacking else ""
    name = f"{row.model} {row.hidden_size}→{row.ffn_size}, {row.variant.upper()} n={row.n_blocks}, {row.implementation}"
    return Decomposition(
        model=row.model,
        in_features=row.hidden_size,
        out_features=row.ffn_size,
        variant=row.variant,
        n_blocks=row.n_blocks,
        implementation=row.implementation,
        parts=parts,
        missing=missing,
        reading=f"{name}: {in_words(parts[0], missing)}",
    )


def _replay_reading(found: list[Decomposition], timing: LayerTiming) -> str:
    whole = [each for each in found if not each.missing]
    if not whole:
        return "No published figure has the rows that it takes to tell structure from precision."
    first = whole[0]
    headline, structure, precision = factors(first)
    structures = [factors(each)[1] for each in whole]
    precisions = [factors(each)[2] for each in whole]
    return (
        f"The published speed-up of {headline:.1f}x ({first.model}, {first.variant.upper()}, n={first.n_blocks}, forward and "
        "backward) sets a DYAD layer computed in float16 beside a dense layer computed in float32: it is not like for like. "
        f"The authors' own float32 rows tell the two apart. In equal precision the DYAD layer is {structure:.1f}x as fast as "
        f"the dense one; computing it in float16 instead of float32 gives the other {precision:.1f}x, and says nothing about "
        f"DYAD. So {headline:.1f}x = {structure:.1f}x of structure × {precision:.1f}x of precision. Of the {len(whole)} "
        f"published layers with all rows, structure gives {min(structures):.1f}x to {max(structures):.1f}x and precision "
        f"{min(precisions):.1f}x to {max(precisions):.1f}x; the GPU is {timing.gpu}."
    )
