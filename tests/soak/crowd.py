"""``python -m soak.crowd``: many clients of one service, in a process of their own, so that their work is not the service's.

Half of the polling clients read a stored record each second, the other half wait for news of the job that runs (long poll),
and the event clients hold a stream of it. Reads of the list and of single records and submits are timed one at a time beside them. Figures go to standard
output as one JSON text.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import time
from collections import Counter, defaultdict
from typing import Any

import httpx

__all__ = ["main"]

JOBS, RUNS = "/api/v1/jobs", "/api/v1/benchmarks"
POLL_S, LONG_POLL_S = 1.0, 20.0
TIMED_PAUSE_S = 0.5
PAGE = 50


class Crowd:
    """All of them.

    Args:
        url: of the service.
        options: numbers of clients, seconds, submit or not.
    """

    def __init__(self, url: str, options: argparse.Namespace) -> None:
        """Draw with a fixed seed."""
        self._options, self._random = options, random.Random(1)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=400)
        self._client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=60.0, limits=limits)
        self._until = time.monotonic() + options.seconds
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._answers: Counter[str] = Counter()
        self._ids: list[str] = []

    async def run(self) -> dict[str, Any]:
        """Let everybody work until the time is over; return the figures."""
        page = (await self._client.get(JOBS, params={"limit": 500})).json()
        self._ids = [item["id"] for item in page["items"]]
        polling = [self._poll(index, wait=index % 2 == 1) for index in range(self._options.polling)]
        listening = [self._listen() for _ in range(self._options.listening)]
        timed = [self._timed("list page", JOBS, {"limit": PAGE}), self._timed("single read", None, {})]
        if self._options.submit:
            timed.append(self._submits())
        await asyncio.gather(*polling, *listening, *timed)
        await self._client.aclose()
        return {"seconds": dict(self._seconds), "answers": dict(self._answers)}

    def _goes_on(self) -> bool:
        return time.monotonic() < self._until

    async def _get(self, name: str, path: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
        started = time.monotonic()
        try:
            answer = await self._client.get(path, params=parameters)
        except httpx.HTTPError as error:
            self._answers[f"{name} {type(error).__name__}"] += 1
            return None
        self._answers[f"{name} {answer.status_code}"] += 1
        self._seconds[name].append(time.monotonic() - started)
        return answer.json() if answer.is_success else None

    async def _poll(self, index: int, *, wait: bool) -> None:
        await asyncio.sleep(index % 20 / 20)
        job_id, version = self._options.busy if wait else self._ids[index % len(self._ids)], 0
        while self._goes_on():
            started = time.monotonic()
            if wait:
                left = max(0.1, min(LONG_POLL_S, self._until - started))
                record = await self._get("long poll", f"{JOBS}/{job_id}", {"wait_s": left, "version": version})
                version = record["version"] if record else version
            else:
                await self._get("poll", f"{JOBS}/{job_id}", {})
            await asyncio.sleep(max(0.0, min(POLL_S - (time.monotonic() - started), self._until - time.monotonic())))

    async def _listen(self) -> None:
        while self._goes_on():
            with contextlib.suppress(httpx.HTTPError, TimeoutError):
                async with asyncio.timeout(max(0.1, self._until - time.monotonic())):
                    async with self._client.stream("GET", f"{JOBS}/{self._options.busy}/events") as answer:
                        self._answers[f"listen {answer.status_code}"] += 1
                        async for line in answer.aiter_lines():
                            self._answers["events"] += line.startswith("data:")
            await asyncio.sleep(POLL_S)

    async def _timed(self, name: str, path: str | None, parameters: dict[str, Any]) -> None:
        while self._goes_on():
            await self._get(name, path or f"{JOBS}/{self._random.choice(self._ids)}", parameters)
            await asyncio.sleep(TIMED_PAUSE_S)

    async def _submits(self) -> None:
        number = 0
        while self._goes_on():
            number += 1
            body = {"in_features": 64, "out_features": 64, "n_blocks": [4], "seed": number, "threads": 1}
            started = time.monotonic()
            answer = await self._client.post(RUNS, json=body, params={"again": True})
            self._answers[f"submit {answer.status_code}"] += 1
            self._seconds["submit"].append(time.monotonic() - started)
            if answer.status_code == 202:  # nothing is to be measured here
                await self._client.delete(f"{JOBS}/{answer.json()['id']}")
            await asyncio.sleep(TIMED_PAUSE_S)


def main() -> int:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("busy", help="id of a job that runs all the time")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--polling", type=int, default=100)
    parser.add_argument("--listening", type=int, default=50)
    parser.add_argument("--submit", action="store_true")
    options = parser.parse_args()
    figures = asyncio.run(Crowd(options.url, options).run())
    sys.stdout.write(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
