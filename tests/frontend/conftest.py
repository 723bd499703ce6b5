"""A real service in a process of its own, a client of it, and pages opened through the entry script."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import streamlit as st
from dashboard_tools import wait_for_end
from service_tools import SMALL, serving
from streamlit.testing.v1 import AppTest

from frontend.client import ApiClient
from frontend.schemas import RunRecord

APP = Path(__file__).resolve().parents[2] / "frontend" / "app.py"


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(tmp_path_factory.mktemp("service") / "home") as (http, _):
        yield http


@pytest.fixture(scope="session")
def api(service: httpx.Client) -> ApiClient:
    return ApiClient(service)


@pytest.fixture(scope="session")
def finished(api: ApiClient) -> RunRecord:
    """A run that the real engine measured, with two passes and a candidate of each variant."""
    request = SMALL | {"variants": ["it", "ot", "dt", "bd"], "passes": ["forward", "train_step"], "max_seconds": 1.0}
    return wait_for_end(api, api.submit(request)["id"])


@pytest.fixture
def open_page(service: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AppTest]]:
    """Open a page of the dashboard at the service's address; caches of other tests are gone."""
    monkeypatch.setenv("DYAD_API_URL", str(service.base_url).rstrip("/"))

    def opened(page: str = "layer_lab", **params: str) -> AppTest:
        st.cache_data.clear()
        st.cache_resource.clear()
        app = AppTest.from_file(APP, default_timeout=30)
        if page != "layer_lab":
            # The first run registers the pages; it needs no answer from the service.
            app.run().switch_page(f"views/{page}.py")
        for name, value in params.items():
            app.query_params[name] = value
        return app.run()

    yield opened
    st.cache_resource.clear()
