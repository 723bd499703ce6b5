"""Who holds which device of a cluster. Plain bookkeeping: it asks nobody and starts nothing.

As on one machine, a measurement is alone on its device, and one on a processor is alone on its whole machine. One on a GPU
needs the processor of its machine as well, and shares it with those on the other GPUs there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from backend.executors.base import DeviceGroup, Needs, NoSuchDevice
from backend.executors.ray_kinds import CPU, PREFIX
from backend.executors.ray_nodes import Node

__all__ = ["Ledger", "Slot"]

SHARE = 0.001
"""What work that shares a processor takes of it, so that Ray too gives it to no measurement meanwhile."""


@dataclass(frozen=True)
class Slot:
    """One device that is held.

    Attributes:
        node: its machine.
        kind: what it is.
        alone: whether a processor is held alone.
    """

    node: Node
    kind: str
    alone: bool

    @property
    def resources(self) -> dict[str, float]:
        """What Ray is asked for."""
        if self.kind == CPU:
            return {f"{PREFIX}{CPU}": 1.0 if self.alone else SHARE}
        return {f"{PREFIX}{CPU}": SHARE, f"{PREFIX}{self.kind}": 1.0}

    @property
    def gpus(self) -> int:
        """How many GPUs Ray isolates for it."""
        return int(self.kind != CPU)


class Ledger:
    """The devices of the machines there are. Not for several threads at once: the executor holds its lock."""

    def __init__(self) -> None:
        """No machine, nothing held."""
        self.nodes: list[Node] = []
        self._held: Counter[tuple[str, str]] = Counter()
        self._alone: set[str] = set()

    def groups(self) -> list[DeviceGroup]:
        """Every kind with its machines; the processor first."""
        found = []
        for kind in self.kinds():
            nodes = [node for node in self.nodes if kind in node.kinds]
            free = sum(self._free(node, kind, alone=True) for node in nodes)
            total = sum(node.kinds[kind] for node in nodes)
            found.append(DeviceGroup(kind, total, free, tuple(node.host for node in nodes)))
        return found

    def kinds(self) -> list[str]:
        """The kinds there are."""
        found = {kind for node in self.nodes for kind in node.kinds}
        return sorted(found, key=lambda kind: (kind != CPU, kind))

    def kind(self, device: str) -> str:
        """The kind that a request means: by name, by the beginning of one name, or ``cuda`` where there is one kind of GPU.

        Raises:
            NoSuchDevice: none, or more than one.
        """
        kinds, listed = self.kinds(), self._listed()
        if device.partition(":")[0] == "cuda":
            return self._only_gpu(device, [kind for kind in kinds if kind != CPU], listed)
        wanted = device.lower()
        found = [kind for kind in kinds if kind.lower() == wanted] or [
            kind for kind in kinds if kind.lower().startswith(f"{wanted}-")
        ]
        if not found:
            raise NoSuchDevice(f"The cluster has no device of the kind {device!r}; it has {listed}.")
        if len(found) > 1:
            raise NoSuchDevice(f"{device!r} may be {' or '.join(found)}; give the whole name as device_kind.")
        return found[0]

    def check(self, needs: Needs) -> None:
        """Return when there are that many devices, free or not.

        Raises:
            NoSuchDevice: there are not.
        """
        kind = self.kind(needs.device)
        total = sum(node.kinds.get(kind, 0) for node in self.nodes)
        if needs.count > total:
            raise NoSuchDevice(
                f"{needs.count} devices of the kind {kind} were asked for, and the cluster has {total}: {self._listed()}."
            )

    def take(self, needs: Needs) -> tuple[Slot, ...] | None:
        """Hold devices, those of one machine or of machines alike as far as can be; None while there are too few.

        With ``spread`` all are of machines alike, for their figures shall stand in one curve.

        Raises:
            NoSuchDevice: there are not that many, free or not.
        """
        self.check(needs)
        kind = self.kind(needs.device)
        alone = needs.alone or kind != CPU
        free = [Slot(node, kind, alone) for node in self.nodes for _ in range(self._free(node, kind, alone=alone))]
        slots = _chosen(free, needs)
        if slots is not None:
            for slot in slots:
                self._held[slot.node.id, slot.kind] += 1
                if slot.kind == CPU and slot.alone:
                    self._alone.add(slot.node.id)
        return slots

    def may_overtake(self, needs: Needs, waiting: Iterable[Needs]) -> bool:
        """Whether a job takes nothing that those before it wait for.

        A measurement on a processor waits for the GPUs of its machine as well, and theirs for it. Who waits for a kind that is
        not there now holds up nobody.
        """
        wanted = self._touched(needs)
        return not any(wanted & self._touched(other) for other in waiting)

    def give_back(self, slots: Iterable[Slot]) -> None:
        """Free what was taken."""
        for slot in slots:
            self._held[slot.node.id, slot.kind] -= 1
            if slot.kind == CPU and slot.alone:
                self._alone.discard(slot.node.id)

    def _free(self, node: Node, kind: str, *, alone: bool) -> int:
        if node.id in self._alone:
            return 0
        if kind == CPU:
            busy = alone and any(self._held[node.id, each] for each in node.kinds)
            return 0 if busy else node.kinds.get(CPU, 0)
        return node.kinds.get(kind, 0) - self._held[node.id, kind]

    def _touched(self, needs: Needs) -> set[str]:
        """The kinds that a job has to itself, on any machine that it could be given."""
        try:
            kind = self.kind(needs.device)
        except NoSuchDevice:
            return set()
        if kind != CPU:
            return {kind}
        return {CPU, *(each.gpu_kind for each in self.nodes if needs.alone and each.gpu_kind)}

    def _only_gpu(self, device: str, gpus: Collection[str], listed: str) -> str:
        if device not in ("cuda", "cuda:0"):
            raise NoSuchDevice(
                f"A cluster has no device {device}: the GPU that work is given is always cuda:0 there. It has {listed}; "
                "ask for cuda and name the kind as device_kind."
            )
        if len(gpus) == 1:
            return next(iter(gpus))
        if not gpus:
            raise NoSuchDevice(f"The cluster has no GPU; it has {listed}.")
        raise NoSuchDevice(f"The cluster has several kinds of GPU ({', '.join(gpus)}): name one as device_kind.")

    def _listed(self) -> str:
        totals = {kind: sum(node.kinds.get(kind, 0) for node in self.nodes) for kind in self.kinds()}
        return ", ".join(f"{count} × {kind}" for kind, count in totals.items()) or "no device now"


def _chosen(free: list[Slot], needs: Needs) -> tuple[Slot, ...] | None:
    def groups(of: Callable[[Slot], str]) -> list[list[Slot]]:
        found: dict[str, list[Slot]] = {}
        for slot in free:
            found.setdefault(of(slot), []).append(slot)
        return sorted(found.values(), key=len, reverse=True)

    alike = groups(lambda slot: slot.node.alike)
    if needs.spread:
        return tuple(alike[0]) if alike and len(alike[0]) >= needs.count else None
    for group in (*groups(lambda slot: slot.node.id), *alike, free):
        if len(group) >= needs.count:
            return tuple(group[: needs.count])
    return None
