"""`python -m clipper_admin COMMAND`, with the commands:

    keys             make and replace keys of CURVE, see `clipper_admin.keys`
    management       serve the management API, see
                     `clipper_admin.management`
    metrics          serve the joined metrics, see
                     `clipper_admin.metrics.joined`
    replay           estimate other selection policies, see
                     `clipper_admin.replay`
    state            what Redis has of users, see `clipper_admin.state`
    stop [CLUSTER]   stop a cluster of `LocalContainerManager`
"""

import sys
from typing import Callable, Dict, List

from . import keys, management, state
from .clipper_admin import ClipperConnection
from .exceptions import ClipperException
from .local import LocalContainerManager
from .metrics import joined
from .replay import command


def _stop(arguments: List[str]) -> int:
    if len(arguments) > 1 or arguments[:1] in (["-h"], ["--help"]):
        print("usage: python -m clipper_admin stop [CLUSTER]")
        return 0 if len(arguments) == 1 else 2
    manager = (
        LocalContainerManager(arguments[0]) if arguments
        else LocalContainerManager()
    )
    clipper_conn = ClipperConnection(manager)
    try:
        clipper_conn.connect()
        clipper_conn.stop_all()
    except ClipperException as error:
        print("clipper_admin: %s" % error, file=sys.stderr)
        return 1
    return 0


_COMMANDS: Dict[str, Callable[[List[str]], int]] = {
    "keys": keys.main,
    "management": management.main,
    "metrics": joined.main,
    "replay": command.main,
    "state": state.main,
    "stop": _stop,
}


def main() -> int:
    """Run a command; returns its exit code."""
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print((__doc__ or "").rstrip())
        return 0
    if len(sys.argv) < 2 or sys.argv[1] not in _COMMANDS:
        print(
            "usage: python -m clipper_admin {%s} ..." % ",".join(_COMMANDS),
            file=sys.stderr,
        )
        return 2
    return _COMMANDS[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
