"""Small web servers on this machine, for answers that no exchange gives."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any]
Handler = Callable[[str, str, Any], Answer]
"""Takes method, path and the decoded body; returns status and what is sent as JSON, or a text as it is."""


@dataclass
class Site:
    """A running server: where it is, and what it was asked as (method, path, body)."""

    at: str
    asked: list[tuple[str, str, Any]] = field(default_factory=list)


@contextmanager
def site(
    handler: Handler, headers: Mapping[str, str] | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Site]:
    """Serve answers on a free port."""

    class One(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply("GET", None)

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            self.reply("POST", json.loads(self.rfile.read(length) or b"null"))

        def do_CONNECT(self) -> None:
            self.reply("CONNECT", None)

        def reply(self, method: str, body: Any) -> None:
            serving.asked.append((method, self.path, body))
            status, told = handler(method, self.path, body)
            sent = (told if isinstance(told, str) else json.dumps(told)).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(sent)), "connection": "close", **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: Any) -> None:
            """Write nothing: standard error belongs to the test."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Write nothing where a client goes away in the middle of a handshake."""

    server = Quiet(("127.0.0.1", 0), One)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    serving = Site(f"127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="site")
    thread.start()
    try:
        yield serving
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
