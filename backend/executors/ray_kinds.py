"""What a machine of a Ray cluster has to say of itself: its kinds of devices as Ray resources, and its identity as labels.

``dyad worker`` writes them when it starts a node, the executor reads them. Kinds are resources, so that Ray itself never
gives one device away twice; identities are labels, for a resource is only a number.

======================  =======================================================================================
resource ``dyad:cpu``   1: a measurement on the processor takes all of it, one on a GPU a thousandth
resource ``dyad:H200``  the number of GPUs of that kind; beside it Ray's own ``GPU``, which isolates them
label ``dyad-code``     identity of the code that measures: another one is not of this service's cluster
label ``dyad-version``  version of dyad-explorer, for people
label ``dyad-alike``    equal on machines whose figures may stand in one curve
label ``dyad-host``     host name, for people
======================  =======================================================================================
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import platform
import re
from pathlib import Path

from dyad_core._version import __version__
from dyad_core.bench.cuda_probe import cuda_devices
from dyad_core.bench.environment import foresee_environment
from dyad_core.bench.identity import IDENTIFYING, OF_ONE_MACHINE, code_digest
from dyad_core.bench.spec import BenchmarkSpec
from dyad_core.errors import DyadError

__all__ = ["CPU", "PREFIX", "MixedGpus", "code_of_here", "gpus_of_here", "labels_of_here", "short_kind"]

PREFIX = "dyad:"
CPU = "cpu"

MAKERS = frozenset({"NVIDIA", "TESLA", "GEFORCE", "QUADRO"})
"""Words of a product name that tell no two kinds apart."""


class MixedGpus(DyadError):  # noqa: N818 - the event, as the library's family names it
    """A machine has GPUs of several kinds, and Ray could hand out the wrong one."""


def short_kind(name: str) -> str:
    """The kind of a GPU from the name that its driver gives it.

    Maker and family are left out and blanks become hyphens; whatever tells two products apart stays.

    >>> [short_kind(name) for name in ("NVIDIA H200", "NVIDIA H100 80GB HBM3", "Tesla V100-SXM2-16GB")]
    ['H200', 'H100-80GB-HBM3', 'V100-SXM2-16GB']
    """
    words = [word for word in name.split() if word.upper() not in MAKERS]
    return "-".join(words) or "gpu"


def gpus_of_here() -> tuple[str, int]:
    """Kind and number of the GPUs that may be used here; no kind and 0 without one.

    Raises:
        MixedGpus: they are not all of one kind.
    """
    found, _ = cuda_devices()
    kinds = sorted({short_kind(each["name"]) for each in found})
    if len(kinds) > 1:
        raise MixedGpus(
            f"This machine has GPUs of several kinds ({', '.join(kinds)}), and a node of the cluster lends one kind; "
            "set CUDA_VISIBLE_DEVICES to those of one kind."
        )
    return (kinds[0], len(found)) if kinds else ("", 0)


@functools.cache
def code_of_here() -> str:
    """Identity of the code that measures and of how the executor speaks with a node; 16 hexadecimal digits."""
    spoken = Path(__file__).with_name("ray_actor.py").read_bytes()
    return hashlib.sha256(code_digest().encode() + spoken).hexdigest()[:16]


def labels_of_here() -> dict[str, str]:
    """The labels of this machine."""
    return {
        "dyad-code": code_of_here(),
        "dyad-version": _label(__version__),
        "dyad-alike": _alike(),
        "dyad-host": _label(platform.node() or "unnamed"),
    }


def _alike() -> str:
    """Identity of everything that a figure depends on but for the machine itself: processor, GPU, threads, versions."""
    facts = []
    for device in ("cpu", "cuda"):
        where = foresee_environment(BenchmarkSpec(64, 64, device=device))
        known = {} if where is None else dataclasses.asdict(where)
        facts.append({name: known.get(name) for name in IDENTIFYING if name not in OF_ONE_MACHINE})
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _label(text: str) -> str:
    """What Ray takes as the value of a label: up to 63 letters, digits, ``-``, ``_`` and ``.``, from end to end."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:63].strip("-_.") or "none"
