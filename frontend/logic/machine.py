"""The machine of the service as table records and sentences."""

from __future__ import annotations

from frontend.logic import words
from frontend.schemas import SystemJson

__all__ = ["device_records", "queue_sentence", "version_records"]


def device_records(machine: SystemJson) -> list[dict[str, str]]:
    """Return one record per device, sizes with their unit."""
    return [
        {
            "device": device["name"],
            "what": device.get("description", ""),
            "memory": words.data_size(device.get("memory_total_bytes")),
            "free": words.data_size(device.get("memory_available_bytes")),
            "native dtypes": ", ".join(device.get("dtypes") or []),
            "emulated dtypes (slow)": ", ".join(device.get("emulated_dtypes") or []) or "none",
            "notes": " ".join(device.get("notes") or []),
        }
        for device in machine["devices"]
    ]


def version_records(machine: SystemJson) -> list[dict[str, str]]:
    """Return one record per piece of software."""
    return [{"software": name, "version": version} for name, version in (machine.get("versions") or {}).items()]


def queue_sentence(machine: SystemJson) -> str:
    """Say whether a measurement runs and how many wait."""
    queue = machine.get("queue") or {}
    waiting = int(queue.get("queued") or 0)
    now = "One measurement is running" if queue.get("running") else "Nothing is running"
    return f"{now}, {words.plural(waiting, 'run')} waiting. Measurements run one at a time."
