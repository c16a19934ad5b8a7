"""`python -m clipper_container.check DIRECTORY [FILE]`: check versions.

Compares the versions of Python and of packages in a model directory with
those of this container, without loading the model. Exit code 0: they match;
5: they do not, and standard output and the file say why.
"""

import sys

from .errors import ModelDirectoryError
from .loader import (
    check_packages,
    check_python,
    read_metadata,
)

EXIT_MISFIT = 5


def main() -> int:
    """Check the directory in the arguments; returns the exit code."""
    path = sys.argv[1]
    try:
        metadata = read_metadata(path)
        check_python(metadata)
        check_packages(path, metadata)
    except ModelDirectoryError as error:
        print(error)
        if len(sys.argv) > 2:
            with open(sys.argv[2], "w", encoding="utf-8") as f:
                f.write(str(error))
        return EXIT_MISFIT
    return 0


if __name__ == "__main__":
    sys.exit(main())
