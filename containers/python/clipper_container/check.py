"""`python -m clipper_container.check DIRECTORY [FILE]`: check versions.

Compares the versions of Python and of packages in a model directory with
those of this container, without loading the model. Exit code 0: they match,
and the file has the digest of the directory (`loader.seal_of`); 5: they do
not, and standard output and the file say why.
"""

import sys

from .errors import ModelDirectoryError
from .loader import (
    check_packages,
    check_python,
    read_metadata,
    seal_of,
)

EXIT_USAGE = 2
EXIT_MISFIT = 5


def main() -> int:
    """Check the directory in the arguments; returns the exit code."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print((__doc__ or "").rstrip())
        return 0
    if len(sys.argv) not in (2, 3):
        print((__doc__ or "").rstrip(), file=sys.stderr)
        return EXIT_USAGE
    path = sys.argv[1]
    try:
        metadata = read_metadata(path)
        check_python(metadata)
        check_packages(path, metadata)
    except ModelDirectoryError as error:
        print(error)
        _report(str(error))
        return EXIT_MISFIT
    _report(seal_of(path))
    return 0


def _report(text: str) -> None:
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", encoding="utf-8") as f:
            f.write(text)


if __name__ == "__main__":
    sys.exit(main())
