"""The command ``dyad worker``: this machine becomes one of a cluster, with its processor and GPUs."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from backend.service_client import WRONG_INPUT, end
from dyad_core.errors import DyadError

__all__ = ["worker"]

NODE_PORT, CLIENT_PORT = 6379, 10001


def worker(
    address: Annotated[
        str | None, typer.Option(help="HOST:PORT at which nodes join the head, which prints it when it starts.")
    ] = None,
    head: Annotated[bool, typer.Option("--head", help="Start the head of a new cluster.")] = False,
    block: Annotated[
        bool, typer.Option("--block", help="Stay until Ctrl-C, and join again when the head was gone.")
    ] = False,
    no_measuring: Annotated[
        bool, typer.Option("--no-measuring", help="Lend no device; for a head that only coordinates.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the head at which nodes join.")] = NODE_PORT,
    client_port: Annotated[int, typer.Option(help="Port of the head for services: DYAD_RAY_ADDRESS.")] = CLIENT_PORT,
    node_ip: Annotated[str | None, typer.Option(help="Address at which the others reach this machine.")] = None,
    temp_dir: Annotated[Path | None, typer.Option(help="Folder for Ray's sockets and logs; a short path.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what this machine offers as JSON.")] = False,
) -> None:
    """Make this machine one of a Ray cluster that measures for a service with DYAD_EXECUTOR=ray."""
    if (address is None) == (not head):
        end("Either --head starts a new cluster, or --address HOST:PORT joins one.", WRONG_INPUT)
    if address is not None and (":" not in address or "://" in address):
        end(
            f"{address!r} is no address at which nodes join; it is HOST:PORT, for example head:{NODE_PORT}.",
            WRONG_INPUT,
        )
    if importlib.util.find_spec("ray") is None:
        end("`dyad worker` needs Ray: pip install 'dyad-explorer[cluster]'.")
    # Not above: these ask torch for the devices, and `dyad --help` shall be quick.
    from backend.executors.ray_kinds import gpus_of_here, labels_of_here
    from backend.executors.ray_start import NodeOptions, keep_joined, node_environment, start_command

    options = NodeOptions(address, port, client_port, node_ip, temp_dir, measures=not no_measuring)
    try:
        gpus = gpus_of_here() if options.measures else ("", 0)
    except DyadError as error:
        end(str(error))
    labels = labels_of_here()
    devices = ({} if no_measuring else {"cpu": 1}) | ({gpus[0]: gpus[1]} if gpus[1] else {})
    said = {"devices": devices, "labels": labels, "joins": address, "services": client_port if head else None}
    typer.echo(json.dumps(said) if as_json else _sentence(said))
    command, environment = start_command(options, gpus, labels, block=block), node_environment()
    if block:
        raise typer.Exit(keep_joined(command, environment, again=not head))
    raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)


def _sentence(said: dict[str, object]) -> str:
    devices = said["devices"]
    offered = ", ".join(f"{count} × {kind}" for kind, count in devices.items()) if isinstance(devices, dict) else ""
    where = f"joins {said['joins']}" if said["joins"] else f"is the head; services connect to port {said['services']}"
    return f"This machine offers {offered or 'no device'} and {where}."
