"""Who holds which device of a cluster: by kind, alone, several at once, machines alike. No Ray."""

from __future__ import annotations

import pytest

from backend.executors.base import Needs, NoSuchDevice
from backend.executors.ray_kinds import short_kind
from backend.executors.ray_ledger import Ledger, Slot
from backend.executors.ray_nodes import Node, nodes_of, refusals
from dyad_core._version import __version__


def node(name: str, alike: str = "same", **kinds: int) -> Node:
    return Node(name, name, {"cpu": 1, **{kind.replace("_", "-"): count for kind, count in kinds.items()}}, alike)


def ledger(*nodes: Node) -> Ledger:
    made = Ledger()
    made.nodes = list(nodes)
    return made


def hosts(slots: tuple[Slot, ...] | None) -> list[str] | None:
    return None if slots is None else [slot.node.host for slot in slots]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("NVIDIA H200", "H200"),
        ("NVIDIA H100 80GB HBM3", "H100-80GB-HBM3"),
        ("NVIDIA A100-SXM4-40GB", "A100-SXM4-40GB"),
        ("Tesla V100-SXM2-16GB", "V100-SXM2-16GB"),
        ("NVIDIA GeForce RTX 4090", "RTX-4090"),
        ("NVIDIA", "gpu"),
    ],
)
def test_a_kind_is_the_product_without_its_maker(name: str, kind: str) -> None:
    assert short_kind(name) == kind


def test_a_processor_is_held_by_one_measurement() -> None:
    books = ledger(node("a"), node("b"))
    first, second = books.take(Needs("cpu")), books.take(Needs("cpu"))
    assert sorted([*(hosts(first) or []), *(hosts(second) or [])]) == ["a", "b"]
    assert books.take(Needs("cpu")) is None
    books.give_back(first or ())
    assert hosts(books.take(Needs("cpu"))) == hosts(first)


def test_a_measurement_on_a_processor_is_alone_on_its_machine() -> None:
    books = ledger(node("a", H200=2))
    gpu = books.take(Needs("H200"))
    assert gpu is not None
    assert books.take(Needs("cpu")) is None
    other = books.take(Needs("H200"))
    assert other is not None
    assert books.take(Needs("H200")) is None
    books.give_back([*gpu, *other])
    assert books.take(Needs("cpu")) is not None
    assert books.take(Needs("H200")) is None


def test_what_ray_is_asked_for() -> None:
    books = ledger(node("a", H200=2))
    (gpu,) = books.take(Needs("H200")) or ()
    assert (gpu.resources, gpu.gpus) == ({"dyad:cpu": 0.001, "dyad:H200": 1.0}, 1)
    books.give_back([gpu])
    (cpu,) = books.take(Needs("cpu")) or ()
    assert (cpu.resources, cpu.gpus) == ({"dyad:cpu": 1.0}, 0)


def test_several_devices_come_at_once_and_from_one_machine_where_it_has_them() -> None:
    books = ledger(node("a", H200=1), node("b", H200=4))
    assert hosts(books.take(Needs("H200", count=3))) == ["b", "b", "b"]
    assert hosts(books.take(Needs("H200", count=2))) == ["a", "b"]
    assert books.take(Needs("H200", count=2)) is None


def test_more_devices_than_there_are_is_a_sentence() -> None:
    books = ledger(node("a"), node("b"))
    books.check(Needs("cpu", count=2))
    with pytest.raises(NoSuchDevice, match="3 devices of the kind cpu were asked for, and the cluster has 2: 2 × cpu"):
        books.check(Needs("cpu", count=3))


def test_a_sweep_takes_all_that_are_free_and_alike() -> None:
    books = ledger(node("a"), node("b"), node("c", "other"), node("d"))
    (busy,) = books.take(Needs("cpu")) or ()
    assert hosts(books.take(Needs("cpu", spread=True))) == [each for each in "abd" if each != busy.node.host]
    assert hosts(books.take(Needs("cpu", spread=True))) == ["c"]


def test_cuda_is_the_one_kind_there_is_and_must_be_named_where_there_are_two() -> None:
    books = ledger(node("a", H200=1), node("b"))
    assert (books.kind("cuda"), books.kind("cuda:0"), books.kind("h200")) == ("H200", "H200", "H200")
    with pytest.raises(NoSuchDevice, match="always cuda:0 there"):
        books.check(Needs("cuda:1"))
    books.nodes.append(node("c", H100_80GB=1))
    with pytest.raises(NoSuchDevice, match="several kinds of GPU .*H100-80GB, H200.*device_kind"):
        books.check(Needs("cuda"))
    assert books.kind("H100") == "H100-80GB"
    books.nodes.append(node("d", H100_PCIe=1))
    with pytest.raises(NoSuchDevice, match="may be H100-80GB or H100-PCIe"):
        books.kind("H100")


def test_a_kind_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(NoSuchDevice, match="no device of the kind 'B300'; it has 1 × cpu"):
        ledger(node("a")).check(Needs("B300"))
    with pytest.raises(NoSuchDevice, match="has no GPU"):
        ledger(node("a")).check(Needs("cuda"))
    with pytest.raises(NoSuchDevice, match="no device now"):
        ledger().check(Needs("cpu"))


def test_groups_count_what_is_free() -> None:
    books = ledger(node("a", H200=2), node("b"))
    books.take(Needs("H200"))
    assert [(group.kind, group.total, group.free, group.places) for group in books.groups()] == [
        ("cpu", 2, 1, ("a", "b")),
        ("H200", 2, 1, ("a",)),
    ]


def listed(node_id: str, *, alive: bool = True, resources: dict[str, float] | None = None, **labels: str) -> dict:
    return {
        "NodeID": node_id,
        "Alive": alive,
        "NodeManagerAddress": f"10.0.0.{node_id}",
        "NodeManagerHostname": "tower",
        "Resources": {"dyad:cpu": 1.0, "memory": 9.0} if resources is None else resources,
        "Labels": {f"dyad-{name}": value for name, value in labels.items()},
    }


def test_machines_are_read_from_what_ray_lists() -> None:
    found = nodes_of(
        [
            listed("1", resources={"dyad:cpu": 1.0, "dyad:H200": 8.0, "GPU": 8.0}, host="big", code="c", alike="x"),
            listed("2", host="twin"),
            listed("3", host="twin"),
            listed("4", alive=False, host="dead"),
            listed("5", resources={"memory": 9.0}, host="head"),
        ]
    )
    assert [(each.host, dict(each.kinds)) for each in found] == [
        ("big", {"cpu": 1, "H200": 8}),
        ("twin at 10.0.0.2", {"cpu": 1}),
        ("twin at 10.0.0.3", {"cpu": 1}),
    ]
    assert (found[0].code, found[0].alike, found[0].gpu_kind) == ("c", "x", "H200")


def test_machines_with_other_code_are_left_out_with_a_sentence() -> None:
    same, bare, older, edited = nodes_of(
        [
            listed("1", host="a", code="c", version=__version__),
            listed("2", host="b"),
            listed("3", host="c", code="old", version="0.0.1"),
            listed("4", host="d", code="new", version=__version__),
        ]
    )
    found = refusals([same, bare, older, edited], "c")
    assert set(found) == {"2", "3", "4"}
    assert "b was not started with `dyad worker`" in found["2"]
    assert f"c runs dyad-explorer in 0.0.1 instead of {__version__}" in found["3"]
    assert "d runs dyad-explorer in another state of its code" in found["4"]


def test_nobody_is_overtaken_by_who_takes_what_he_waits_for() -> None:
    books = ledger(node("a", H200=2), node("b"), node("c", H100=1))
    cpu, h200, h100 = Needs("cpu"), Needs("H200"), Needs("H100")
    assert books.may_overtake(h200, [h100])
    assert not books.may_overtake(h200, [h200])
    assert not books.may_overtake(h200, [cpu])
    assert not books.may_overtake(cpu, [h100])
    assert books.may_overtake(h200, [Needs("B300")])
    assert books.may_overtake(Needs("cpu", alone=False), [h200])
