"""`python -m clipper_admin.local DIRECTORY`: the supervisor of a cluster."""

import sys

from .supervisor import main


def command() -> int:
    """Run the supervisor, or say how; returns the exit code."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return 0
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    return main()


if __name__ == "__main__":
    sys.exit(command())
