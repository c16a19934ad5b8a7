"""The keys of a container that connects with CURVE.

A server whose address has `curve_key` and `curve_clients` admits only
containers whose public key it knows, and encrypts what they exchange.
"""

import glob
import os
from typing import List, NamedTuple, Optional, Tuple

import zmq
import zmq.auth

from .log import log

#: Seconds without a connection until the keys are read anew.
RETRY = 1.0


class _Read(NamedTuple):
    public: bytes
    secret: bytes
    servers: List[bytes]


class Keys:
    """The files with a container's own key and the server's public keys.

    They are read for each connection, so they can be replaced while the
    container runs. If the server has several keys, as while one replaces
    another, they are tried in turn.

    Args:
        own: a certificate with a secret key, as `clipper-keys make` writes.
        server: a certificate with the server's public key, or a directory
            with several, `*.key`.

    Raises:
        ValueError: a file is missing or has no such key; the message names
            it.
    """

    def __init__(self, own: str, server: str) -> None:
        self._own = own
        self._server = server
        self._turn = 0
        self._error = ""
        self._keys = self._read()

    def use(self, socket: "zmq.Socket[bytes]") -> None:
        """Encrypt the connections of a socket that is not connected yet.

        If the files cannot be read any more, the previous keys stay in use.
        """
        try:
            self._keys = self._read()
            self._error = ""
        except ValueError as error:
            if str(error) != self._error:
                log("The previous keys stay in use: %s" % error)
            self._error = str(error)
        socket.curve_publickey = self._keys.public
        socket.curve_secretkey = self._keys.secret
        servers = self._keys.servers
        socket.curve_serverkey = servers[self._turn % len(servers)]

    def failed(self) -> None:
        """No server has taken the keys of the last `use`."""
        self._turn += 1

    def _read(self) -> _Read:
        public, secret = _load(self._own)
        if secret is None:
            raise ValueError("%s has no secret key" % self._own)
        files = [self._server]
        if os.path.isdir(self._server):
            files = sorted(glob.glob(
                os.path.join(glob.escape(self._server), "*.key")
            ))
            if not files:
                raise ValueError("%s has no file *.key" % self._server)
        return _Read(public, secret, [_load(one)[0] for one in files])


def _load(file: str) -> Tuple[bytes, Optional[bytes]]:
    try:
        return zmq.auth.load_certificate(file)
    except (OSError, ValueError) as error:
        raise ValueError("%s cannot be used: %s" % (file, error)) from None
