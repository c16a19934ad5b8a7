"""HTTP services of a local cluster, on a Unix socket that nginx passes to."""

import contextlib
import http.server
import os
import socket
import socketserver
from typing import Any


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers the requests of one connection from nginx."""

    def answer(self, status: int, body: bytes, content_type: str) -> None:
        """Send a whole answer; the connection ends with it.

        Args:
            status: of HTTP.
            body: left out for HEAD.
            content_type: of the body.
        """
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    def address_string(self) -> str:
        """A Unix socket has no address."""
        return "-"

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged, unless a subclass does."""


def serve_unix(path: str, handler: Any) -> None:
    """Serve until a signal ends the process.

    Args:
        path: of the socket, in the current directory. With CLIPPER_LISTENER
            it is the descriptor that the supervisor has made.
        handler: a `Handler`, as a class.
    """
    with _listen(path, handler) as server:
        server.serve_forever()


def _listen(path: str, handler: Any) -> _Server:
    inherited = os.environ.pop("CLIPPER_LISTENER", "")
    if inherited:
        server = _Server(path, handler, bind_and_activate=False)
        server.socket.close()
        server.socket = socket.socket(fileno=int(inherited))
        return server
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    before = os.umask(0o177)
    try:
        # A socket's path has at most 107 bytes; the directory's may be
        # longer.
        return _Server(path, handler)
    finally:
        os.umask(before)
