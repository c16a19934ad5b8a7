"""The catalog of a cluster behind the management API.

For managers that this package does not know: they run a frontend, which
answers `POST /admin/...`.
"""

import http.client
import json
import time
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .address import split
from .catalog import Catalog
from .entries import Application, Model, Version
from .exceptions import ClipperException
from .selection import make_link

#: Seconds for a started cluster to answer.
_START_TIMEOUT = 300.0


class RemoteCatalog(Catalog):
    """A catalog as the management API describes it, and calls that change it.

    A change checks and records its call; `send` sends the recorded ones.

    Args:
        address: ``host:port`` of the management API.
        token: of the cluster; empty for none.
    """

    def __init__(self, address: str, token: str) -> None:
        super().__init__()
        self._address = address
        self._token = token
        self._calls: List[Tuple[str, Dict[str, Any]]] = []
        for one in self._list("get_all_applications"):
            app = self.applications[one["name"]] = Application(
                one["name"], one["input_type"], one["default_output"],
                one["latency_slo_micros"],
            )
            app.links = [
                make_link(name, None, None) for name in one["linked_models"]
            ]
        for one in self._list("get_all_models"):
            name, version = one["model_name"], one["model_version"]
            model = self.models.setdefault(name, Model(name))
            found = model.versions[version] = Version(
                version, one["input_type"]
            )
            found.labels = one["labels"]
            found.image = one["container_name"]
            if one["is_current_version"]:
                model.current = version

    def _list(self, name: str) -> List[Dict[str, Any]]:
        found: List[Dict[str, Any]] = json.loads(
            call(self._address, name, {"verbose": True}, self._token)
        )
        return found

    def send(self) -> None:
        """Make the recorded changes.

        Raises:
            ClipperException: the server refuses one.
        """
        for name, body in self._calls:
            call(self._address, name, body, self._token)

    def _note(self, call: str, is_plain: bool = True, **members: Any) -> None:
        if not is_plain:
            raise ClipperException(
                "The management API takes the arguments of the original "
                "only; the others need a manager of this package"
            )
        self._calls.append((call, members))


def call(
    address: str, name: str, body: Optional[Mapping[str, Any]], token: str
) -> str:
    """The text of the answer to a call; without a body it is a GET.

    Raises:
        ClipperException: the server refuses the call or does not answer.
    """
    host, port = split(address)
    headers = {"Connection": "close"}
    if token:
        headers["Authorization"] = "Bearer " + token
    connection = http.client.HTTPConnection(host, port, timeout=120)
    try:
        connection.request(
            "GET" if body is None else "POST", "/admin/" + name,
            None if body is None else json.dumps(body), headers,
        )
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise ClipperException(
            "The management API at %s does not answer: %r" % (address, error)
        ) from error
    finally:
        connection.close()
    if response.status != 200:
        raise ClipperException(
            "Received error status code: %d and message: %s"
            % (response.status, text)
        )
    return text


def wait_for_ping(address: str, token: str) -> None:
    """Wait until the management API answers.

    Raises:
        ClipperException: it does not within 300 seconds.
    """
    deadline = time.monotonic() + _START_TIMEOUT
    while True:
        try:
            call(address, "ping", None, token)
            return
        except ClipperException:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


__all__ = ["RemoteCatalog", "call", "wait_for_ping"]
