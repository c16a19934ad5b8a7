"""Load from several threads, each with a connection of its own."""

import threading

from .client import Connection
from .util import SLOW


class Load:
    """Runs ``make(thread, number)`` → (path, body, check) in a loop on each
    of ``threads`` connections until ``stop`` or ``count`` requests each.

    ``check(response)`` returns a text when the response is wrong. A connection
    whose response says that it is closed is opened again. So is, once, an idle
    one that the server closes before any byte of a response, as a client may
    do: these count as ``retried``.
    """

    def __init__(self, server, make, threads=8, count=None, retry=True):
        self.server = server
        self.make = make
        self.count = count
        self.retry = retry
        self.done = 0
        self.retried = 0
        self.failures = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(i,),
                                         daemon=True)
                        for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def _ask(self, connection, path, body):
        try:
            return connection, connection.post(path, body)
        except OSError:
            if not self.retry or connection.buffer:
                raise
            connection.close()
            fresh = Connection(("127.0.0.1", self.server.port))
            with self.lock:
                self.retried += 1
            return fresh, fresh.post(path, body)

    def _run(self, index):
        number = 0
        connection = Connection(("127.0.0.1", self.server.port))

        while not self.stopping.is_set() and number != self.count:
            path, body, check = self.make(index, number)
            number += 1
            try:
                connection, response = self._ask(connection, path, body)
                wrong = check(response)
                if response.headers.get("connection") == "close":
                    connection.close()
                    connection = Connection(("127.0.0.1", self.server.port))
            except (OSError, ValueError) as exc:
                wrong = repr(exc)
                connection.close()
                try:
                    connection = Connection(("127.0.0.1", self.server.port))
                except OSError as again:
                    wrong += f", {again!r}"
            with self.lock:
                self.done += 1
                if wrong:
                    self.failures.append(wrong)

        connection.close()

    def stop(self, timeout=30.0):
        """Ends each loop after its current request."""
        self.stopping.set()
        return self.join(timeout)

    def join(self, timeout=120.0):
        for thread in self.threads:
            thread.join(timeout * SLOW)
            assert not thread.is_alive(), "a request does not end"
        return self


def numbered(thread, number):
    """For ``make`` of Load: asks application "a" with a value of its own,
    which must come back."""
    value = thread * 1e6 + number + 0.5

    def check(response):
        if response.status != 200:
            return repr(response)
        answer = response.json()
        if answer["default"]:
            return f"default: {answer['default_explanation']}"
        return "" if answer["output"] == value else f"{value}: {answer}"

    return "/a/predict", {"input": [value]}, check
