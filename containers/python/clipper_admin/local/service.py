"""HTTP services of a local cluster, on a Unix socket that nginx passes to."""

import contextlib
import os
import socket
import socketserver
from typing import Any


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


def serve_unix(path: str, handler: Any) -> None:
    """Serve until a signal ends the process.

    Args:
        path: of the socket, in the current directory. With CLIPPER_LISTENER
            it is the descriptor that the supervisor has made.
        handler: class of `http.server` that answers requests.
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
