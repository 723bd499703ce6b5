"""What the commands ask a running service, and how its refusals read in a terminal: sentences, and an exit code."""

from __future__ import annotations

from typing import Any, NoReturn

import httpx
import typer
from pydantic import ValidationError

from backend.__main__ import settings_sentence
from backend.settings import Settings

__all__ = ["REFUSED", "WRONG_INPUT", "ask", "asks_for_token", "end", "settings_of_here"]

REFUSED, WRONG_INPUT = 1, 2
"""Exit codes: the service refuses or is not there; the command itself was given something unusable."""

TIMEOUT_S = 60.0


def ask(
    api_url: str | None,
    path: str,
    *,
    method: str = "GET",
    query: dict[str, Any] | None = None,
    content: bytes | None = None,
) -> httpx.Response:
    """Send a request to the service and return its answer, which is a success; otherwise end with a sentence."""
    settings = settings_of_here()
    base = (api_url or settings.api_url).rstrip("/")
    headers = {} if content is None else {"Content-Type": "application/json"}
    if settings.api_token is not None and (token := settings.api_token.get_secret_value()):
        headers["Authorization"] = f"Bearer {token}"
    try:
        answer = httpx.request(
            method, f"{base}/api/v1{path}", params=query, content=content, headers=headers, timeout=TIMEOUT_S
        )
    except httpx.InvalidURL as error:
        end(f"{base} is not an address: {error}. DYAD_API_URL or --api-url names the service.")
    except httpx.HTTPError as error:
        end(f"No service answers at {base} ({error}). Start it with `dyad up`, or name another by --api-url.")
    if not answer.is_success:
        end(_problem_text(answer))
    return answer


def asks_for_token(base: str) -> bool:
    """Whether the service at this address lets nobody in without a token."""
    return httpx.get(f"{base}/api/v1/jobs", params={"limit": 1}, timeout=TIMEOUT_S, trust_env=False).status_code == 401


def _problem_text(answer: httpx.Response) -> str:
    if "problem+json" not in answer.headers.get("content-type", ""):
        return f"{answer.url} answers {answer.status_code}; is this the DYAD service?"
    problem = answer.json()
    lines = [
        f"  {item['field']}: {item['rule']}; received {item['received']!r}. {item['suggestion']}".rstrip()
        for item in problem["errors"]
    ]
    return "\n".join([problem["detail"], *lines])


def settings_of_here() -> Settings:
    """The settings of the environment; ends with a sentence where one is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        end(settings_sentence(error))


def end(sentence: str, code: int = REFUSED) -> NoReturn:
    """Say why on standard error and leave."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)
