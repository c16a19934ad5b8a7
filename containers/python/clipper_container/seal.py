"""`python -m clipper_container.seal DIRECTORY`: print a directory's digest.

A container whose environment has it as CLIPPER_MODEL_DIGEST loads these files
only.
"""

import os
import sys

from .loader import seal_of


def main() -> int:
    """Print the digest of the directory in the arguments."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print((__doc__ or "").rstrip())
        return 0
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        print((__doc__ or "").rstrip(), file=sys.stderr)
        return 2
    print(seal_of(sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
