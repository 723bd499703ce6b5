"""The machines of a cluster as Ray lists them, and which of them may measure for this service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.executors.ray_kinds import CPU, PREFIX
from dyad_core._version import __version__

__all__ = ["Node", "nodes_of", "refusals"]


@dataclass(frozen=True)
class Node:
    """One machine.

    Attributes:
        id: of Ray.
        host: its name, for people; with its address where several have one name.
        kinds: number of devices by kind: ``{"cpu": 1, "H200": 8}``.
        alike: equal on machines whose figures may stand in one curve.
        code: identity of the code that it measures with; empty where ``dyad worker`` did not start it.
        version: its version of dyad-explorer.
    """

    id: str
    host: str
    kinds: Mapping[str, int]
    alike: str = ""
    code: str = ""
    version: str = ""

    @property
    def gpu_kind(self) -> str:
        """The kind of its GPUs; empty without one."""
        return next((kind for kind in self.kinds if kind != CPU), "")


def nodes_of(listed: Iterable[Mapping[str, Any]]) -> list[Node]:
    """The living machines that have something to measure with, by host, from what ``ray.nodes()`` lists."""
    living = [each for each in listed if each["Alive"]]
    names = [_name(each) for each in living]
    found = []
    for each, name in zip(living, names, strict=True):
        kinds = {
            kind.removeprefix(PREFIX): int(count)
            for kind, count in each["Resources"].items()
            if kind.startswith(PREFIX) and count >= 1
        }
        labels = each["Labels"]
        if kinds:
            found.append(
                Node(
                    id=each["NodeID"],
                    host=name if names.count(name) == 1 else f"{name} at {each['NodeManagerAddress']}",
                    kinds=kinds,
                    alike=labels.get("dyad-alike", ""),
                    code=labels.get("dyad-code", ""),
                    version=labels.get("dyad-version", ""),
                )
            )
    return sorted(found, key=lambda node: (node.host, node.id))


def refusals(nodes: Iterable[Node], code: str) -> dict[str, str]:
    """Why machines are left out, by the id of their node: a sentence each."""
    found = {}
    for node in nodes:
        if not node.code:
            found[node.id] = f"{node.host} was not started with `dyad worker` and is left out."
        elif node.code != code:
            other = (
                "another state of its code"
                if node.version == __version__
                else f"{node.version} instead of {__version__}"
            )
            found[node.id] = f"{node.host} runs dyad-explorer in {other} and is left out; give it the same one."
    return found


def _name(listed: Mapping[str, Any]) -> str:
    return str(listed["Labels"].get("dyad-host") or listed["NodeManagerHostname"])
