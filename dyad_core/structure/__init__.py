"""Exact pictures of a layer and of chains of layers, at a cost that does not depend on the width.

Of one layer:

* :func:`pattern`: the weight as a picture of counted cells, with a zoom window;
* :func:`connectivity`: the 2n hubs of a layer and what they share;
* :func:`neighbours`: what one feature feeds, or what feeds it;
* :func:`describe_entry`, :func:`formula`: one entry and the whole rule, in words.

Of a chain of layers:

* :func:`reachability`: the share of feature pairs that it joins and its connected parts, by depth; when asked also
  how evenly paths are spread;
* :func:`heatmaps`, :func:`locality`: hops and paths between groups, and against the distance of features;
* :func:`trace`: one pair of features, the number of its paths and one of them;
* :func:`compare`: the same chain of block-diagonal, low-rank, Monarch and dense layers at equal parameters;
* :func:`rank`: the rank of drawn weights, by numbers: neither exact nor at a cost that ignores the width.

Of two sizes: :func:`advice`, every legal n with its cost and depth, and a recommendation.

Needs numpy alone; every answer has ``to_dict()`` with JSON-ready values.
"""

from dyad_core.structure.advisor import Advice, Choice, Padding, advice
from dyad_core.structure.alternatives import Alternative, Comparison, compare
from dyad_core.structure.encoding import decode_array, decode_counts
from dyad_core.structure.entries import Entry, Parameter, describe_entry
from dyad_core.structure.heat import HeatMaps, heatmaps
from dyad_core.structure.hubs import Connectivity, FeatureGroup, Hub, Spread, connectivity
from dyad_core.structure.nearness import Locality, locality
from dyad_core.structure.partners import Neighbours, Partners, neighbours
from dyad_core.structure.paths import Depth, Reachability, reachability, stack
from dyad_core.structure.picture import Pattern, Window, pattern, totals
from dyad_core.structure.ranks import CompositeRank, rank
from dyad_core.structure.spread import PathCounts
from dyad_core.structure.tracing import Step, Trace, trace
from dyad_core.structure.wording import formula

__all__ = [
    "Advice",
    "Alternative",
    "Choice",
    "Comparison",
    "CompositeRank",
    "Connectivity",
    "Depth",
    "Entry",
    "FeatureGroup",
    "HeatMaps",
    "Hub",
    "Locality",
    "Neighbours",
    "Padding",
    "Parameter",
    "Partners",
    "PathCounts",
    "Pattern",
    "Reachability",
    "Spread",
    "Step",
    "Trace",
    "Window",
    "advice",
    "compare",
    "connectivity",
    "decode_array",
    "decode_counts",
    "describe_entry",
    "formula",
    "heatmaps",
    "locality",
    "neighbours",
    "pattern",
    "rank",
    "reachability",
    "stack",
    "totals",
    "trace",
]
