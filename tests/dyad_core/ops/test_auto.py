"""What ``auto`` takes: the nearest measured size, else ``eager``; and a table of one's own before the packaged one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from dyad_core import DyadLinear, SpecError
from dyad_core.ops import auto, registry
from dyad_core.ops.auto import Shape

CPU = torch.device("cpu")
ROW = {
    "dtype": "float32",
    "variant": "it",
    "n_blocks": 4,
    "in_features": 1024,
    "out_features": 4096,
    "tokens": 512,
    "pass": "forward",
    "implementation": "concat",
}

UseTable = Callable[..., Path]


@pytest.fixture
def use_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UseTable]:
    def use(*rows: dict[str, Any], **head: Any) -> Path:
        path = tmp_path / "own.json"
        values = {"schema_version": 1, "device_kind": "cpu", "measured": {}, "choices": [ROW | row for row in rows]}
        path.write_text(json.dumps(values | head), encoding="utf-8")
        monkeypatch.setenv(auto.VARIABLE, str(path))
        auto.forget()
        return path

    yield use
    monkeypatch.undo()
    auto.forget()


def shape(**changes: Any) -> Shape:
    base = Shape("it", 4, 1024, 4096, 512, trains=False)
    return base._replace(**changes)


def test_the_nearest_size_is_taken(use_table: UseTable) -> None:
    use_table({}, {"tokens": 16, "implementation": "original"}, {"pass": "train", "implementation": "reference"})
    assert auto.preferred("cpu", torch.float32, shape()) == "concat"
    assert auto.preferred("cpu", torch.float32, shape(tokens=130)) == "concat"
    assert auto.preferred("cpu", torch.float32, shape(tokens=60)) == "original"
    assert auto.preferred("cpu", torch.float32, shape(tokens=4)) == "original"
    assert auto.preferred("cpu", torch.float32, shape(n_blocks=8, in_features=4096)) == "concat"
    assert auto.preferred("cpu", torch.float32, shape(trains=True)) == "reference"


@pytest.mark.parametrize(
    "changes", [{"variant": "ot"}, {"tokens": 2049}, {"in_features": 255}, {"n_blocks": 16}, {"trains": True}]
)
def test_where_nothing_near_was_measured_it_is_the_standard_choice(
    use_table: UseTable, changes: dict[str, Any]
) -> None:
    use_table({})
    assert auto.preferred("cpu", torch.float32, shape(**changes)) == "eager"
    assert auto.preferred("mps", torch.float32, shape(**changes)) == "eager"


def test_the_standard_choice_depends_on_tokens_gradients_and_dtype(use_table: UseTable) -> None:
    use_table({})
    assert auto.preferred("cpu", torch.float32, shape(tokens=3)) == "transposed"
    assert auto.preferred("cpu", torch.float32, shape(tokens=0)) == "transposed"
    assert auto.preferred("cpu", torch.float32, shape(tokens=3, trains=True)) == "eager"
    assert auto.preferred("cpu", torch.float64, shape(tokens=17)) == "eager"
    assert auto.preferred("cpu", torch.bfloat16, shape()) == "concat"
    assert auto.preferred("cuda", torch.bfloat16, shape(tokens=3)) == "eager"


def test_a_layer_takes_what_the_table_says(use_table: UseTable, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"in_features": 24, "out_features": 48, "tokens": 6}
    use_table(small, {**small, "pass": "train", "implementation": "original"})
    taken: list[str] = []

    def spy(name: str) -> registry.Implementation:
        real = registry.get(name)

        def apply(*operands: Any) -> torch.Tensor:
            taken.append(name)
            return real.apply(*operands)

        return registry.Implementation(name, real.summary, apply)

    monkeypatch.setattr(registry, "_registered", {name: spy(name) for name in registry.names()})
    layer = DyadLinear(24, 48, n_blocks=4)
    x = torch.randn(2, 3, 24)
    layer(x)
    with torch.no_grad():
        layer(x)
        layer(x[:1])
        layer(torch.randn(200, 24))
    layer.requires_grad_(False)(x)
    layer(x.requires_grad_())
    assert taken == ["original", "concat", "concat", "eager", "concat", "original"]


def test_tracing_takes_eager(use_table: UseTable, monkeypatch: pytest.MonkeyPatch) -> None:
    use_table({"in_features": 24, "out_features": 48, "tokens": 6})
    torch.manual_seed(0)
    layer, x = DyadLinear(24, 48, n_blocks=4), torch.randn(6, 24)
    called = []
    real = registry.get("concat")
    refusing = registry.Implementation("concat", "", lambda *operands: called.append(1) or real.apply(*operands))
    monkeypatch.setitem(registry._registered, "concat", refusing)
    with torch.no_grad():
        expected = layer(x)
        assert called == [1]
        torch.compiler.reset()
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=True)
        torch.testing.assert_close(compiled(x), expected)
        batch = torch.export.Dim("batch", min=2, max=64)
        exported = torch.export.export(layer, (x,), dynamic_shapes={"input": {0: batch}})
        torch.testing.assert_close(exported.module()(x), expected)
    assert called == [1]


def test_what_is_not_here_falls_back_to_eager(use_table: UseTable, monkeypatch: pytest.MonkeyPatch) -> None:
    use_table({"implementation": "from_another_version"})
    assert registry.choose("auto", CPU, torch.float32, shape=shape()).name == "eager"
    use_table({})
    assert registry.choose("auto", CPU, torch.float32, shape=shape()).name == "concat"
    gone = registry.Implementation("concat", "", registry.get("concat").apply, lambda *_: "needs a GPU")
    monkeypatch.setitem(registry._registered, "concat", gone)
    assert registry.choose("auto", CPU, torch.float32, shape=shape()).name == "eager"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema_version": 1, "device_kind": "cpu", "measured": {}, "choices": [{"pass": "forward"}]}',
        json.dumps({"schema_version": 1, "device_kind": "cpu", "measured": {}, "choices": [ROW | {"tokens": 0}]}),
        json.dumps({"schema_version": 1, "device_kind": "cpu", "measured": {}, "choices": [ROW | {"more": 1}]}),
    ],
)
def test_a_file_that_is_no_table_is_named(use_table: UseTable, text: str) -> None:
    path = use_table({})
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=r"DYAD_CHOICES: must name a table of choices.*own\.json"):
        DyadLinear(24, 48, n_blocks=4)(torch.randn(6, 24))


def test_a_missing_or_newer_table_is_said(use_table: UseTable) -> None:
    use_table({}, schema_version=99)
    with pytest.raises(SpecError, match="schema version 1"):
        auto.table("cpu")
    use_table({}).unlink()
    with pytest.raises(SpecError, match="No such file"):
        auto.table("cpu")


def test_a_table_for_another_device_leaves_the_packaged_one(use_table: UseTable) -> None:
    packaged = auto.FOLDER / "cpu.json"
    use_table({}, device_kind="cuda")
    found = auto.table("cuda")
    assert found is not None
    assert found.choices[0].implementation == "concat"
    assert auto.table("cpu") == (auto.read_table(packaged) if packaged.exists() else None)


@pytest.mark.parametrize("path", sorted(auto.FOLDER.glob("*.json")), ids=lambda path: path.name)
def test_packaged_tables_say_where_they_come_from_and_name_what_exists(path: Path) -> None:
    found = auto.read_table(path)
    assert found.device_kind == path.stem
    assert {"created_at", "device_name", "torch_version", "dyad_version", "threads", "rule"} <= found.measured.keys()
    assert {choice.implementation for choice in found.choices} <= set(registry.names())
    assert all(registry.get(choice.implementation).layout == "token_major" for choice in found.choices)
