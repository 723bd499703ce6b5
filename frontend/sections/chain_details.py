"""What a stack does in detail, one question at a time: only the one that is open is asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from frontend.client import ApiProblemError, BackendUnreachableError
from frontend.figures.alternatives import alternatives_alt, alternatives_figure
from frontend.figures.heat import hops_alt, hops_figure, path_map_alt, path_map_figure
from frontend.figures.locality import locality_alt, locality_figure
from frontend.figures.rank import rank_alt, rank_figure
from frontend.figures.style import STRUCTURES
from frontend.logic import words
from frontend.logic.chain import Chain
from frontend.logic.chain_rows import alternative_records, heat_records, locality_records
from frontend.logic.locality import reading
from frontend.schemas_chain import ReachabilityJson
from frontend.sections import state, structure_data
from frontend.sections.access import access
from frontend.sections.advice_view import show_advice
from frontend.sections.backend import show_problem, show_unreachable
from frontend.sections.chain_controls import KEEP, VIEWS, publish
from frontend.sections.chart import chart
from frontend.sections.route_view import show_route

__all__ = ["details"]

PAGE = "reach"
QUESTIONS = {
    "groups": "Which groups of inputs and outputs meet after how many layers, and by how many paths?",
    "locality": "Does the stack favour near dimensions, as the paper claims?",
    "pair": "How does one input reach one output?",
    "compare": "What would other structures of as many parameters reach?",
    "rank": "How large is the rank of the composed map, with drawn weights?",
    "advisor": "Which n for two sizes, and why?",
}


def details(chain: Chain) -> None:
    """Draw the choice of a question and its answer; a fragment, so that only this part is drawn anew."""
    st.header("In detail", anchor=False, divider="gray")
    st.radio(
        "Question",
        list(VIEWS),
        index=None,
        horizontal=True,
        format_func=VIEWS.__getitem__,
        key="reach.view",
        label_visibility="collapsed",
        help="Each is computed when it is opened.",
        **KEEP,
    )
    view = state.value(PAGE, "view")
    if view:
        st.markdown(QUESTIONS[view])
        try:
            _SHOW[view](chain)
        except ApiProblemError as error:
            show_problem(error)
        except BackendUnreachableError as error:
            show_unreachable(error)
    publish()


def _depth(chain: Chain) -> int:
    """Draw the choice of how many of the layers to look at: until everything is reached, if nobody chose.

    Deeper everything becomes even, and there is nothing to be seen.
    """
    if chain.depth == 1:
        return 1
    held = state.value(PAGE, "depth")
    if not held or held < 1:
        held = _asked(chain.layers).get("first_full_depth") or chain.depth
    state.fill(PAGE, {"depth": min(held, chain.depth)})
    return int(
        st.slider(
            "layers looked at",
            1,
            chain.depth,
            key="reach.depth",
            help="The first so many layers of the chain.",
            **KEEP,
        )
    )


def _asked(layers: Any, **asked: Any) -> ReachabilityJson:
    return structure_data.reach_of(access(), layers, tuple(asked.items()))


def _groups(chain: Chain) -> None:
    maps = _asked(chain.first(_depth(chain)), heatmaps=True)["heatmaps"]
    left, right = st.columns(2, gap="large")
    records = partial(heat_records, maps)
    compared = maps["compared_depths"]
    with left:
        st.markdown("**Hops**: layers until every input of a group reaches every output of the other")
        note = "Groups are features in the same blocks of both components. "
        if len(compared) > 1:
            note += (
                f"Depths {', '.join(map(str, compared[:6]))}{', …' if len(compared) > 6 else ''} are compared, "
                "which have the outputs of the last."
            )
        chart(hops_figure(maps), key="reach.hops", alt=hops_alt(maps), note=note, rows=records)
    with right:
        st.markdown("**Paths** through all these layers")
        note = "Colour is the decimal logarithm." + (
            " Groups hold several classes of features, so numbers are means." if maps["merged"] else ""
        )
        chart(path_map_figure(maps), key="reach.path_map", alt=path_map_alt(maps), note=note, rows=records)


def _locality(chain: Chain) -> None:
    curve = _asked(chain.first(_depth(chain)), locality=True)["locality"]
    st.markdown(reading(curve))
    note = (
        f"{curve['cells']} cells on either side, {curve['in_features'] / curve['cells']:g} inputs and "
        f"{curve['out_features'] / curve['cells']:g} outputs wide; the distance counts cells. "
        + ("From decimal logarithms, good to ten digits." if curve["logarithmic"] else "Counted exactly.")
    )
    chart(
        locality_figure(curve),
        key="reach.locality",
        alt=locality_alt(curve),
        note=note,
        rows=partial(locality_records, curve),
    )


def _pair(chain: Chain) -> None:
    layers = chain.first(_depth(chain))
    with st.container(horizontal=True):
        for name, size in (("input", layers[0].in_features), ("output", layers[-1].out_features)):
            st.number_input(
                name,
                step=1,
                format="%d",
                key=f"reach.{name}",
                width=180,
                help=f"Feature index, from 0 to {size - 1}.",
                **KEEP,
            )
    answer = _asked(layers, pair=tuple({name: state.value(PAGE, name) for name in ("input", "output")}.items()))
    show_route(answer, key="reach.route")


def _compare(chain: Chain) -> None:
    alternatives = _asked(chain.layers, compare=True)["compare"]["alternatives"]
    chart(
        alternatives_figure(alternatives),
        key="reach.compare",
        alt=alternatives_alt(alternatives),
        note="Exact. Lines that lie on one another differ in mark and dash. Dense has n/2 times as many parameters.",
        rows=partial(alternative_records, alternatives),
    )
    own = alternatives[0]["parameters"]
    st.dataframe(
        pd.DataFrame(
            {
                "structure": STRUCTURES[one["name"]].name,
                "parameters": one["parameters"],
                "of DYAD (%)": 100 * one["parameters"] / own,
                "MFLOP per token": one["flops_per_token"] / 1e6,
                "full reach from depth": str(one["first_full_depth"] or "never"),
                "rank at most": one["rank_bound"],
                "first layer": one["choices"][0],
                **({"rounding": " ".join(one["notes"])} if any(other["notes"] for other in alternatives) else {}),
            }
            for one in alternatives
        ),
        hide_index=True,
        column_config={
            **{name: st.column_config.NumberColumn(format="localized") for name in ("parameters", "rank at most")},
            "of DYAD (%)": st.column_config.NumberColumn(format="%.2f"),
            "MFLOP per token": st.column_config.NumberColumn(format="localized"),
        },
        alt=alternatives_alt(alternatives),
    )
    st.caption("Reach says what can mix, not what is learned: a low-rank map reaches everything and has a small rank.")


def _rank(chain: Chain) -> None:
    layers = chain.first(_depth(chain))
    st.caption(
        "Numerical, from whole matrices: up to 1024 features on a side, and about sixteen square layers of 1024."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("seed", step=1, format="%d", key="reach.seed", width=140, help="Seed of the draw.", **KEEP)
        wanted = (layers, state.value(PAGE, "seed"))
        pressed = st.button("Compute the rank", icon=":material/calculate:", key="reach.rank")
    if pressed or (state.value(PAGE, "ranked") and "reach.ranked_for" not in st.session_state):  # or a link says so
        st.session_state["reach.ranked_for"] = wanted
    asked = st.session_state.get("reach.ranked_for") == wanted
    state.fill(PAGE, {"ranked": int(asked)})
    if not asked:
        return
    with st.spinner("Drawing weights and finding the rank"):
        found = _asked(layers, rank=(("seed", wanted[1]),))["rank"]
    st.markdown(
        f"The composed map has rank **{words.count(found['rank'])}** of at most {words.count(found['depths'][-1]['bound'])}."
    )
    chart(
        rank_figure(found),
        key="reach.rank_chart",
        alt=rank_alt(found),
        note=found["method"],
        rows=lambda: found["depths"],
    )


def _advisor(chain: Chain) -> None:
    first = chain.unit[0]
    held = {name: state.value(PAGE, f"advise_{name}") for name in ("in", "out")}
    if not all(held.values()):
        state.fill(PAGE, {"advise_in": first.in_features, "advise_out": first.out_features})
    show_advice()


_SHOW: dict[str, Callable[[Chain], None]] = {
    "groups": _groups,
    "locality": _locality,
    "pair": _pair,
    "compare": _compare,
    "rank": _rank,
    "advisor": _advisor,
}
