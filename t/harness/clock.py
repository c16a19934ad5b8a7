"""A wall clock that a test sets, for one process and its children."""

import struct

from .preload import library

CODE = r"""
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long
ahead(void)
{
    int                    fd;
    void                  *p;
    static volatile long  *seconds;

    if (seconds == NULL) {
        fd = open(FILE_NAME, O_RDONLY);
        p = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        seconds = p;
    }

    return *seconds;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int  rc = (int) syscall(SYS_clock_gettime, id, ts);

    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) {
        ts->tv_sec += ahead();
    }

    return rc;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}

time_t
time(time_t *t)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    if (t) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
"""


class Clock:
    """The wall clock of what is started with it, see `library`.

    Args:
        directory: a path, for its files.
        ahead: how much it is ahead of the machine's, in seconds.
    """

    def __init__(self, directory, ahead=0):
        directory.mkdir()
        self._file = directory / "ahead"
        self._file.write_bytes(struct.pack("l", ahead))
        self.preloads = library(directory, CODE,
                                f'-DFILE_NAME="{self._file}"')

    def set(self, ahead):
        """Sets it at once, `ahead` in seconds."""
        with open(self._file, "r+b") as file:
            file.write(struct.pack("l", ahead))
