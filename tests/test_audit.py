"""The audit of dependencies: what it says about an answer, about none, and (soak) the real pip-audit against a small database."""

import http.server
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts/audit_dependencies.py"
FLAW = {"id": "OSV-1", "aliases": ["CVE-1"], "fix_versions": ["2.0"], "description": "It breaks."}


def script() -> ModuleType:
    """scripts/audit_dependencies.py, which is no package."""
    spec = importlib.util.spec_from_file_location("audit_dependencies", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer(*dependencies: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(dependencies), "fixes": []}


def test_a_flaw_is_told_with_its_package_and_where_it_is_mended() -> None:
    flawed = {"name": "some", "version": "1.0", "vulns": [FLAW]}

    code, lines = script().verdict([answer(flawed, {"name": "other", "version": "3", "vulns": []}), answer(flawed)])

    assert code == 1
    assert lines == ["some 1.0: OSV-1 (CVE-1), mended in 2.0", "1 known vulnerabilities in 2 packages."]


def test_a_package_that_was_left_out_is_not_called_good() -> None:
    code, lines = script().verdict(
        [
            answer(
                {"name": "some", "version": "1.0", "vulns": []}, {"name": "odd", "skip_reason": "it is not known there"}
            )
        ]
    )

    assert code == 3
    assert lines == ["odd was not audited: it is not known there", "1 of 2 packages were audited."]


def test_no_package_at_all_is_not_called_good() -> None:
    assert script().verdict([])[0] == 3


def test_nothing_known_is_said_so() -> None:
    code, lines = script().verdict([answer({"name": "some", "version": "1.0", "vulns": []})])

    assert (code, lines) == (0, ["Nothing is known against any of the 1 packages."])


@contextmanager
def database(flaws: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """A database of vulnerabilities on this machine, which speaks OSV's protocol; yields its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = flaws.get(asked["package"]["name"], [])
            body = json.dumps({"vulns": found} if found else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(address: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DYAD_OSV_URL": address, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run([sys.executable, SCRIPT], env=environment, capture_output=True, text=True, check=False)
    if "could not be installed" in done.stderr:
        pytest.skip(done.stderr.strip())
    return done


@pytest.mark.soak
def test_the_real_pip_audit_finds_nothing_in_an_empty_database() -> None:
    with database({}) as address:
        done = run(address)

    assert done.returncode == 0, done.stderr
    assert "Nothing is known against any of" in done.stdout


@pytest.mark.soak
def test_the_real_pip_audit_finds_a_flaw_of_a_pinned_package() -> None:
    flaw = {
        "id": "OSV-1",
        "aliases": ["CVE-1"],
        "summary": "It breaks.",
        "published": "2026-01-01T00:00:00Z",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "fastapi"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99999"}]}],
            }
        ],
    }
    with database({"fastapi": [flaw]}) as address:
        done = run(address)

    assert done.returncode == 1, done.stderr
    assert "mended in 99999" in done.stdout


@pytest.mark.soak
def test_a_database_that_does_not_answer_is_said_to_be_no_audit() -> None:
    done = run("http://127.0.0.1:9/v1/query")  # the port of `discard`, which nothing serves

    assert done.returncode == 3
    assert done.stderr.startswith("Not audited: the database of vulnerabilities did not answer.")
