"""HTTP over plain sockets: a test decides about every byte."""

import json
import socket

from .util import SLOW


class Response:
    """One response: ``status``, ``reason``, ``headers`` (lower-case names),
    ``body`` (bytes), ``raw_head``."""

    def __init__(self, raw_head, body):
        self.raw_head = raw_head
        self.body = body

        lines = raw_head.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ", 2)
        self.version = parts[0]
        self.status = int(parts[1])
        self.reason = parts[2] if len(parts) > 2 else ""
        self.headers = {}

        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()

    def json(self):
        """The body as JSON; constants that are not JSON are an error."""
        def refuse(text):
            raise ValueError(f"not JSON: {text}")

        return json.loads(self.body.decode("utf-8"), parse_constant=refuse)

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.body[:300]!r}>"


class Connection:
    """One connection to an HTTP server. ``address`` is (host, port) or the
    path of a Unix socket."""

    def __init__(self, address, timeout=15.0):
        family = socket.AF_UNIX if isinstance(address, str) \
            else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(timeout * SLOW)
        self.sock.connect(address)
        if family == socket.AF_INET:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, data):
        self.sock.sendall(data)

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with a TCP reset instead of an orderly end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             b"\x01\0\0\0\0\0\0\0")
        self.sock.close()

    def _fill(self):
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def _take(self, size):
        while len(self.buffer) < size:
            if not self._fill():
                raise ConnectionError(
                    f"closed after {len(self.buffer)} of {size} bytes")
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def _until(self, mark):
        while mark not in self.buffer:
            if not self._fill():
                raise ConnectionError(
                    f"closed, got {self.buffer[:200]!r}")
        data, _, self.buffer = self.buffer.partition(mark)
        return data

    def read(self, head_only=False):
        """Reads one response; ConnectionError when the server closes."""
        head = self._until(b"\r\n\r\n")
        response = Response(head, b"")

        if head_only or response.status in (204, 304):
            return response

        if response.headers.get("transfer-encoding") == "chunked":
            while True:
                size = int(self._until(b"\r\n").split(b";")[0], 16)
                response.body += self._take(size)
                self._take(2)
                if size == 0:
                    return response

        if "content-length" in response.headers:
            response.body = self._take(
                int(response.headers["content-length"]))
            return response

        while self._fill():
            pass
        response.body, self.buffer = self.buffer, b""
        return response

    def closed_by_peer(self):
        """Waits for the end of the stream; False when data came instead."""
        try:
            return not self.buffer and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def request(self, method, path, body=None, headers=(), chunks=None,
                http="1.1"):
        """Sends one request and reads its response."""
        self.send(build_request(method, path, body, headers, chunks, http))
        return self.read(head_only=method == "HEAD")

    def post(self, path, body, **kw):
        return self.request("POST", path, body, **kw)

    def send_post(self, path, body, **kw):
        """Sends a POST whose response is read later."""
        self.send(build_request("POST", path, body, **kw))

    def get(self, path, **kw):
        return self.request("GET", path, **kw)


def encode(body):
    """The bytes of a body: bytes and str as they are, other values as JSON."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode("utf-8")
    return json.dumps(body).encode("utf-8")


def build_request(method, path, body=None, headers=(), chunks=None,
                  http="1.1"):
    """The bytes of a request. ``chunks`` (a list of bytes) is a body in the
    chunked coding, with one chunk for each item."""
    lines = [f"{method} {path} HTTP/{http}", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers]

    if chunks is not None:
        lines.append("Transfer-Encoding: chunked")
        data = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks)
        data += b"0\r\n\r\n"

    elif body is not None:
        data = encode(body)
        if not any(n.lower() == "content-length" for n, _ in headers):
            lines.append(f"Content-Length: {len(data)}")

    else:
        data = b""

    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + data
