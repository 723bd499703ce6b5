"""The two real servers and a real Chromium.

``DYAD_BROWSER`` names the browser; otherwise the usual names are looked for. Where none is found the tests are skipped
with a reason, and fail where ``CI`` is set.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from service_tools import answers, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-background-networking"]


@dataclass
class Server:
    """One process on a port of its own, which can be killed and started again."""

    command: list[str]
    environment: dict[str, str]
    url: str
    health: str
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=os.environ | self.environment, stdout=log, stderr=log
            )
        with httpx.Client(base_url=self.url, trust_env=False) as client:
            wait_until(
                lambda: self.process.poll() is not None or answers(client, self.health), f"the start of {self.url}"
            )
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")

    def end(self, *, kill: bool = False) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill() if kill else self.process.terminate()
            self.process.wait(30)


@dataclass(frozen=True)
class Servers:
    backend: Server
    dashboard: Server

    @property
    def url(self) -> str:
        return self.dashboard.url


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("servers")
    ports = free_port("127.0.0.1"), free_port("127.0.0.1")
    addresses = [f"http://127.0.0.1:{port}" for port in ports]
    backend = Server(
        [sys.executable, "-m", "backend"],
        {"DYAD_HOME": str(folder / "home"), "DYAD_PORT": str(ports[0])},
        addresses[0],
        "/healthz",
        folder / "backend.log",
    )
    options = ["--server.port", str(ports[1]), "--server.address", "127.0.0.1", "--server.headless", "true"]
    dashboard = Server(
        [sys.executable, "-m", "streamlit", "run", "frontend/app.py", *options],
        {"DYAD_API_URL": addresses[0]},
        addresses[1],
        "/_stcore/health",
        folder / "dashboard.log",
    )
    with contextlib.ExitStack() as ending:
        for server in (backend, dashboard):
            ending.callback(server.end)
            server.start()
        yield Servers(backend, dashboard)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    named = os.environ.get("DYAD_BROWSER")
    path = next((found for name in ([named] if named else BROWSERS) if (found := shutil.which(name))), None)
    if path is None:
        reason = f"no browser: neither DYAD_BROWSER nor any of {', '.join(BROWSERS)} was found"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=30_000)  # a busy machine may be slow, only a hang takes this long
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, servers: Servers) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, base_url=servers.url)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()
