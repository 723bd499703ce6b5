"""The rule of one map in words, from its measured points alone: from where on DYAD pays, and what is not in order.

"Pays" is an interval that lies above 1.0x. A size that is not distinguishable from 1.0x does not pay, and is told apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dyad_core.bench.reading import PASS_NAMES
from dyad_core.bench.results import Environment
from dyad_core.geometry import VARIANTS
from dyad_core.ops.registry import AUTO
from dyad_core.sweep.borders import Border, Finest, borders
from dyad_core.sweep.figures import Figure
from dyad_core.sweep.results import Finding, Rule
from dyad_core.sweep.spec import SweepSpec

__all__ = ["Place", "conditions", "name_of", "rule_of"]

Place = tuple[int, int]
"""Width (in_features) and tokens."""

LISTED = 4
"""As many sizes or borders are listed before only their number is said."""


def conditions(spec: SweepSpec, environment: Environment | None) -> str:
    """Where and of what: "On AMD EPYC (2 threads), float32, linear layers with out = 4 × in"."""
    where = f"On {spec.device}" if environment is None else f"On {environment.device_name}"
    if environment is not None and environment.device == "cpu":
        where += f" ({_count(environment.threads, 'thread')})"
    emulated = " (emulated)" if environment is not None and environment.dtype_emulated else ""
    tf32 = spec.dtype == "float32" and spec.float32_matmul_precision != "highest"
    precision = f" at matmul precision {spec.float32_matmul_precision!r}" if tf32 else ""
    sizes = "" if spec.sizes else f" with {'hidden' if spec.module == 'feed_forward' else 'out'} = {spec.ratio:g} × in"
    module = "feed-forward" if spec.module == "feed_forward" else "linear layers"
    extras = [
        text
        for on, text in (
            (spec.compile, "compiled"),
            (spec.cuda_graph, "CUDA graphs"),
            (spec.cache == "flushed", "cache flushed"),
            (spec.allocator != "default", "freed pages kept"),
        )
        if on
    ]
    return ", ".join([f"{where}, {spec.dtype}{emulated}{precision}", f"{module}{sizes}", *extras])


def name_of(figure: Figure, spec: SweepSpec) -> str:
    """``IT n=4``, with grain and implementation where they are not the usual ones."""
    variant = figure.variant.upper() if figure.variant in VARIANTS else figure.variant
    grain = f" g={spec.grain}" if spec.grain != 1 and figure.variant != "bd" else ""
    usual = spec.implementations == (AUTO,)
    return f"{variant} n={figure.n_blocks}{grain}" + ("" if usual else f" ({figure.implementation})")


def rule_of(spec: SweepSpec, environment: Environment | None, figures: Mapping[Place, Figure]) -> Rule:
    """One map in words.

    Args:
        spec: of the sweep.
        environment: where it was measured.
        figures: of one map, at least one, by width and tokens.
    """
    first = next(iter(figures.values()))
    sides = {place: figure.side for place, figure in figures.items() if figure.side is not None}
    counts = Counter(sides.values())
    finding, said = _finding(figures, sides)
    without = len(figures) - len(sides)
    ending = f" {_without_speed(figures.values(), without)}" if without and sides else ""
    name = PASS_NAMES[first.pass_]
    return Rule(
        n_blocks=first.n_blocks,
        variant=first.variant,
        implementation=first.implementation,
        pass_=first.pass_,
        finding=finding,
        faster=counts[1],
        slower=counts[-1],
        not_distinguishable=counts[0],
        without_speed=without,
        text=f"{conditions(spec, environment)}, {name}: {name_of(first, spec)} {said}.{ending}",
    )


def _finding(figures: Mapping[Place, Figure], sides: Mapping[Place, int]) -> tuple[Finding, str]:
    counts = Counter(sides.values())
    total = len(sides)
    if not total:
        return "nothing", f"could not be compared anywhere: {_reasons(figures.values())}"
    sizes = f"{total} measured sizes ({_extent(sides)})" if total > 1 else f"the one measured size ({_extent(sides)})"
    if counts[1] == total:
        return "everywhere", f"pays at {'all ' if total > 1 else ''}{sizes}, {_range(figures, sides)}"
    if counts[0] == total:
        return "doubt", f"is not distinguishable from 1.0x of dense at {'any of ' if total > 1 else ''}{sizes}"
    if not counts[1]:
        best = max(sides, key=lambda place: figures[place].speedup or 0.0)
        doubt = (
            f"; not distinguishable from 1.0x at {_places(sides, 0)}, slower at {_others(counts[-1])}"
            if counts[0]
            else ""
        )
        rest = f", at best {_ratio(figures[best])} {_at(best)}{doubt}"
        return "nowhere", f"pays at {'none of ' if total > 1 else 'not even '}{sizes}{rest}"
    found = borders(sides)
    if found is not None:
        return "from", f"pays {_borders_text(found)}{_doubt_beside(sides, found)}"
    return (
        "exceptions",
        f"pays at {counts[1]} of {total} measured sizes ({_extent(sides)}), with no clear border{_exceptions(sides)}",
    )


def _borders_text(found: Sequence[Border]) -> str:
    """Where it begins to pay, line by line of the map; equal neighbours are one."""
    groups = _grouped(found)
    texts = [_group_text(group) for group in groups]
    if len(texts) <= LISTED:
        return "; ".join(texts)
    return f"{texts[0]}; {texts[len(texts) // 2]}; {texts[-1]}; in between the border moves, see the map"


def _group_text(group: Sequence[Border]) -> str:
    first = group[0]
    lines = _lines(first.line_name, [border.line for border in group])
    if first.never:
        return f"nowhere measured at {lines}"
    if first.always:
        return f"at every measured {'width' if first.line_name == 'tokens' else 'number of tokens'} at {lines}"
    last = {-1: "slower", 0: "not distinguishable"}[first.last_side]
    word = "from" if first.upward else "up to"
    return f"{word} {_position(first, first.first)} at {lines} ({last} at {first.last})"


def _position(border: Border, value: int) -> str:
    return f"width {value}" if border.line_name == "tokens" else _count(value, "token")


def _grouped(found: Sequence[Border]) -> list[list[Border]]:
    groups: list[list[Border]] = []
    for border in found:
        if groups and groups[-1][-1].same(border):
            groups[-1].append(border)
        else:
            groups.append([border])
    return groups


def _lines(name: Finest, values: Sequence[int]) -> str:
    """ "256 tokens", "64 to 256 tokens", "width 512", "widths 512 to 1024"."""
    low, high = min(values), max(values)
    if name == "tokens":
        return _count(low, "token") if low == high else f"{low} to {high} tokens"
    return f"width {low}" if low == high else f"widths {low} to {high}"


def _doubt_beside(sides: Mapping[Place, int], found: Sequence[Border]) -> str:
    """Doubtful sizes that the borders do not name."""
    named = {border.place(border.last) for border in found if not (border.never or border.always)}
    rest = {place: side for place, side in sides.items() if side == 0 and place not in named}
    return f"; not distinguishable from 1.0x at {_places(rest, 0)}" if rest else ""


def _exceptions(sides: Mapping[Place, int]) -> str:
    counts = Counter(sides.values())
    parts = []
    if counts[1] <= min(LISTED, counts[-1] + counts[0]):
        return f"; it pays at {_places(sides, 1)}"
    if counts[-1]:
        parts.append(f"slower at {_places(sides, -1)}")
    if counts[0]:
        parts.append(f"not distinguishable at {_places(sides, 0)}")
    return f"; exceptions: {', '.join(parts)}"


def _places(sides: Mapping[Place, int], wanted: int) -> str:
    places = sorted(place for place, side in sides.items() if side == wanted)
    if len(places) > LISTED:
        return f"{len(places)} sizes"
    *before, last = [f"width {width} with {_count(tokens, 'token')}" for width, tokens in places]
    return f"{', '.join(before)} and {last}" if before else last


def _range(figures: Mapping[Place, Figure], sides: Iterable[Place]) -> str:
    ordered = sorted(sides, key=lambda place: figures[place].speedup or 0.0)
    if len(ordered) == 1:
        return _ratio(figures[ordered[0]])
    return f"from {_ratio(figures[ordered[0]])} to {_ratio(figures[ordered[-1]])}"


def _extent(sides: Iterable[Place]) -> str:
    widths, tokens = zip(*sides, strict=True)
    return f"{_lines('widths', widths)}, {_lines('tokens', tokens)}"


def _reasons(figures: Iterable[Figure]) -> str:
    counted = Counter(figure.outcome.replace("_", " ") for figure in figures)
    details = list(dict.fromkeys(figure.detail for figure in figures if figure.detail))
    listed = ", ".join(f"{outcome} at {_count(count, 'size')}" for outcome, count in counted.items())
    return listed + (f" ({details[0].rstrip('.')})" if details else "")


def _without_speed(figures: Iterable[Figure], count: int) -> str:
    missing = [figure for figure in figures if figure.side is None]
    return f"At {_count(count, 'further size')} there is no comparison: {_reasons(missing)}."


def _others(count: int) -> str:
    return "the other one" if count == 1 else f"the other {count}"


def _ratio(figure: Figure) -> str:
    return f"{figure.speedup:.2f}x"


def _at(place: Place) -> str:
    return f"at width {place[0]} with {_count(place[1], 'token')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
