"""The Grafana dashboard and what provisions it: every figure it asks for is told by a service that ran a job."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from service_tools import ROOT, ProcessKind, ended, new_job

from backend.app import create_app
from backend.settings import Settings

DASHBOARD = json.loads((ROOT / "docker/grafana/dyad-explorer.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
QUERIES = [each["definition"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
FUNCTIONS = {"min", "max", "sum", "by", "rate", "increase", "histogram_quantile", "topk", "label_values"}


def figures_and_labels(expression: str) -> Iterator[tuple[str, set[str]]]:
    """The names of an expression, each with the labels that it is chosen by."""
    bare = re.sub(r"\[[^]]*\]", "", expression)
    bare = re.sub(r"\b(by|without)\s*\([^)]*\)", "", bare)
    for match in re.finditer(r"([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})?", bare):
        name, chosen = match[1], match[2] or ""
        if name not in FUNCTIONS and name not in ("job", "instance"):
            yield name, set(re.findall(r"(\w+)\s*=~?", re.sub(r'"[^"]*"', '""', chosen)))


def grouped_by(expression: str) -> set[str]:
    return {
        label.strip()
        for names in re.findall(r"\bby\s*\(([^)]*)\)", expression)
        for label in names.split(",")
    }  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What a service that ran a job tells: names of samples and of families without any, with their labels."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), reference_runs=False)
    with TestClient(create_app(settings, kinds={"process": ProcessKind()})) as client:
        service = client.app.state.service  # type: ignore[attr-defined]
        ended(client, service.store.add(new_job()).id)
        client.get("/api/v1/jobs")
        found: dict[str, set[str]] = {}
        for family in text_string_to_metric_families(client.get("/metrics").text):
            found.setdefault(family.name, set())
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
        return found


def test_the_names_of_an_expression_are_found() -> None:
    expression = (
        'histogram_quantile(0.5, sum by (le, kind) (rate(a_bucket{job=~"$job",status="x"}[$window]))) / b{c="d"}'
    )

    assert list(figures_and_labels(expression)) == [("a_bucket", {"job", "status"}), ("b", {"c"})]
    assert grouped_by(expression) == {"le", "kind"}


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *QUERIES])
def test_every_figure_and_label_that_is_asked_for_is_told(told: dict[str, set[str]], expression: str) -> None:
    names = list(figures_and_labels(expression))

    assert names
    for name, labels in names:
        assert name in told, f"{name} is not told"
        assert labels - {"job", "instance"} <= told[name], f"{name} has no such label"
    if "process_" not in expression:
        everything = set().union(*(told[name] for name, _ in names))
        # Temperatures have no sample on a machine that does not tell.
        assert grouped_by(expression) <= everything or any("temperature" in name for name, _ in names)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 20
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert [target["refId"] for target in panel["targets"]] == ["A", "B", "C"][: len(panel["targets"])]
    for target in panel["targets"]:
        expected = {"_seconds": "s", "_bytes": "bytes", "_celsius": "celsius", "_ratio": "percentunit"}
        units = {unit for ending, unit in expected.items() if re.search(rf"{ending}(_bucket)?\{{", target["expr"])}
        if "process_cpu" not in target["expr"]:  # seconds per second are processors
            share = {"percentunit"} if " / " in target["expr"] else units
            assert share <= {panel["fieldConfig"]["defaults"]["unit"]}


def test_panels_have_their_own_ids_and_do_not_overlap() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }  # fmt: skip
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_the_dashboard_takes_any_prometheus() -> None:
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}

    assert variables["datasource"]["query"] == "prometheus"
    assert {"job", "instance", "window"} <= set(variables)
    assert DASHBOARD["schemaVersion"] >= 42


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / "docker" / name).read_text(encoding="utf-8"))


def test_provisioning_and_the_scrape_fit_together() -> None:
    (scrape,) = read("prometheus.yml")["scrape_configs"]
    (source,) = read("grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    (provider,) = read("grafana/provisioning/dashboards/dyad-explorer.yaml")["providers"]

    assert scrape["metrics_path"] == "/metrics"
    assert scrape["static_configs"] == [{"targets": ["backend:8000"]}]
    assert source["type"] == "prometheus"
    assert provider["type"] == "file"
    assert Path(provider["options"]["path"]).is_absolute()
