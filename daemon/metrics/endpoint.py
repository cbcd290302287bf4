"""The page that Prometheus scrapes; reachable from this machine only."""

from __future__ import annotations

import ipaddress
import threading
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

from domain.errors import ConfigurationRefused, NotAvailable


class Endpoint:
    """A running metrics page. It answers on threads of its own, also while the event loop is busy."""

    def __init__(self, host: str, server: WSGIServer, thread: threading.Thread) -> None:
        self.host = host
        self.port = server.server_port
        self._server = server
        self._thread = thread

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/metrics"

    def stop(self) -> None:
        """Stop answering and free the port; a second call does nothing."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


def serve(registry: CollectorRegistry, host: str = "127.0.0.1", port: int = 0) -> Endpoint:
    """Serve `registry` on a loopback address; port 0 takes a free one, see `Endpoint.port`.

    Raises `ConfigurationRefused` for an address that others could reach, `NotAvailable` when the port is taken.
    """
    address = "127.0.0.1" if host == "localhost" else host
    if not _loopback(address):
        raise ConfigurationRefused(
            f"metrics.host is {host!r}: metrics are served to this machine only, use 127.0.0.1 or ::1"
        )
    try:
        server, thread = start_http_server(port, address, registry)
    except (OSError, OverflowError) as fault:
        raise NotAvailable(f"metrics cannot be served on {address} port {port}: {fault}") from fault
    return Endpoint(address, server, thread)


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
