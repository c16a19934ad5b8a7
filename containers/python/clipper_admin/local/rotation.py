"""Keep log files of a local cluster below a size."""

import asyncio
import contextlib
import os
import shutil
from typing import Callable

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


def rotate_all(directory: str, limit: int) -> None:
    """Rotate the logs of a directory, except the access log.

    `clipper_admin.replay` needs all of that one.
    """
    for name in os.listdir(directory):
        if name.endswith(".log") and name != "access.log":
            rotate(os.path.join(directory, name), limit)


async def keep_rotating(
    directory: str, limit: int, log: Callable[..., None]
) -> None:
    """Rotate the logs of a directory until this task is cancelled."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await loop.run_in_executor(None, rotate_all, directory, limit)
            except OSError as error:
                log("logs cannot be rotated: %s", error)
