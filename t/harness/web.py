"""A small HTTP server for clients, and both clients with one interface."""

import asyncio
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from clipper_admin.client import AsyncClient

ANSWER = {"query_id": 7, "output": 1.5, "default": False}


class Server:
    """Answers every POST with `answer`, and keeps the requests.

    Args:
        host: address to listen on.
        context: for TLS; None without.
    """

    def __init__(self, host="127.0.0.1", context=None):
        self.answer = ANSWER
        self.status = 200
        self.close_after = False
        self.requests = []
        self.headers = []
        self.connections = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, body))
                outer.headers.append(self.headers)
                outer.connections.add(self.client_address)
                answer = outer.answer
                if not isinstance(answer, bytes):
                    answer = json.dumps(answer).encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                # Closed silently, like an idle connection.
                self.close_connection = outer.close_after

            def log_message(self, *args):
                pass

        class Listener(ThreadingHTTPServer):
            address_family = (socket.AF_INET6 if ":" in host
                              else socket.AF_INET)
            daemon_threads = True

            def handle_error(self, request, client_address):
                # Clients that do not trust it end the handshake.
                pass

        self.http = Listener((host, 0), Handler)
        if context is not None:
            self.http.socket = context.wrap_socket(
                self.http.socket, server_side=True,
                do_handshake_on_connect=False)
        self.port = self.http.server_address[1]
        self.address = ("[%s]:%d" if ":" in host else "%s:%d") % (
            host, self.port)
        threading.Thread(target=self.http.serve_forever,
                         args=(0.01,), daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def sent(self):
        path, body = self.requests[-1]
        return path, json.loads(body)


class Blocking:
    """`AsyncClient` with the interface of `Client`: each test runs on both."""

    def __init__(self, *args, **kwargs):
        self.loop = asyncio.new_event_loop()
        self.client = AsyncClient(*args, **kwargs)

    def __getattr__(self, name):
        method = getattr(self.client, name)
        return lambda *a, **kw: self.loop.run_until_complete(
            method(*a, **kw))
