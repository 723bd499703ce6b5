"""Hostile files against a real server in its own process: each a 4xx with a sentence, nothing kept, no memory to speak of.

The peak of the server's memory is read from the system, and set back before each file, so that one does not hide another's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from service_tools import send, serving

from .attacks import ARCHIVES, IMPORTS, MIB, NUMPY, OTHERS, SAFETENSORS, saved, traps

UPLOADS = {
    f"{kind}: {name}": make
    for kind, table in {"safetensors": SAFETENSORS, "npy": NUMPY, "torch": ARCHIVES, "other": OTHERS}.items()
    for name, make in table.items()
}
JSON_ADDRESSES = (
    "/api/v1/benchmarks/import", "/api/v1/sweeps/import", "/api/v1/benchmarks", "/api/v1/sweeps",
    "/api/v1/structure/pattern", "/api/v1/structure/reachability", "/api/v1/structure/projection", "/api/v1/verdicts",
)  # fmt: skip
UPLOAD_GROWTH = 128 * MIB
"""Most that one file may cost; the careless reader took 256 MiB to 10 GB for those above."""
JSON_GROWTH = 256 * MIB
"""Most that a body of at most 16 MiB may cost: its bytes, its text and a bounded number of values."""


@dataclass(frozen=True)
class Server:
    client: httpx.Client
    pid: int
    home: Path

    def memory(self, name: str) -> int:
        """``VmRSS``, what the process holds now, or ``VmHWM``, its peak, in bytes."""
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return int(text.split(f"{name}:")[1].split()[0]) * 1024

    @contextmanager
    def bounded(self, most: int) -> Iterator[None]:
        """Fail when the process grows by more than ``most`` bytes in between, for however short a time."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="utf-8")  # sets the peak back
        before = self.memory("VmRSS")
        yield
        assert self.memory("VmHWM") - before < most

    def files(self) -> list[Path]:
        return list((self.home / "uploads").iterdir()) if (self.home / "uploads").exists() else []


@pytest.fixture
def victim(running: Server) -> Iterator[Server]:
    """The server without any upload."""
    yield running
    for upload in running.client.get("/api/v1/uploads").json()["items"]:
        running.client.delete(f"/api/v1/uploads/{upload['id']}")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of a process is read from Linux' /proc")
    home = tmp_path_factory.mktemp("victim") / "home"
    with serving(home) as (client, process):
        client.timeout = httpx.Timeout(120)
        yield Server(client, process.pid, home)


def sentence(answer: Any) -> dict[str, Any]:
    assert 400 <= answer.status_code < 500, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["detail"]
    assert len(answer.content) < 32 * 1024
    assert "Traceback" not in answer.text
    return problem


@pytest.mark.parametrize("attack", UPLOADS)
def test_an_upload_that_lies_is_refused_and_nothing_is_kept(victim: Server, attack: str) -> None:
    content = UPLOADS[attack]()
    with victim.bounded(UPLOAD_GROWTH):
        problem = sentence(send(victim.client, content))
    assert problem["errors"][0]["field"] == "file"
    assert problem["errors"][0]["rule"]
    assert victim.files() == []


def test_no_pickle_is_ever_run(victim: Server, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for content in traps(trap).values():
        with victim.bounded(UPLOAD_GROWTH):
            sentence(send(victim.client, content))
        for address in ("/api/v1/benchmarks/import", "/api/v1/sweeps/import"):
            sentence(victim.client.post(address, content=content, headers={"Content-Type": "application/json"}))
        assert not trap.exists()
    assert victim.files() == []


@pytest.mark.parametrize("attack", IMPORTS)
def test_a_body_that_lies_is_refused_at_every_address_that_reads_one(victim: Server, attack: str) -> None:
    content = IMPORTS[attack]()
    before = victim.client.get("/api/v1/jobs").json()["total"]
    for address in JSON_ADDRESSES:
        with victim.bounded(JSON_GROWTH):
            sentence(victim.client.post(address, content=content, headers={"Content-Type": "application/json"}))
    assert victim.client.get("/api/v1/jobs").json()["total"] == before


NAMES = [
    "../../../etc/passwd",
    "/etc/passwd",
    "C:\\Windows",
    "a\x00b",
    "\u202egpj.exe",
    "<script>alert(1)</script>",
    "x" * 100_000,
    "",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_tensor_with_the_name_of_a_path_is_only_a_name(victim: Server, name: str) -> None:
    content = saved({name: torch.ones(4, 4)})
    answer = send(victim.client, content, name=name[:200].replace("\x00", ""))
    if answer.status_code != 201:
        sentence(answer)
        return
    kept = answer.json()
    assert [path.name for path in victim.files()] == [kept["id"]]
    assert sorted(path.name for path in victim.files()[0].iterdir()) == ["facts.json", "upload"]
    assert victim.client.delete(f"/api/v1/uploads/{kept['id']}").status_code == 204
    assert victim.files() == []


def test_a_small_file_that_stands_for_terabytes_is_described_and_never_read(victim: Server) -> None:
    content = saved({"w": torch.zeros(1).expand(2**20, 2**20)})
    with victim.bounded(UPLOAD_GROWTH):
        kept = send(victim.client, content).json()
        asked = {"upload": kept["id"], "n_blocks": [4], "variants": ["it"]}
        problem = sentence(victim.client.post("/api/v1/structure/projection", json=asked))
    assert kept["tensors"][0]["projectable"] is False
    assert "DYAD_MAX_MATRIX_BYTES" in kept["tensors"][0]["reason"]
    assert "DYAD_MAX_MATRIX_BYTES" in problem["errors"][0]["suggestion"]
    assert victim.client.delete(f"/api/v1/uploads/{kept['id']}").status_code == 204


def test_afterwards_the_server_serves_as_before(victim: Server) -> None:
    assert victim.client.get("/readyz").status_code == 200
    assert victim.client.get("/api/v1/jobs").json()["total"] == 0
    assert victim.files() == []
    log = (victim.home.parent / "home.log").read_text(encoding="utf-8")
    assert "Traceback" not in log
