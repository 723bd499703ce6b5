"""The settings in ``config.json``: written and read without loss, and what a hand-made one may hold."""

import json
from typing import Any

import pytest

from dyad_core.errors import SpecError
from dyad_core.models.persistence.settings import LayerGroup, LayerSettings

GROUP = LayerGroup("layers", 4, "it", 1, "paper", "auto", ("a.fc1", "a.fc2"))
OTHER = LayerGroup("feed_forward", 8, "ot", 2, "variance_preserving", "eager", ("b.fc1",))


def test_settings_survive_json() -> None:
    settings = LayerSettings((GROUP, OTHER))

    assert LayerSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_groups_of_one_structure_are_joined() -> None:
    more = LayerGroup("layers", 4, "it", 1, "paper", "auto", ("c.fc1",))

    joined = LayerSettings((GROUP,)).with_layers(LayerSettings((more, OTHER)))

    assert [group.layers for group in joined.groups] == [("a.fc1", "a.fc2", "c.fc1"), ("b.fc1",)]
    assert joined.without(["a.fc1", "b.fc1"]).layers == ("a.fc2", "c.fc1")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"n_blocks": 0}, "n_blocks"),
        ({"n_blocks": "4"}, "n_blocks"),
        ({"grain": True}, "grain"),
        ({"variant": "xx"}, "variant"),
        ({"variant": ["it"]}, "variant"),
        ({"mode": "all"}, "mode"),
        ({"init": None}, "init"),
        ({"implementation": "none such"}, "implementation"),
        ({"layers": []}, "layers"),
        ({"layers": [1]}, "layers"),
    ],
)
def test_values_that_no_layer_can_have_are_named(changes: dict[str, Any], field: str) -> None:
    values = LayerSettings((GROUP,)).to_dict()
    values["groups"][0].update(changes)

    with pytest.raises(SpecError) as caught:
        LayerSettings.from_dict(values)

    assert [problem.field for problem in caught.value.problems] == [f"quantization_config.groups.0.{field}"]


@pytest.mark.parametrize("values", [{}, {"format": 1}, {"format": 1, "groups": []}, {"format": "1", "groups": [1]}])
def test_what_is_no_settings_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="must hold format 1"):
        LayerSettings.from_dict(values)


def test_a_group_of_other_keys_is_refused() -> None:
    with pytest.raises(SpecError, match="must have mode, n_blocks"):
        LayerSettings.from_dict({"format": 1, "groups": [{"n_blocks": 4}]})


def test_a_newer_format_asks_for_a_newer_version() -> None:
    with pytest.raises(SpecError, match="newer version of dyad-explorer"):
        LayerSettings.from_dict({"format": 2, "groups": []})
