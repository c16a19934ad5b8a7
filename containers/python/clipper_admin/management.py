"""The management API of the original Clipper: `POST /admin/...`.

    python -m clipper_admin management DIRECTORY

A small service over the same fragments and the same status as
`ClipperConnection`, for programs that speak HTTP. It listens on a Unix socket
in the directory of a local cluster, or of a frontend container that it runs
in; nginx passes `/admin/` of the operator's port to it. Queries do not depend
on it.

`add_model` registers a version and starts no container, also when
`container_name` is an image: containers are started by `ClipperConnection`, or
by anybody else.

Where the operator's port is not on loopback, each call needs the token in the
file `management.token`: `Authorization: Bearer TOKEN`.
"""

import hmac
import json
import logging
import os
import sys
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from .clipper_admin import ClipperConnection
from .exceptions import REFUSED, ClipperException
from .local import service
from .local.directory import MANAGEMENT_SOCKET, MANAGEMENT_TOKEN
from .names import check_input_type

logger = logging.getLogger(__name__)

_INT32 = 1 << 31

#: A body of more bytes is refused.
_LARGEST = 16 << 20

#: Python type of a JSON value -> its name in messages.
_KINDS = {
    dict: "Object", list: "Array", str: "String", int: "Number",
    float: "Number",
}


class _Mistake(Exception):
    """The body of a call is not what the call expects."""


class Call(NamedTuple):
    """One call.

    Attributes:
        members: names and types of its members, in the order of checks:
            ``"string"``, ``"int"``, ``"bool"`` or ``"[string]"``.
        run: gets the connection and the members, returns the answer's text.
    """

    members: Dict[str, str]
    run: Callable[..., str]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _add_app(
    conn: ClipperConnection, name: str, input_type: str, default_output: str,
    latency_slo_micros: int,
) -> str:
    conn._change(lambda catalog: catalog.add_application(
        name, input_type, default_output, latency_slo_micros
    ))
    return "Successfully added application with name '%s'" % name


def _delete_app(conn: ClipperConnection, name: str) -> str:
    conn._change(lambda catalog: catalog.delete_application(name))
    return "Successfully deleted application with name '%s'" % name


def _add_model(
    conn: ClipperConnection, model_name: str, model_version: str,
    labels: List[str], input_type: str, container_name: str,
    model_data_path: str, batch_size: int,
) -> str:
    conn._change(lambda catalog: catalog.add_version(
        model_name, model_version, input_type, container_name,
        # Clients of the original send [""] for none.
        [one for one in labels if one], batch_size,
    ))
    return "Successfully added model with name '%s' and input type '%s'" % (
        model_name, check_input_type(input_type)
    )


def _set_model_version(
    conn: ClipperConnection, model_name: str, model_version: str
) -> str:
    conn._change(
        lambda catalog: catalog.set_current(model_name, model_version)
    )
    return "Successfully set model with name '%s' to version '%s'" % (
        model_name, model_version
    )


def _delete_version(
    conn: ClipperConnection, model_name: str, model_version: str
) -> str:
    conn._change(
        lambda catalog: catalog.delete_version(model_name, model_version)
    )
    return "Successfully deleted model with name '%s' and version '%s'" % (
        model_name, model_version
    )


def _add_links(
    conn: ClipperConnection, app_name: str, model_names: List[str]
) -> str:
    conn._change(lambda catalog: catalog.link(app_name, model_names))
    return "Successfully linked model with name '%s' to application '%s'" % (
        ", ".join(model_names), app_name
    )


def _delete_links(
    conn: ClipperConnection, app_name: str, model_names: List[str]
) -> str:
    conn._change(lambda catalog: catalog.unlink(app_name, model_names))
    return "Success!"


def _only(found: Optional[Dict[str, Any]], *members: str) -> Dict[str, Any]:
    """The members that the original has, in its order; empty for None."""
    return {} if found is None else {name: found[name] for name in members}


def _app(found: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    return _only(found, "input_type", "default_output", "latency_slo_micros",
                 "name", "linked_models")


def _model(found: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    return _only(found, "model_name", "model_version", "input_type", "labels",
                 "container_name", "model_data_path", "is_current_version")


def _container(found: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    return _only(found, "model_id", "model_name", "model_version",
                 "model_replica_id", "input_type")


def _all(
    method: str, shape: Callable[[Any], Any]
) -> Callable[[ClipperConnection, bool], str]:
    def run(conn: ClipperConnection, verbose: bool) -> str:
        found = getattr(conn, method)(verbose=verbose)
        return _json([shape(one) for one in found] if verbose else found)

    return run


def _state(conn: ClipperConnection, app_name: str, uid: int) -> str:
    found = conn.get_app_info(app_name)
    return "" if found is None else found["default_output"]


_VERSION = {"model_name": "string", "model_version": "string"}
_LINKS = {"app_name": "string", "model_names": "[string]"}
_VERBOSE = {"verbose": "bool"}

CALLS: Dict[str, Call] = {
    "add_app": Call({
        "name": "string", "input_type": "string", "default_output": "string",
        "latency_slo_micros": "int",
    }, _add_app),
    "delete_app": Call({"name": "string"}, _delete_app),
    "add_model": Call({
        **_VERSION, "labels": "[string]", "input_type": "string",
        "container_name": "string", "model_data_path": "string",
        "batch_size": "int",
    }, _add_model),
    "set_model_version": Call(_VERSION, _set_model_version),
    "delete_versioned_model": Call(_VERSION, _delete_version),
    "add_model_links": Call(_LINKS, _add_links),
    "delete_model_links": Call(_LINKS, _delete_links),
    "get_all_applications": Call(_VERBOSE, _all("get_all_apps", _app)),
    "get_application": Call(
        {"name": "string"},
        lambda conn, name: _json(_app(conn.get_app_info(name))),
    ),
    "get_linked_models": Call(
        {"app_name": "string"},
        lambda conn, app_name: _json(conn.get_linked_models(app_name)),
    ),
    "get_all_models": Call(_VERBOSE, _all("get_all_models", _model)),
    "get_model": Call(
        _VERSION,
        lambda conn, model_name, model_version: _json(
            _model(conn.get_model_info(model_name, model_version))
        ),
    ),
    "get_all_containers": Call(
        _VERBOSE, _all("get_all_model_replicas", _container)
    ),
    "get_container": Call(
        {**_VERSION, "replica_id": "int"},
        lambda conn, model_name, model_version, replica_id: _json(
            _container(conn.get_model_replica_info(
                model_name, model_version, replica_id
            ))
        ),
    ),
    "get_state": Call({"app_name": "string", "uid": "int"}, _state),
}


def answer(conn: ClipperConnection, name: str, body: bytes) -> Tuple[int, str]:
    """Status and text of the answer to a call.

    Args:
        name: the last part of its path.
        body: of the request.
    """
    if name not in CALLS:
        return 404, "There is no call at this path"
    call = CALLS[name]
    try:
        members = _read(body, call.members)
    except _Mistake as error:
        return 400, "Error parsing JSON: %s. Expected JSON schema: %s" % (
            error, _schema(call.members)
        )
    try:
        return 200, call.run(conn, **members)
    except ClipperException as error:
        text = error.msg
        if text.startswith(REFUSED):
            text = text[len(REFUSED):]
        return 400, text


def _schema(members: Dict[str, str]) -> str:
    lines = ["   \"%s\" := %s" % one for one in members.items()]
    return "\n  {\n%s\n  }\n" % ",\n".join(lines)


def _read(body: bytes, wanted: Dict[str, str]) -> Dict[str, Any]:
    try:
        if not body.strip():
            raise json.JSONDecodeError("The document is empty.", "", 0)
        given = json.loads(
            body.decode("utf-8"), object_pairs_hook=_first,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise _Mistake(
            "JSON parse error: %s (offset %d)\n" % (error.reason, error.start)
        ) from None
    except json.JSONDecodeError as error:
        raise _Mistake(
            "JSON parse error: %s (offset %d)\n" % (error.msg, error.pos)
        ) from None
    except RecursionError:
        raise _Mistake("JSON parse error: too deep (offset 0)\n") from None
    if not isinstance(given, dict):
        raise _Mistake("Can only get key-value pair from an object")
    return {key: _member(given, key, kind) for key, kind in wanted.items()}


def _first(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """An object; the first of equal members counts."""
    return dict(reversed(pairs))


def _constant(name: str) -> Any:
    raise json.JSONDecodeError("Invalid value.", name, 0)


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "Null" if value is None else str(value)
    return _KINDS[type(value)]


def _member(given: Dict[str, Any], key: str, kind: str) -> Any:
    if key not in given:
        raise _Mistake("JSON object does not have required key: %s" % key)
    value = given[key]
    found = _kind(value)
    if kind == "bool":
        if not isinstance(value, bool):
            raise _Mistake(
                "Type mismatch! JSON key %s expected type bool but found "
                "type %s" % (key, found)
            )
        return value
    expected = {"string": "String", "int": "Number"}.get(kind, "Array")
    if found != expected:
        raise _Mistake(
            "Type mismatch! JSON key %s expected type %sbut found type %s"
            % (key, expected, found)
        )
    if kind == "int" and not (
        isinstance(value, int) and -_INT32 <= value < _INT32
    ):
        raise _Mistake("PredictionData of type Number is not of type int")
    if kind == "[string]":
        for one in value:
            if not isinstance(one, str):
                raise _Mistake(
                    "Array input of type %s is not of type string"
                    % _kind(one)
                )
    return value


class Handler(service.Handler):
    """Answers the calls of one connection.

    Attributes:
        conn: to the cluster.
        token: that each call needs; empty for none.
    """

    conn: ClipperConnection
    token = ""
    timeout = 60.0

    def do_GET(self) -> None:
        """Answer a ping."""
        if self._may():
            if self._path() == "/admin/ping":
                self._answer(200, "PONG")
            else:
                self._wrong()

    def do_POST(self) -> None:
        """Answer a call."""
        if not self._may():
            return
        prefix, _, name = self._path().rpartition("/")
        if prefix != "/admin" or name == "ping":
            self._wrong()
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _LARGEST:
            self._answer(413 if length.isdigit() else 411,
                         "The body needs a Content-Length of at most %d"
                         % _LARGEST)
            return
        try:
            self._answer(*answer(
                self.conn, name, self.rfile.read(int(length))
            ))
        except Exception:
            logger.exception("%s failed", self.path)
            self._answer(500, "An unexpected error occurred!")

    def _wrong(self) -> None:
        name = self._path().rpartition("/")[2]
        known = self._path() == "/admin/" + name and (
            name in CALLS or name == "ping"
        )
        self._answer(405 if known else 404,
                     "Only %s is answered here"
                     % ("GET" if name == "ping" else "POST")
                     if known else "There is no call at this path")

    do_PUT = do_DELETE = do_HEAD = do_PATCH = _wrong

    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _may(self) -> bool:
        """Whether the client may call; else it has its answer."""
        if self.headers.get("Origin") is not None:
            # A page in somebody's browser.
            self._answer(403, "Calls from web pages are refused")
            return False
        given = self.headers.get("Authorization", "")
        if self.token and not hmac.compare_digest(
            given.encode(), b"Bearer " + self.token.encode()
        ):
            self._answer(401, "The call needs the token of the cluster: "
                              "Authorization: Bearer TOKEN")
            return False
        return True

    def _answer(self, status: int, text: str) -> None:
        self.answer(
            status, text.encode("utf-8", "replace"), "application/json"
        )

    def log_message(self, format: str, *args: object) -> None:
        """Write a call to the log."""
        logger.info(format, *args)


def main(arguments: List[str]) -> int:
    """Serve the cluster in a directory until a signal ends the process."""
    from .local.inside import manager_of

    if {"-h", "--help"} & set(arguments):
        print("usage: clipper-management DIRECTORY")
        return 0
    if len(arguments) != 1:
        print("usage: clipper-management DIRECTORY", file=sys.stderr)
        return 2
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s",
        stream=sys.stdout,
    )
    os.chdir(arguments[0])
    conn = ClipperConnection(manager_of(os.getcwd()))
    handler = type("ClusterHandler", (Handler,), {
        "conn": _Lazy(conn), "token": _token(),
    })
    service.serve_unix(MANAGEMENT_SOCKET, handler)
    return 0


class _Lazy:
    """A connection that is made by the first call: the cluster may be about
    to start.
    """

    def __init__(self, conn: ClipperConnection) -> None:
        self._conn = conn

    def __getattr__(self, name: str) -> Any:
        if not self._conn.connected:
            self._conn.connect()
        return getattr(self._conn, name)


def _token() -> str:
    try:
        with open(MANAGEMENT_TOKEN, encoding="ascii") as f:
            return f.read().strip()
    except FileNotFoundError:
        return ""


def command() -> int:
    """`clipper-management DIRECTORY`."""
    return main(sys.argv[1:])


__all__ = ["CALLS", "Call", "Handler", "answer", "command", "main"]
