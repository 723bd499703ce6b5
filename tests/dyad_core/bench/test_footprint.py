"""The estimate must lie above what is really used, and not absurdly far."""

from __future__ import annotations

import pytest

from dyad_core.bench import BenchmarkSpec
from dyad_core.bench.candidates import build, plans
from dyad_core.bench.footprint import footprint
from dyad_core.bench.memory import measure_memory
from dyad_core.bench.passes import laid_out, operands


@pytest.mark.parametrize("module", ["linear", "feed_forward"])
@pytest.mark.parametrize("pass_", ["forward", "train_step"])
@pytest.mark.parametrize("sizes", [(64, 256), (256, 64)])
@pytest.mark.parametrize(
    "implementation", ["eager", "reference", "original", "original_feature_major", "concat", "masked_dense"]
)
def test_the_estimate_covers_the_measured_peak(
    module: str, pass_: str, sizes: tuple[int, int], implementation: str
) -> None:
    spec = BenchmarkSpec(
        *sizes,
        module=module,
        tokens=512,
        n_blocks=[4],
        variants=["it", "ot", "dt"],
        passes=[pass_],
        implementations=[implementation],
    )
    fed = operands(spec, pass_)
    used = [measure_memory(build(plan, spec), laid_out(fed, plan.layout)) for plan in plans(spec)]
    weights = sum(use.parameters_bytes for use in used)
    measured = weights + max(use.inputs_bytes + use.allocated_peak_bytes for use in used)
    need = footprint(spec)
    assert need.weights_bytes == weights
    # Without what the check and the process itself need, which this does not measure.
    bare = need.weights_bytes + need.gradients_bytes + need.per_token_bytes * spec.tokens
    assert measured <= need.total_bytes
    if implementation == "eager":
        assert measured <= bare <= 4 * measured
