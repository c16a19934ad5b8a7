"""`python -m clipper_admin COMMAND`, with the commands:

    replay   estimate other selection policies, see `clipper_admin.replay`
"""

import sys

from .replay import command

_COMMANDS = {"replay": command.main}


def main() -> int:
    """Run a command; returns its exit code."""
    if len(sys.argv) < 2 or sys.argv[1] not in _COMMANDS:
        print(
            "usage: python -m clipper_admin {%s} ..." % ",".join(_COMMANDS),
            file=sys.stderr,
        )
        return 2
    return _COMMANDS[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
