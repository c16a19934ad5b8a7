"""A Redis that answers what it should not: no worker dies of it, none of its
words reach further than the log, and attempts become rare."""

import contextlib
import re
import socket
import threading
import time

import pytest

from harness import Sim4, wait_until
from harness.util import anonymous_kb

PONG = b"+PONG\r\n"
ERROR = b"-ERR no\r\n"


class Hostile:
    """Answers each command of a connection by ``say(count, data)``: bytes, or
    None to close. ``count`` is how many commands came before on it.

    connections   when each one came, in seconds
    """

    def __init__(self, say, first=b""):
        self.say = say
        self.first = first
        self.connections = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                made = self.listener.accept()[0]
                self.connections.append(time.monotonic())
                threading.Thread(target=self._serve, args=(made,),
                                 daemon=True).start()

    def _serve(self, made):
        with made, contextlib.suppress(OSError):
            made.sendall(self.first)
            count = 0
            while data := made.recv(65536):
                said = self.say(count, data)
                count += 1
                if said is None:
                    return
                made.sendall(said)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def hostile(nginx):
    """Starts a Redis that says this, and a server that learns with it."""
    made = []

    def start(say, timeout="200ms", **kw):
        store = Hostile(say, **kw)
        made.append(store)
        server = nginx(
            "location /a { clipper_app a; clipper_link m:1 n:1; "
            "clipper_slo 5s; clipper_select epsilon_greedy epsilon=1; "
            "clipper_default \"-1\"; }\n",
            http="clipper_cache_zone off; "
                 f"clipper_redis {store.address} timeout={timeout};",
            workers=1)
        for name in "mn":
            Sim4(server, name).wait_registered()
            server.wait_replicas(name)
        return server, store

    yield start

    for store in made:
        store.close()


def learn(server, number):
    """A query of a user that the zone does not know, and its feedback."""
    user = {"uid": f"u{number}"}
    answer = server.post("/a/predict", {"input": [1.5], **user}).json()
    assert answer["output"] == 1.5, answer
    response = server.post("/a/update", {"query_id": answer["query_id"],
                                         "label": 1.5, **user})
    assert response.body == b"Feedback received? 1", response


def after(reply, *, at=1):
    """PONG to the greeting, and this to the command ``at`` and later ones."""
    return lambda count, data: PONG if count < at else reply


UNASKED = {
    "status": PONG * 2,
    "integer": PONG + b":1\r\n",
    "nil": PONG + b"$-1\r\n",
    "no array": PONG + b"*-1\r\n",
    "empty array": PONG + b"*0\r\n",
    "bulk": PONG + b"$3\r\nabc\r\n",
    "message": PONG + b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n",
    "push": PONG + b">2\r\n$10\r\ninvalidate\r\n*0\r\n",
    "monitor": PONG + b'+1700000000.1 [0 1.2.3.4:5] "GET" "x"\r\n',
    "error": PONG + b"-LOADING x\r\n",
    "many": PONG + b":1\r\n" * 5000,
    "half": PONG + b"$100\r\nabc",
    "zeros": PONG + b"\0" * 100,
}


@pytest.mark.parametrize("said", UNASKED.values(), ids=UNASKED)
def test_replies_that_were_not_asked_for(hostile, said):
    """Catches a worker that aborts in an assertion of hiredis."""
    server, store = hostile(lambda count, data: said)
    pid = server.worker_pids()
    for i in range(5):
        learn(server, i)
    wait_until(lambda: len(store.connections) >= 2)
    for i in range(5):
        learn(server, i)
    assert server.worker_pids() == pid


@pytest.mark.parametrize("first", [
    PONG, b":7\r\n", b"-ERR max number of clients reached\r\n", b"\xff\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*2\r\n", b"@x\r\n"], ids=repr)
def test_words_before_the_greeting(hostile, first):
    """Catches a worker that dies of what comes before its first command."""
    server, store = hostile(lambda count, data: PONG, first=first)
    pid = server.worker_pids()
    for i in range(5):
        learn(server, i)
    assert server.worker_pids() == pid


WRONG = {
    "closed": None,
    "status": b"+OK\r\n",
    "integer": b":9223372036854775807\r\n",
    "nil": b"$-1\r\n",
    "array of nothing": b"*-1\r\n",
    "empty array": b"*0\r\n",
    "array of nil": b"*2\r\n$-1\r\n$-1\r\n",
    "array of arrays": b"*2\r\n*1\r\n:1\r\n*0\r\n",
    "deep": b"*1\r\n" * 6 + b":1\r\n",
    "too deep": b"*1\r\n" * 60 + b":1\r\n",
    "huge array": b"*2147483647\r\n",
    "larger array": b"*4294967297\r\n:1\r\n",
    "largest array": b"*9223372036854775807\r\n",
    "many nested": b"*60000\r\n" * 7,
    "huge bulk": b"$536870912\r\nabc",
    "largest bulk": b"$9223372036854775807\r\nabc",
    "negative bulk": b"$-7\r\nabc\r\n",
    "empty bulk": b"$0\r\n\r\n",
    "no length": b"$\r\n",
    "letters": b"*x\r\n",
    "error": ERROR,
    "empty error": b"-\r\n",
    "long error": b"-" + b"e" * 5000 + b"\r\n",
    "numbers": b"*40\r\n" + b"$3\r\nnan\r\n" * 20 + b"$4\r\n1e99\r\n" * 20,
    "loading": b"-LOADING Redis is loading the dataset in memory\r\n",
    "no script": b"-NOSCRIPT No matching script.\r\n",
    "read only": b"-READONLY You can't write against a read only replica.\r\n",
    "moved": b"-MOVED 3999 127.0.0.1:6381\r\n",
}


@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG)
def test_wrong_replies(hostile, said):
    """Catches a worker that dies of a reply of another type, size or depth
    than that of its command, or keeps memory for what never comes."""
    server, store = hostile(after(said))
    pid, = server.worker_pids()
    for i in range(10):
        learn(server, i)
    wait_until(lambda: store.connections)
    assert server.worker_pids() == [pid]
    assert anonymous_kb(pid) < 200_000


@pytest.mark.parametrize("at", [0, 1])
def test_errors_of_redis_forge_no_log(hostile, at):
    """Catches an error of Redis, at its greeting or later, that talks to the
    terminal of who reads the log."""
    # the first trouble of a minute is logged: it must not be a slow machine
    server, store = hostile(after(b"-ERR forged \x1b[31m\x9b\r\n", at=at),
                            timeout="5s")
    learn(server, 1)
    line, = wait_until(lambda: [line for line in server.log_text().split("\n")
                                if "forged" in line])
    assert "forged \\x1B[31m\\x9B" in line
    assert not re.search("[\x00-\x1f\x7f-\x9f]", line)


@pytest.mark.parametrize("begin", [b"$536870912\r\n", b"+", b"*2\r\n+"],
                         ids=repr)
def test_endless_reply(hostile, begin):
    """Catches a reply that is kept as long as it comes."""
    sent = []

    def say(count, data):
        if count == 0:
            return PONG
        sent.append(1)
        return begin + b"x" * (64 * 1024 * 1024)

    server, store = hostile(say)
    pid, = server.worker_pids()
    for i in range(3):
        learn(server, i)
    wait_until(lambda: len(sent) >= 2)
    assert anonymous_kb(pid) < 200_000
    assert re.search("a reply is too large|timed out", server.log_text())


@pytest.mark.parametrize("said", [None, PONG * 2, b"\xff"], ids=repr)
def test_connections_that_do_not_last_become_rare(hostile, said):
    """Catches a worker that begins with short pauses again whenever Redis
    has said PONG: it made 390 connections in 10 s, and two lines for each.

    The pauses are at least 25 ms, 50 ms, 100 ms, and so on.
    """
    server, store = hostile(after(said))
    if said is None:
        store.say = lambda count, data: (PONG if count == 0 else None)
    begin = store.connections[0]
    number = 0
    while time.monotonic() - begin < 3.0:
        learn(server, number % 20)
        number += 1
    came = [at - begin for at in store.connections if at - begin < 3.0]
    assert 2 <= len(came) <= 8, came
    assert server.log_text().count("redis \"") <= 2 * len(came) + 1
