"""Keep log files of a local cluster below a size."""

import asyncio
import contextlib
import os
import shutil
from typing import Callable, Collection

#: Seconds between two looks at the files.
INTERVAL = 5.0

#: Bytes after which a file becomes ``NAME.1``, which replaces the one before.
LIMIT = 16 << 20

_OLD = ".1"


def rotate(path: str, limit: int) -> bool:
    """Move the contents of a log to ``NAME.1`` when it is too long.

    Programs keep their files open for appending, so the contents are copied
    and the file is emptied. A line that is written between both is lost.

    Args:
        path: the file; it may be missing.
        limit: bytes that it may have; 0 for no limit.

    Returns:
        whether it was too long.
    """
    try:
        if not limit or os.path.getsize(path) <= limit:
            return False
        with open(path, "rb") as log, open(path + _OLD, "wb") as old:
            shutil.copyfileobj(log, old, 1 << 20)
            os.truncate(path, 0)
    except FileNotFoundError:
        return False
    return True


def rotate_all(
    directory: str, limit: int, others: Collection[str] = ()
) -> None:
    """Rotate the logs of a directory, except the access log.

    `clipper_admin.replay` needs all of that one.

    Args:
        directory: where they are.
        limit: bytes that each may have; 0 for no limit.
        others: paths that the processes that write them rotate.
    """
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if (
            name.endswith(".log") and name != "access.log"
            and path not in others
        ):
            rotate(path, limit)


async def keep_rotating(
    directory: str,
    limit: int,
    log: Callable[..., None],
    others: Callable[[], Collection[str]] = tuple,
) -> None:
    """Rotate the logs of a directory until this task is cancelled.

    Args:
        directory, limit: see `rotate_all`.
        log: writes a line about a failure.
        others: returns the paths that are left alone.
    """
    loop = asyncio.get_running_loop()
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await loop.run_in_executor(None, rotate_all, directory, limit, others())
            except OSError as error:
                log("logs cannot be rotated: %s", error)
