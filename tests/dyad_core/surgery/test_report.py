"""The report: what was saved, in numbers and as JSON."""

from __future__ import annotations

import copy
import json
import math

import torch
from small_models import Block, is_feed_forward
from torch import nn

from dyad_core import replace_linear


def test_the_report_says_what_was_saved_and_is_json_ready() -> None:
    model = nn.Sequential(Block(), Block()).to(torch.bfloat16)
    _, report = replace_linear(model, filter_fn=is_feed_forward, n_blocks=8)
    assert report.saved_parameters == 4 * 1024 - 1024
    assert report.saved_bytes == 2 * report.saved_parameters
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["replaced"][3]["name"] == "1.fc2"
    assert values["replaced"][3]["n_blocks"] == 8
    assert values["skipped"][0] == {"name": "0.head", "reason": "not picked by filter_fn"}
    assert values["saved_bytes"] == report.saved_bytes
    assert copy.deepcopy(report).replaced == report.replaced


def test_a_weight_that_is_not_finite_is_told_and_its_error_is_no_number() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    with torch.no_grad():
        model[1].weight[0, 0] = float("inf")
    _, report = replace_linear(model, filter_fn=lambda module, name: True)
    assert report.warnings == ("the weight of 1 is not finite",)
    assert math.isnan(report.replaced[1].relative_error)
    assert report.to_dict()["replaced"][1]["relative_error"] is None
