from __future__ import annotations

import pytest
import torch
from torch import nn

from dyad_core.bench import BenchmarkSpec
from dyad_core.bench.candidates import Plan, build, plans
from dyad_core.bench.launches import count_operations, is_countable, operations_by_name
from dyad_core.bench.passes import operands, run_pass


def test_views_and_allocations_are_no_operations() -> None:
    x = torch.ones(4, 6)

    def call() -> torch.Tensor:
        y = x.view(2, 12).t().unflatten(0, (3, 4)).detach()[1]
        torch.empty(3)
        x.new_empty(5)
        return y.add(1).mul_(2)

    assert operations_by_name(call) == {"aten::add": 1, "aten::mul_": 1}
    assert count_operations(lambda: None) == 0


def test_a_reshape_counts_where_it_copies() -> None:
    x = torch.ones(4, 6)
    assert count_operations(lambda: x.reshape(24)) == 0
    assert count_operations(lambda: x.t().reshape(24)) == 1


def test_operations_of_the_backward_count() -> None:
    spec = BenchmarkSpec(8, 16, tokens=10)
    fed, module = operands(spec, "train_step"), nn.Linear(8, 16)
    names = operations_by_name(lambda: run_pass(module, fed))
    assert names["aten::addmm"] == 1
    assert names["aten::mm"] == 2
    assert names["aten::sum"] == 1


def test_a_dense_forward_is_one_operation_and_eager_is_a_few() -> None:
    spec = BenchmarkSpec(8, 16, tokens=10, n_blocks=[4], variants=["it"], implementations=["eager"])
    fed = operands(spec, "forward")
    dense, dyad = (build(plan, spec) for plan in plans(spec))
    assert count_operations(lambda: run_pass(dense, fed)) == 1
    found = operations_by_name(lambda: run_pass(dyad, fed))
    assert found["aten::baddbmm_"] == 2
    assert sum(found.values()) <= 6


def test_counting_changes_no_result_and_ends() -> None:
    spec = BenchmarkSpec(8, 16, tokens=10, n_blocks=[4], implementations=["eager"])
    fed, module = operands(spec, "forward"), build(plans(spec)[1], spec)
    results = []
    count_operations(lambda: results.append(run_pass(module, fed)))
    torch.testing.assert_close(results[0], run_pass(module, fed), rtol=0, atol=0)
    with pytest.raises(ZeroDivisionError):
        count_operations(lambda: 1 // 0)
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None


@pytest.mark.parametrize(
    ("implementation", "settings", "countable"),
    [
        ("eager", {}, True),
        ("eager+concat", {}, True),
        ("triton", {}, False),
        ("eager+triton", {}, False),
        ("compiled", {}, False),
        ("eager", {"compile": True}, False),
        ("eager", {"device": "cuda", "cuda_graph": True}, False),
    ],
)
def test_what_is_not_dispatched_cannot_be_counted(implementation: str, settings: dict, countable: bool) -> None:
    spec = BenchmarkSpec(8, 16, n_blocks=[4], **settings)
    assert is_countable(Plan("a", spec.geometries()[0], implementation), spec) is countable
