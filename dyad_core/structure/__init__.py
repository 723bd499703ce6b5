"""Exact pictures of a layer and of chains of layers, at a cost that does not depend on the width.

* :func:`pattern`: the weight as a picture of counted cells, with a zoom window;
* :func:`connectivity`: the 2n hubs of a layer and what they share;
* :func:`reachability`: the share of feature pairs that a chain of layers joins, by depth;
* :func:`describe_entry`, :func:`formula`: one entry and the whole rule, in words.

Needs numpy alone; every answer has ``to_dict()`` with JSON-ready values.
"""

from dyad_core.structure.encoding import decode_counts
from dyad_core.structure.entries import Entry, Parameter, describe_entry
from dyad_core.structure.hubs import Connectivity, FeatureGroup, Hub, Spread, connectivity
from dyad_core.structure.paths import Depth, Reachability, reachability, stack
from dyad_core.structure.picture import Pattern, Window, pattern, totals
from dyad_core.structure.spread import PathCounts
from dyad_core.structure.wording import formula

__all__ = [
    "Connectivity",
    "Depth",
    "Entry",
    "FeatureGroup",
    "Hub",
    "Parameter",
    "PathCounts",
    "Pattern",
    "Reachability",
    "Spread",
    "Window",
    "connectivity",
    "decode_counts",
    "describe_entry",
    "formula",
    "pattern",
    "reachability",
    "stack",
    "totals",
]
