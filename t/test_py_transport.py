"""How clients reach a server: addresses, TLS, headers, repeated requests."""

import asyncio
import json
import socket
import ssl
import threading

import pytest

from clipper_admin.address import Target, join, reachable, split, target
from clipper_admin.client import Client
from clipper_admin.exceptions import ClipperException
from clipper_admin.tls import TlsError
from harness.certificates import Authority, openssl
from harness.web import ANSWER, Blocking, Server


@pytest.mark.parametrize("text, found", [
    ("a:1337", Target("a", 1337)),
    ("a", Target("a", 80)),
    ("http://a", Target("a", 80)),
    ("http://a:1/", Target("a", 1)),
    ("HTTPS://a.example", Target("a.example", 443, True)),
    ("https://a:8443/clipper/", Target("a", 8443, True, "/clipper")),
    ("[::1]:1337", Target("::1", 1337)),
    ("http://[::1]", Target("::1", 80)),
    ("https://[2001:db8::7]:443", Target("2001:db8::7", 443, True)),
    ("[fe80::1%eth0]:80", Target("fe80::1%eth0", 80)),
])
def test_addresses(text, found):
    assert target(text) == found
    assert split(found.text) == (found.host, found.port)


@pytest.mark.parametrize("text, why", [
    ("ftp://a", "has the scheme ftp"), ("unix:/run/x", "no valid port"),
    ("redis://a:1", "has the scheme redis"), ("://a", "has the scheme"),
    ("::1", "in brackets"), ("::1:1337", "in brackets"),
    ("2001:db8::7:80", "in brackets"), ("", "not an address"),
    ("a:", "no valid port"), ("a:0", "no valid port"),
    ("a:65536", "no valid port"), ("a:1٣", "no valid port"),
    ("a:-1", "no valid port"), ("[]:1", "not an address"),
    ("[a]:1", "not an address"), ("[::1:1", "not an address"),
    ("a b:1", "not an address"), ("a\r\nX:1", "not an address"),
    ("http://a?x", "end with its path"), ("http://a/x y", "quoted"),
    ("http://u:secret@a", "headers="),
])
def test_what_is_no_address(text, why):
    with pytest.raises(ClipperException, match=why) as caught:
        Client(text)
    assert "secret" not in str(caught.value)
    with pytest.raises(ClipperException, match=why):
        Blocking(text)


def test_addresses_to_listen_on():
    assert [join(*one) for one in (("a", 1), ("::", 2), ("[::1]", 3))] \
        == ["a:1", "[::]:2", "[::1]:3"]
    assert [reachable(one) for one in ("0.0.0.0", "*", "::", "[::]", "h")] \
        == ["127.0.0.1", "127.0.0.1", "::1", "::1", "h"]


@pytest.fixture(params=[Client, Blocking])
def connect(request):
    made = []

    def connect(address, **kwargs):
        made.append(request.param(address, timeout=30, **kwargs))
        return made[-1]

    yield connect
    for client in made:
        client.close()
        if hasattr(client, "loop"):
            client.loop.close()


@pytest.fixture
def serve():
    made = []

    def serve(*args, **kwargs):
        made.append(Server(*args, **kwargs))
        return made[-1]

    yield serve
    for one in made:
        one.stop()


def test_ipv6(connect, serve):
    server = serve("::1")
    client = connect("http://" + server.address)
    assert client.predict("a", [1.0]).output == 1.5
    assert client.predict("a", [1.0]).output == 1.5
    assert server.headers[-1]["Host"] == "[::1]:%d" % server.port
    assert len(server.connections) == 1


def test_headers_and_path(connect, serve):
    server = serve()
    client = connect(server.address + "/behind/proxy",
                     headers={"Authorization": "Bearer x\xe9", "Host": "h"})
    client.predict("a", [1.0])
    assert server.sent()[0] == "/behind/proxy/a/predict"
    sent = server.headers[-1]
    assert sent["Authorization"] == "Bearer x\xe9"
    assert sent.get_all("Host") == ["h"]
    assert sent.get_all("Content-Type") == ["application/json"]


@pytest.mark.parametrize("headers", [
    {"A": "secret\r\nB: c"}, {"A\r\n": "secret"}, {"A b": "secret"},
    {"": "secret"}, {"A": b"secret"}, {"A": "secret\0"}, {"A": "secret€"},
    {"Content-Length": "0"}, {"transfer-encoding": "chunked"},
    {"Connection": "close"},
])
def test_headers_that_are_none(connect, headers):
    """Catches a value that ends its own line."""
    with pytest.raises(ClipperException) as caught:
        connect("a:1", headers=headers)
    assert "secret" not in str(caught.value)


# TLS.


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


def context_of(authority, names="IP:127.0.0.1,IP:::1,DNS:localhost"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("server", names))
    return context


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_tls(connect, serve, authority, host):
    server = serve(host, context=context_of(authority))
    client = connect("https://" + server.address, ca=authority.certificate)
    assert client.predict("a", [1.0]).output == 1.5
    assert client.predict("a", [1.0]).output == 1.5
    assert server.sent() == ("/a/predict", {"input": [1.0]})
    assert len(server.connections) == 1


def test_a_certificate_that_is_not_trusted(connect, serve, authority,
                                           tmp_path):
    """Catches a client that sends its input to anyone."""
    server = serve(context=context_of(authority))
    address = "https://" + server.address
    other = Authority(tmp_path, "other")
    for options in ({}, {"ca": other.certificate}):
        with pytest.raises(TlsError, match="not accepted.*with ca="):
            connect(address, **options).predict("secret", [1.0])
    assert server.requests == []
    trusting = ssl.create_default_context(cafile=authority.certificate)
    for options in ({"verify": False}, {"ssl_context": trusting}):
        assert connect(address, **options).predict("a", [1.0]).output == 1.5


def test_a_certificate_for_another_name(connect, serve, authority):
    server = serve(context=context_of(authority, "DNS:other.example"))
    with pytest.raises(TlsError, match="connect by a name in the certificate"):
        connect("https://" + server.address,
                ca=authority.certificate).predict("a", [1.0])
    assert server.requests == []


def test_a_client_certificate(connect, serve, authority, tmp_path):
    context = context_of(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.certificate)
    server = serve(context=context)
    own, key = authority.sign("client")
    both = tmp_path / "both.pem"
    with open(own) as f, open(key) as g:
        both.write_text(f.read() + g.read())
    address = "https://" + server.address
    for files in ({"certificate": own, "key": key},
                  {"certificate": str(both)}):
        client = connect(address, ca=authority.certificate, **files)
        assert client.predict("a", [1.0]).output == 1.5
    with pytest.raises(OSError):
        connect(address, ca=authority.certificate).predict("a", [1.0])
    assert len(server.requests) == 2


def test_https_is_never_plain(connect, serve):
    """Catches inputs in clear to an address that says https."""
    server = serve()
    with pytest.raises(TlsError, match="does this port speak TLS"):
        connect("https://" + server.address).predict("a", [1.0])
    assert server.requests == []


def test_plain_http_to_tls(connect, serve):
    server = serve()
    server.status = 400
    server.answer = b"<center>The plain HTTP request was sent to HTTPS port"
    with pytest.raises(ClipperException, match="use https://"):
        connect(server.address).predict("a", [1.0])
    server.answer = b"<center>No required SSL certificate was sent</center>"
    with pytest.raises(ClipperException, match="certificate= and key="):
        connect(server.address).predict("a", [1.0])


@pytest.mark.parametrize("address, options, why", [
    ("a:1", {"ca": "x"}, "begins with https"),
    ("http://a:1", {"verify": False}, "begins with https"),
    ("http://a:1", {"ssl_context": ssl.create_default_context()},
     "begins with https"),
    ("https://a", {"key": "x"}, "key needs certificate"),
    ("https://a", {"ca": "/no/such/file"}, "ca='/no/such/file' cannot"),
    ("https://a", {"ca": __file__}, "PEM form"),
    ("https://a", {"certificate": __file__}, "PEM form"),
    ("https://a", {"ssl_context": ssl.create_default_context(), "ca": "x"},
     "replaces ca"),
])
def test_settings_that_do_not_fit(connect, address, options, why):
    with pytest.raises(ClipperException, match=why):
        connect(address, **options)


def test_a_key_with_a_password(connect, authority, tmp_path):
    """Catches a client that waits for a password at the terminal."""
    certificate, key = authority.sign("locked")
    openssl("ec", "-in", key, "-out", tmp_path / "k", "-aes128", "-passout",
            "pass:x")
    with pytest.raises(ClipperException, match="has a password"):
        connect("https://a", certificate=certificate,
                key=str(tmp_path / "k"))


# Repeated requests.


REPLY = json.dumps(ANSWER).encode()
REPLY = (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(REPLY)) + REPLY
FEEDBACK = (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
            b"Feedback received? 1")


class Script:
    """A server that does what it is told with each request.

    Args:
        steps: for each connection, what it does with its requests: bytes
            are sent; None closes it after the request, "now" before it.
    """

    def __init__(self, *steps):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.requests = []
        self.closed = [threading.Event() for _ in steps]
        self._steps = steps
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        for steps, closed in zip(self._steps, self.closed):
            peer, _ = self.listener.accept()
            with peer, peer.makefile("rb") as stream:
                for step in steps:
                    if step == "now":
                        break
                    self.requests.append(self._request(stream))
                    if step is None:
                        break
                    peer.sendall(step)
            closed.set()
        self.listener.close()

    def _request(self, stream):
        length = 0
        while True:
            line = stream.readline()
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            if line == b"\r\n":
                return stream.read(length)


def pause(client):
    """Let the loop of an asynchronous client see what came."""
    if hasattr(client, "loop"):
        client.loop.run_until_complete(asyncio.sleep(0))


def test_a_query_is_sent_again(connect):
    server = Script([REPLY, None], [REPLY])
    client = connect(server.address)
    for _ in range(2):
        assert client.predict("a", [1.0]).output == 1.5
    assert len(server.requests) == 3


def test_a_query_is_sent_again_only_once(connect):
    """Catches a query that ends one server process after the other."""
    server = Script([REPLY, None], [None], [REPLY])
    client = connect(server.address)
    client.predict("a", [1.0])
    with pytest.raises(ConnectionResetError):
        client.predict("a", [2.0])
    assert len(server.requests) == 3


def test_a_new_connection_that_ends_is_an_error(connect):
    server = Script([None], [REPLY])
    with pytest.raises(ConnectionResetError, match="without an answer"):
        connect(server.address).predict("a", [1.0])
    assert len(server.requests) == 1


@pytest.mark.parametrize("how, sent", [
    ({"input": [1.0]}, 2), ({"query_id": 7}, 3)])
def test_feedback_is_never_learned_twice(connect, how, sent):
    """Catches feedback by input that is sent again."""
    server = Script([REPLY, None], [FEEDBACK])
    client = connect(server.address)
    client.predict("a", [1.0])
    if "input" in how:
        with pytest.raises(ConnectionResetError):
            client.feedback("a", 1, **how)
    else:
        assert client.feedback("a", 1, **how)
    assert len(server.requests) == sent


@pytest.mark.parametrize("how", [{"input": [1.0]}, {"query_id": 7}])
def test_an_idle_connection_that_was_closed_is_not_used(connect, how):
    """Catches feedback that fails, or is lost, after a server's reload."""
    server = Script([REPLY, "now"], [FEEDBACK])
    client = connect(server.address)
    client.predict("a", [1.0])
    assert server.closed[0].wait(10)
    pause(client)
    assert client.feedback("a", 1, **how)
    assert len(server.requests) == 2


@pytest.mark.parametrize("part", [
    b"H", b"SSH-2.0 hello\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", REPLY[:-1]])
def test_an_answer_that_has_begun_is_not_asked_for_again(connect, part):
    server = Script([REPLY, part, "now"], [REPLY])
    client = connect(server.address)
    client.predict("a", [1.0])
    with pytest.raises(ConnectionResetError, match="before the answer was"):
        client.predict("a", [2.0])
    assert len(server.requests) == 2


def test_an_answer_of_another_server(connect, serve):
    server = serve()
    server.answer = b"<html>"
    with pytest.raises(ClipperException,
                       match="does not come from Clipper.*<html>"):
        connect(server.address).predict("a", [1.0])


def test_an_answer_before_the_body_is_read(connect):
    """Catches a broken pipe in the place of a 413."""
    listener = socket.create_server(("127.0.0.1", 0))
    answer = b"too large"

    def run():
        peer, _ = listener.accept()
        with peer:
            peer.recv(100)
            peer.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: %d\r\n"
                         b"Connection: close\r\n\r\n%s"
                         % (len(answer), answer))
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(1 << 16):
                pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    client = connect("127.0.0.1:%d" % listener.getsockname()[1])
    with pytest.raises(ClipperException, match="413 and message: too large"):
        client.predict("a", "x" * (1 << 24))
    client.close()
    listener.close()
