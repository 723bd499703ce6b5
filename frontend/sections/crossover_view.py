"""One sweep: its map while it grows, and when it is over the map, the rules and the points. Drawn by the page's polling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import streamlit as st

from frontend.client import ApiClient
from frontend.logic import words
from frontend.logic.crossover import STOPPED, disturbance_of, growing_maps, known_points, maps_of
from frontend.logic.listing import origin_words
from frontend.logic.run_words import chart_note, environment_line
from frontend.schemas import RunRecord
from frontend.schemas_sweep import SweepRecord, SweepResult
from frontend.sections.backend import show_warnings
from frontend.sections.crossover_form import submit
from frontend.sections.crossover_map import show_maps
from frontend.sections.job_log import show_log
from frontend.sections.job_state import show_ending, show_progress, times
from frontend.sections.polling import polling_panel

__all__ = ["crossover_view"]


def crossover_view(api: ApiClient, record: SweepRecord) -> None:
    """Draw the sweep and, until it is over, draw it anew every second."""
    polling_panel(record, partial(api.sweep, record["id"]), partial(_show, api), key="sweep")


def _show(api: ApiClient, record: SweepRecord) -> None:
    st.header("Map", anchor=False, divider="gray")
    elsewhere = origin_words(_as_run(record))
    origin = f" · {elsewhere}" if elsewhere else ""
    st.caption(f"{spec_words(record)} · {words.moment(record['created_at'])}{origin} · sweep {record['id']}")
    result = record.get("result")
    if record["status"] in ("queued", "running"):
        _show_progress(api, record)
    elif result is not None:
        _show_result(api, record, result)
    else:
        _show_ending(api, record)
    show_log(api, record, key="crossover.log")


def _as_run(record: SweepRecord) -> RunRecord:
    return RunRecord(origin=record.get("origin") or "local", machine=record.get("machine"))  # type: ignore[typeddict-item]


def spec_words(record: SweepRecord) -> str:
    """Say what a sweep measures in one line."""
    spec = record["spec"]
    lattice = f"{len(spec.get('sizes') or spec['widths'])} widths × {len(spec['tokens'])} tokens"
    variants = " ".join(str(variant).upper() for variant in spec["variants"])
    blocks = ", ".join(str(n) for n in spec["n_blocks"])
    module = "feed-forward pair" if spec.get("module") == "feed_forward" else "one layer"
    return f"{lattice} · {variants} · n = {blocks} · {' + '.join(spec['passes'])} · {module} · {spec['dtype']} · {spec['device']}"


def _show_progress(api: ApiClient, record: SweepRecord) -> None:
    progress = record.get("progress") or {}
    parts = [f"**{words.plural(progress.get('done') or 0, 'size')} measured**"]
    parts += [progress["message"]] if progress.get("message") else []
    show_progress(
        record,
        " · ".join([*parts, *times(progress)]),
        partial(api.cancel_sweep, record["id"]),
        key="crossover.cancel",
        waiting="One measurement runs at a time.",
    )
    show_warnings(record.get("warnings") or [])
    points = known_points(record)
    if points:
        maps = growing_maps(record["spec"], points)
        show_maps(
            maps, note="Grows while it is measured; the contour is drawn at the end.", foot=[_conditions(record, None)]
        )


def _conditions(record: SweepRecord, result: SweepResult | None) -> str:
    spec = record["spec"]
    environment = None if result is None else result.get("environment")
    text = chart_note({**spec, "tokens": 0}, environment)
    # The tokens are an axis here.
    return text.replace(" · 0 tokens", "")


def _show_result(api: ApiClient, record: SweepRecord, result: SweepResult) -> None:
    show_warnings([*(record.get("warnings") or []), *(result.get("warnings") or [])])
    environment = result.get("environment")
    where = f"Measured on {environment_line(environment)} · " if environment else ""
    stopped = STOPPED.get(result.get("stopped") or "", result.get("stopped") or "")
    note = f"{where}{words.moment(result['created_at'])} · took {words.duration(result['duration_s'])}, until {stopped}"
    disturbed = [f"! {said}" for said in [disturbance_of(result)] if said]
    show_warnings(
        said.removeprefix("! ") + "; repeat it on a quiet machine before trusting the map." for said in disturbed
    )
    rules = [rule["text"] for rule in result.get("rules") or []]
    st.markdown("\n".join(f"- **{text}**" for text in rules) or result.get("reading") or "No rule came out.")
    show_maps(maps_of(result), note=note, foot=[_conditions(record, result), *disturbed], table=True)
    skipped = result.get("skipped") or []
    if skipped:
        with st.expander(f"{words.plural(len(skipped), 'size')} skipped, and why"):
            st.dataframe(skipped, hide_index=True, alt="Sizes that do not fit, each with the reason")
    with st.container(horizontal=True):
        for form, mime in (("csv", "text/csv"), ("json", "application/json")):
            st.download_button(
                f"Download {form.upper()}",
                data=_export(api, record["id"], "csv" if form == "csv" else "json"),
                file_name=f"dyad-sweep-{record['id'][:8]}.{form}",
                mime=mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"crossover.download.{form}",
            )
        if result.get("stopped") in ("budget", "max_points"):
            _go_on_button(api, record)


def _export(api: ApiClient, sweep_id: str, form: Literal["csv", "json"]) -> Callable[[], bytes]:
    return lambda: api.export_sweep(sweep_id, form)


def _go_on_button(api: ApiClient, record: SweepRecord) -> None:
    if st.button(
        "Go on",
        icon=":material/resume:",
        key="crossover.go_on",
        help="Starts the same sweep again: points that were measured are taken over, with a fresh time budget.",
    ):
        submit(api, record["spec"])


def _show_ending(api: ApiClient, record: SweepRecord) -> None:
    show_ending(record, "sweep", did="was measuring")
    points = known_points(record)
    if points:
        st.markdown("What was measured until then is kept:")
        show_maps(
            growing_maps(record["spec"], points),
            note="Measured before the sweep ended.",
            foot=_foot(record),
            table=True,
        )
    _go_on_button(api, record)


def _foot(record: SweepRecord) -> Sequence[str]:
    return [_conditions(record, None)]
