"""`python -m clipper_admin.local DIRECTORY`: the supervisor of a cluster."""

import sys

from .supervisor import main

if __name__ == "__main__":
    sys.exit(main())
