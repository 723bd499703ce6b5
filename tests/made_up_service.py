"""A service that knows made-up models only: what the Models page asks is answered at once, and every state can be had."""

from __future__ import annotations

import json
from typing import Any

import httpx
from made_up_models import JOB, made_estimate, made_job, made_presets

from dyad_core.errors import Problem, SpecError
from dyad_core.models.spec import EstimateSpec, ModelSpec

__all__ = ["MadeService"]

SYSTEM = {
    "devices": [{"name": "cpu", "kind": "cpu", "description": "AMD EPYC"}],
    "implementations": [{"name": "eager", "summary": "by hand"}],
    "limits": {},
}
FOUND = "12 × encoder.layer.*.intermediate.dense (768 → 3072); 12 × encoder.layer.*.output.dense (3072 → 768)"


class MadeService:
    """Answers requests; ``job`` is the one measurement it has, ``asked`` keeps every body that was sent."""

    def __init__(self) -> None:
        """Begin without a measurement."""
        self.job: dict[str, Any] | None = None
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def client(self, address: str) -> httpx.Client:
        """Connections to this service instead of ``address``."""
        return httpx.Client(transport=httpx.MockTransport(self.answer), base_url=address)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        path = request.url.path.removeprefix("/api/v1")
        try:
            return httpx.Response(200, json=self._found(request.method, path, request.content))
        except SpecError as error:
            errors = [
                {"field": p.field, "rule": p.rule, "received": p.received, "suggestion": p.suggestion}
                for p in error.problems
            ]
            return httpx.Response(422, json={"title": "Wrong", "detail": str(error), "errors": errors})
        except LookupError:
            return httpx.Response(404, json={"title": "Not found", "detail": "There is no such measurement."})

    def _found(self, method: str, path: str, content: bytes) -> Any:
        plain = {
            "/healthz": {},
            "/system": SYSTEM,
            "/jobs": {"items": [], "total": 0},
            "/models/presets": made_presets(),
        }
        if path in plain:
            return plain[path]
        if method == "POST" and not path.endswith("/cancel"):
            return self._post(path, json.loads(content))
        if path == "/models/measurements":
            items = [] if self.job is None else [{**self.job, "result": None}]
            return {"items": items, "total": len(items), "limit": 10, "offset": 0}
        if self.job is None or JOB not in path:
            raise LookupError(path)
        if path.endswith("/cancel"):
            self.job = {**self.job, "status": "cancelled", "progress": None}
        return {"items": []} if path.endswith("/log") else self.job

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        self.asked.append((path, body))
        if path == "/models/estimate":
            spec = EstimateSpec.from_dict(body)
            if isinstance(spec.config, dict) and spec.config["model_type"] != "opt" and not spec.names:
                rule = f"must be given: the feed-forward layers of 'vit' are not known here. It has {FOUND}"
                raise SpecError([Problem("names", rule, "none", "name those to replace, as names=['*.dense']")])
            return made_estimate(spec, measured=self.job is not None).to_dict()
        self.job = made_job(ModelSpec.from_dict(body))
        return self.job
