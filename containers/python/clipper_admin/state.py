"""What policies have learned, in Redis: look at it, delete, save, restore.

    clipper-state list                     applications and numbers of users
    clipper-state show --uid UID           all that is stored of a user
    clipper-state forget --uid UID         delete it
    clipper-state forget --app APP         delete all of an application
    clipper-state save FILE                learned states to a file
    clipper-state restore FILE [--replace] and back

--app NAME limits each command to one application, --uid to one user. FILE can
be "-". The options --redis, --db, --user, --password-file and --prefix are those
of the directive clipper_redis; --tls connects by TLS, --ca names its CA.

Workers read a state again when it is used, at the latest 5 seconds later. So a
user that was forgotten, or a state that was restored, needs no reload. Queries
that wait for feedback (clipper_records redis=) are deleted with their user, and
not saved.
"""

import argparse
import hashlib
import json
import sys
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, TextIO

from .exceptions import ClipperException
from .siphash import siphash128

#: Version of the file that `save` writes.
_FORMAT = 1

#: A longer uid is stored by its SHA-1, in bytes.
_LONG_UID = 64

#: Key of the digest of a record's user: the same in every server.
_PUBLIC_KEY = b"!reppilcoitceles"

#: Bytes before the digest of the user: of a record, and of a claim of it.
_BEFORE_OWNER = 1
_CLAIM = 33

_BATCH = 500


class Key(NamedTuple):
    """A state's key, without the prefix.

    Attributes:
        kind: ``state``, or ``digest`` for a user with a long uid.
        app: name of the application.
        policy: name of its policy.
        uid: of the user, or its SHA-1; None for the application's own state.
    """

    kind: str
    app: str
    policy: str
    uid: Optional[str]

    @classmethod
    def read(cls, text: str) -> Optional["Key"]:
        """Split a key; None if it is not that of a state."""
        parts = text.split(":", 3)
        if parts[0] not in ("state", "digest") or len(parts) < 3:
            return None
        return cls(
            parts[0], parts[1], parts[2], parts[3] if len(parts) > 3 else None
        )

    def __str__(self) -> str:
        return ":".join(one for one in self if one is not None)

    def is_of(self, app: Optional[str], uid: Optional[str]) -> bool:
        """Whether it is of an application and of a user; None for any."""
        return (app is None or self.app == app) and (
            uid is None or (self.kind, self.uid) == _stored(uid)
        )


class States:
    """The states in a Redis.

    Args:
        client: a `redis.Redis` that returns bytes.
        prefix: begins all keys.
    """

    def __init__(self, client: Any, prefix: str = "clipper:") -> None:
        self._client = client
        self._prefix = prefix.encode("utf-8", "surrogateescape")

    def keys(
        self, app: Optional[str] = None, uid: Optional[str] = None
    ) -> Iterator[Key]:
        """The keys of all states, of an application's, or of a user's.

        Args:
            app: name of an application; None for all.
            uid: of a user, whose states in the applications are found; None
                for all, also the applications' own.
        """
        for kind in ("state", "digest"):
            for one in self._scan(kind, app):
                key = Key.read(one)
                if key is not None and key.is_of(app, uid):
                    yield key

    def fields(self, key: Key) -> Dict[str, str]:
        """The fields of a state; empty if there is none."""
        found = self._client.hgetall(self._full(key))
        return {_text(name): _text(value) for name, value in found.items()}

    def records(
        self, app: Optional[str] = None, uid: Optional[str] = None
    ) -> Iterator[str]:
        """Keys of the queries that wait for feedback, without the prefix."""
        owner = None if uid is None else _owner(uid)
        batch: List[str] = []
        for one in self._scan("record", app):
            batch.append(one)
            if len(batch) == _BATCH:
                yield from self._of_owner(batch, owner)
                batch = []
        yield from self._of_owner(batch, owner)

    def _of_owner(
        self, keys: List[str], owner: Optional[bytes]
    ) -> Iterator[str]:
        if owner is None:
            yield from keys
            return
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.getrange(self._full(key), 0, _CLAIM + len(owner))
        for key, value in zip(keys, pipeline.execute()):
            start = _BEFORE_OWNER + (_CLAIM if value[:1] == b"@" else 0)
            if value[start:start + len(owner)] == owner:
                yield key

    def forget(
        self, app: Optional[str] = None, uid: Optional[str] = None
    ) -> int:
        """Delete the states and queries of a user or an application.

        Returns:
            The number of deleted keys.

        Raises:
            ClipperException: neither is given.
        """
        if app is None and uid is None:
            raise ClipperException(
                "Give --uid or --app: whose state is to be deleted?"
            )
        count = 0
        found: List[Any] = list(self.keys(app, uid))
        found += self.records(app, uid)
        for i in range(0, len(found), _BATCH):
            count += self._client.delete(
                *(self._full(one) for one in found[i:i + _BATCH])
            )
        return count

    def save(
        self, file: TextIO, app: Optional[str] = None,
        uid: Optional[str] = None,
    ) -> int:
        """Write states as lines of JSON.

        Returns:
            The number of states.
        """
        file.write(json.dumps({"clipper_state": _FORMAT}) + "\n")
        count = 0
        for key in self.keys(app, uid):
            pipeline = self._client.pipeline(transaction=True)
            pipeline.hgetall(self._full(key))
            pipeline.pttl(self._full(key))
            found, ttl = pipeline.execute()
            if not found:
                continue
            file.write(json.dumps({
                "key": str(key),
                "ttl_ms": ttl if ttl >= 0 else None,
                "fields": {
                    _text(name): _text(value) for name, value in found.items()
                },
            }) + "\n")
            count += 1
        return count

    def restore(
        self, file: TextIO, replace: bool = False, app: Optional[str] = None,
        uid: Optional[str] = None,
    ) -> int:
        """Read what `save` has written. Nothing is written before all is read.

        Args:
            replace: whether states that are there are replaced.

        Returns:
            The number of states.

        Raises:
            ClipperException: the file has another form, or a state is there.
        """
        lines = [
            (self._full(key), line)
            for key, line in _read(file) if key.is_of(app, uid)
        ]
        if not replace:
            for full, _ in lines:
                if self._client.exists(full):
                    raise ClipperException(
                        "%s exists; --replace overwrites it"
                        % _text(full)
                    )
        for full, line in lines:
            pipeline = self._client.pipeline(transaction=True)
            pipeline.delete(full)
            pipeline.hset(full, mapping={
                _bytes(name): _bytes(value)
                for name, value in line["fields"].items()
            })
            if line["ttl_ms"] is not None:
                pipeline.pexpire(full, max(1, line["ttl_ms"]))
            pipeline.execute()
        return len(lines)

    def _scan(self, kind: str, app: Optional[str]) -> Iterator[str]:
        pattern = _escape(self._prefix) + kind.encode() + b":" + (
            b"*" if app is None else _escape(_bytes(app)) + b":*"
        )
        seen = set()
        for full in self._client.scan_iter(pattern, count=_BATCH):
            # Redis may give a key twice.
            if full not in seen:
                seen.add(full)
                yield _text(full[len(self._prefix):])

    def _full(self, key: Any) -> bytes:
        return self._prefix + _bytes(str(key))


def _read(file: TextIO) -> Iterator[Any]:
    number = 0
    for number, text in enumerate(file, 1):
        try:
            line = json.loads(text)
            if number == 1:
                version = line["clipper_state"]
                if version != _FORMAT:
                    raise ClipperException(
                        "The file has version %s, this program reads %d"
                        % (version, _FORMAT)
                    )
                continue
            key = Key.read(line["key"])
            ttl = line["ttl_ms"]
            fields = line["fields"]
            good = (
                key is not None
                and (ttl is None or isinstance(ttl, int))
                and fields
                and all(isinstance(one, str) for one in fields.values())
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            good = False
        if not good:
            raise ClipperException(
                "Line %d was not written by clipper-state save"
                % number
            )
        yield key, line
    if number == 0:
        raise ClipperException("The file is empty")


def _stored(uid: str) -> Any:
    data = _bytes(uid)
    if len(data) > _LONG_UID:
        return "digest", hashlib.sha1(data).hexdigest()
    return "state", uid


def _owner(uid: str) -> bytes:
    return siphash128(_PUBLIC_KEY, _bytes(uid))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _escape(data: bytes) -> bytes:
    return b"".join(
        b"\\" + data[i:i + 1] if data[i:i + 1] in b"\\*?[]" else data[i:i + 1]
        for i in range(len(data))
    )


# The command.


def connect(given: argparse.Namespace) -> Any:
    """The client that the options of the command describe.

    Raises:
        ClipperException: the package `redis` is missing, or the password
            cannot be read.
    """
    try:
        import redis
    except ImportError:
        raise ClipperException(
            "The package redis is missing: pip install redis"
        ) from None
    options: Dict[str, Any] = {"db": given.db, "username": given.user}
    if given.password_file:
        try:
            with open(given.password_file, encoding="utf-8") as f:
                options["password"] = f.readline().rstrip("\r\n")
        except OSError as error:
            raise ClipperException(str(error)) from None
    if given.redis.startswith("unix:"):
        options["unix_socket_path"] = given.redis[len("unix:"):]
        return redis.Redis(**options)
    host, _, port = given.redis.rpartition(":")
    if not port.isdigit() or given.redis.endswith("]"):
        host, port = given.redis, "6379"
    return redis.Redis(
        host=host.strip("[]"), port=int(port),
        ssl=given.tls or given.ca is not None, ssl_ca_certs=given.ca,
        **options
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clipper-state",
        description="Learned states of policies in Redis.",
    )
    parser.add_argument("--redis", metavar="ADDRESS", default="127.0.0.1:6379",
                        help="HOST[:PORT] or unix:PATH")
    parser.add_argument("--db", type=int, default=0)
    parser.add_argument("--user")
    parser.add_argument("--password-file", metavar="FILE")
    parser.add_argument("--tls", action="store_true",
                        help="connect with TLS and check the certificate")
    parser.add_argument("--ca", metavar="FILE",
                        help="certificates to trust, instead of the system's")
    parser.add_argument("--prefix", default="clipper:")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("list", "applications, policies, and how many users they have"),
        ("show", "all that is stored of a user or an application, as JSON"),
        ("forget", "delete what is stored of a user or an application"),
        ("save", "write states to a file"),
        ("restore", "read states from a file"),
    ):
        one = commands.add_parser(name, help=text)
        one.add_argument("--app")
        if name != "list":
            one.add_argument("--uid")
        if name in ("save", "restore"):
            one.add_argument("file", metavar="FILE")
        if name == "restore":
            one.add_argument("--replace", action="store_true")
    return parser


def _list(states: States, app: Optional[str]) -> None:
    users: Dict[Any, int] = {}
    for key in states.keys(app):
        users.setdefault((key.app, key.policy), 0)
        users[key.app, key.policy] += key.uid is not None
    for (name, policy), count in sorted(users.items()):
        print("%s %s: %d users" % (name, policy, count))


def _show(states: States, app: Optional[str], uid: Optional[str]) -> None:
    if app is None and uid is None:
        raise ClipperException(
            "Give --uid or --app: whose state is to be shown?"
        )
    json.dump({
        "states": [
            {
                "app": key.app, "policy": key.policy, "uid": key.uid,
                "fields": states.fields(key),
            }
            for key in states.keys(app, uid)
        ],
        "queries": sorted(states.records(app, uid)),
    }, sys.stdout, indent=2)
    print()


def _with_file(states: States, given: argparse.Namespace) -> int:
    saves = given.command == "save"
    if given.file == "-":
        file: TextIO = sys.stdout if saves else sys.stdin
        return _copy(states, file, given)
    with open(given.file, "w" if saves else "r", encoding="utf-8") as file:
        return _copy(states, file, given)


def _copy(states: States, file: TextIO, given: argparse.Namespace) -> int:
    if given.command == "save":
        return states.save(file, given.app, given.uid)
    return states.restore(file, given.replace, given.app, given.uid)


def main(arguments: Optional[List[str]] = None) -> int:
    """`clipper-state`; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        states = States(connect(given), given.prefix)
        try:
            if given.command == "list":
                _list(states, given.app)
            elif given.command == "show":
                _show(states, given.app, given.uid)
            elif given.command == "forget":
                count = states.forget(given.app, given.uid)
                print("%d keys deleted" % count)
            else:
                count = _with_file(states, given)
                print("%d states" % count, file=sys.stderr)
        except ClipperException:
            raise
        except Exception as error:
            # The package has no common class of connection errors and others.
            if not type(error).__module__.startswith("redis."):
                raise
            raise ClipperException(
                "Redis at %s: %s" % (given.redis, error)
            ) from None
    except (ClipperException, OSError) as error:
        print("clipper-state: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
