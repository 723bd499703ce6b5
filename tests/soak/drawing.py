"""How requests are drawn from the service's own description: single ones, half of them about something that is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from service_tools import SMALL, npy, send

from backend.app import create_app
from backend.settings import Settings
from dyad_core.bench.reference import FOLDER
from dyad_core.sweep.reference import FOLDER as MAPS

__all__ = ["GOOD", "almost", "description", "quiet", "singles"]

MATRIX = npy(np.ones((8, 8), dtype=np.float32))
RUNS, SWEEP = (json.loads(next(folder.glob("*.json")).read_text(encoding="utf-8")) for folder in (FOLDER, MAPS))
LAYER = {"in_features": 768, "out_features": 3072, "n_blocks": 4, "variant": "it"}
GOOD = {
    "POST /api/v1/benchmarks": SMALL,
    "POST /api/v1/benchmarks/import": RUNS["runs"][0] if "runs" in RUNS else RUNS,
    "POST /api/v1/sweeps": {"widths": [64, 128], "tokens": [8]},
    "POST /api/v1/sweeps/import": SWEEP,
    "POST /api/v1/structure/advice": {"in_features": 768, "out_features": 3072},
    "POST /api/v1/structure/pattern": LAYER,
    "POST /api/v1/structure/connectivity": LAYER,
    "POST /api/v1/structure/reachability": {"layers": [LAYER]},
    "POST /api/v1/structure/projection": {"upload": "0" * 32, "n_blocks": [4], "variants": ["it"]},
    "POST /api/v1/uploads": MATRIX,
    "POST /api/v1/verdicts": {"benchmark": SMALL, "variant": "it", "n_blocks": 4},
}
"""Bodies that are accepted; what is drawn alone hardly ever is."""


def description() -> Any:
    """The document, as schemathesis reads it."""
    return schemathesis.openapi.from_dict(create_app(Settings()).openapi())


def quiet(examples: int, **more: Any) -> settings:
    """So many examples, whatever they are: the service decides what is wrong, and no failing one is shrunk."""
    return settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), **more,
    )  # fmt: skip


def singles(
    client: TestClient, operation: Any, examples: int, chosen: int, use: Callable[[schemathesis.Case], None]
) -> None:
    """Draw single requests for one operation and hand them to ``use``; ``chosen`` is the seed.

    ``client`` may do everything: it makes what a request is about.
    """
    modes = schemathesis.GenerationMode
    cases = st.one_of(
        operation.as_strategy(generation_mode=modes.POSITIVE), operation.as_strategy(generation_mode=modes.NEGATIVE)
    )
    upload = send(client, MATRIX).json()["id"]

    @hypothesis.seed(chosen)
    @quiet(examples)
    @given(case=cases, there_is_one=st.booleans(), choice=st.integers(0, 2**16))
    def run(case: schemathesis.Case, there_is_one: bool, choice: int) -> None:
        if there_is_one and operation.label in GOOD:
            case.body = almost(GOOD[operation.label], case.body, choice)
        if there_is_one and case.path_parameters:
            made = _make(client, case.path_parameters)
            if made.is_success:
                case.path_parameters = dict.fromkeys(case.path_parameters, made.json()["id"])
        if there_is_one and isinstance(case.body, dict) and "upload" in case.body:
            case.body = case.body | {"upload": upload}
        use(case)

    run()


def almost(good: Any, drawn: Any, choice: int) -> Any:
    """A good body with one field of a drawn one in it, or with none."""
    if not isinstance(good, dict) or not isinstance(drawn, dict) or not drawn or choice % 3 == 0:
        return good
    name = sorted(drawn)[choice % len(drawn)]
    return good | {name: drawn[name]}


def _make(client: TestClient, parameters: Any) -> Any:
    if "upload_id" in parameters:
        return send(client, MATRIX)
    if "sweep_id" in parameters:
        return client.post("/api/v1/sweeps", json={"widths": [64], "tokens": [8]})
    return client.post("/api/v1/benchmarks", json=SMALL)
