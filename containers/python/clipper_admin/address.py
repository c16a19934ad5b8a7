"""Addresses: ``host:port``, IPv6 in brackets, and URLs of servers."""

import ipaddress
import socket
from typing import NamedTuple, Tuple

from .exceptions import ClipperException

#: Port of a scheme.
_PORTS = {"http": 80, "https": 443}

#: Addresses that a server listens on and no program can connect to, and the
#: loopback address in their place.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}


class Target(NamedTuple):
    """A server that a client sends to.

    Attributes:
        host: name or address, an IPv6 address without brackets.
        port: number of the port.
        tls: whether the connection is encrypted.
        path: path of the server behind a proxy, without a slash at its end.
    """

    host: str
    port: int
    tls: bool = False
    path: str = ""

    @property
    def text(self) -> str:
        """``host:port``."""
        return join(self.host, self.port)


def is_ipv6(host: str) -> bool:
    """Whether a host is an IPv6 address, without brackets."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).version == 6
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether only this host reaches an address that somebody listens on."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def bare(host: str) -> str:
    """A host without the brackets of an IPv6 address."""
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1]
    return host


def join(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    host = bare(host)
    return "%s:%d" % ("[%s]" % host if ":" in host else host, port)


def reachable(host: str) -> str:
    """The address that programs of this host use for one to listen on."""
    host = bare(host)
    return _LOOPBACK.get(host, host)


def split(address: str, port: int = 80) -> Tuple[str, int]:
    """Host and port of ``host:port`` or ``[address]:port``.

    Args:
        address: the text.
        port: the port when the text has none.

    Raises:
        ClipperException: the text is not an address.
    """
    host, colon, number = address.rpartition(":")
    if is_ipv6(address):
        raise ClipperException(
            "The address %s is ambiguous: put an IPv6 address in brackets, "
            "as in [::1]:1337" % address
        )
    if not colon or address.endswith("]"):
        host, number = address, str(port)
    if not (number.isascii() and number.isdigit()) or not (
        0 < int(number) < 65536
    ):
        raise ClipperException(
            "The address %s has no valid port: a port is a number from 1 to "
            "65535" % address
        )
    inner = bare(host)
    if not inner or any(one in "[]@ \t\r\n\\" for one in inner) or (
        (":" in inner) != (inner != host) or (":" in inner
                                              and not is_ipv6(inner))
    ):
        raise ClipperException(
            "%r is not an address. It is host:port, or [address]:port for "
            "IPv6" % address
        )
    return inner, int(number)


def target(address: str) -> Target:
    """The server of an address or URL.

    Args:
        address: ``host:port``, or a URL with ``http://`` or ``https://``.

    Raises:
        ClipperException: it is neither.
    """
    scheme, mark, rest = address.strip().partition("://")
    if not mark:
        scheme, rest = "http", address.strip()
    scheme = scheme.lower()
    if scheme not in _PORTS:
        raise ClipperException(
            "The address %s has the scheme %s. Clients speak http and https"
            % (address, scheme)
        )
    place, slash, path = rest.partition("/")
    if "?" in rest or "#" in rest:
        raise ClipperException(
            "The address %s must end with its path" % address
        )
    if "@" in place:
        # The message must not have the password.
        raise ClipperException(
            "An address cannot contain a user and password. Give them "
            "to the client as "
            "headers={'Authorization': ...}"
        )
    path = (slash + path).rstrip("/")
    if not path.isascii() or any(ord(one) <= 32 for one in path):
        raise ClipperException(
            "The path of the address %r must be quoted" % address
        )
    host, port = split(place, _PORTS[scheme])
    return Target(host, port, scheme == "https", path)


def family(host: str) -> socket.AddressFamily:
    """Family of the first address of a host to listen on.

    Raises:
        ClipperException: the host has no address.
    """
    if host == "*":
        return socket.AF_INET
    try:
        found = socket.getaddrinfo(
            bare(host), None, type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except OSError as error:
        raise ClipperException(
            "The address %s cannot be used: %s" % (host, error)
        ) from error
    return found[0][0]
