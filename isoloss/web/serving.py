"""Starts the explorer on this machine: uvicorn on a loopback address, and says where."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from isoloss.core.errors import RequestError
from isoloss.web.security import LOOPBACK

Say = Callable[[str], None]


def serve(host: str, port: int, *, anywhere: bool = False, say: Say = print) -> None:
    """Serve until interrupted; `port` 0 takes any free one.

    Raises RequestError for a `host` that other machines can reach, unless `anywhere` says that this is meant, and for
    a port that is taken.
    """
    import uvicorn

    from isoloss.web.app import create_app

    names = answered(host, anywhere)
    if names != set(LOOPBACK):
        say(
            f"Warning: {host} can be reached from other machines. The explorer has no passwords and no encryption: "
            "whoever reaches it can use it."
        )
    listening = listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    say(f"isoloss explorer: http://{shown}:{listening.getsockname()[1]}/  (stop with Ctrl+C)")
    config = uvicorn.Config(create_app(hosts=names), log_level="warning", server_header=False, timeout_keep_alive=30)
    uvicorn.Server(config).run(sockets=[listening])


def answered(host: str, anywhere: bool) -> set[str]:
    """The names in `Host` that a server at this address answers to; RequestError where the address is not loopback."""
    if is_loopback(host):
        return set(LOOPBACK)
    if not anywhere:
        raise RequestError(
            f"The address {host} can be reached from other machines, and the explorer has no passwords.",
            "By default it is reached from this machine alone, at 127.0.0.1.",
            "From elsewhere, forward a port: ssh -L 8471:127.0.0.1:8471 THIS_MACHINE. If you mean it: --anywhere.",
        )
    own = (
        {socket.gethostname(), socket.getfqdn()}
        if host in ("0.0.0.0", "::")
        else {f"[{host}]" if ":" in host else host}
    )
    return {*LOOPBACK, *own}


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; RequestError where the port is taken or the address is not of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(256)
    except OSError as error:
        made.close()
        raise RequestError(
            f"Cannot listen at {host}, port {port}: {error.strerror}.", do="Choose another: --port 0 takes any."
        ) from None
    return made
