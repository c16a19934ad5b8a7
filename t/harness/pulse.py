"""How long the machine itself stands still.

A test with a short SLO on a busy machine meets moments in which nobody gets
the CPU, or the containers and clients of the test do not, whatever the server
does. A process and a thread that only sleep find them: they tell a default
that the server has caused from one that no server could have avoided.
"""

import subprocess
import sys
import threading
import time

#: Seconds between two looks at the clock, and what counts as standing still.
BEAT = 0.005
LATE = 0.065

#: Sleeps until its input ends, and writes when it was late.
PROCESS = f"""
import select, sys, time
last = time.monotonic()
while not select.select([sys.stdin], [], [], {BEAT})[0]:
    now = time.monotonic()
    if now - last > {LATE}:
        print(last, now, flush=True)
    last = now
"""


class Pulse:
    """Watches from its creation to the end of its ``with``. Then ``gaps`` are
    the moments in which the machine stood still: (start, end) in seconds of
    ``time.monotonic``."""

    def __init__(self):
        self.gaps = []
        self.process = subprocess.Popen([sys.executable, "-c", PROCESS],
                                        stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)
        self.thread.start()

    def _beat(self):
        last = time.monotonic()
        while not self.ended.wait(BEAT):
            now = time.monotonic()
            if now - last > LATE:
                self.gaps.append((last, now))
            last = now

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.ended.set()
        self.thread.join()
        text, _ = self.process.communicate()
        self.gaps += [tuple(map(float, line.split()))
                      for line in text.splitlines()]

    def stood_still(self, start, end):
        """The longest standstill between two times, in seconds."""
        return max((min(end, b) - max(start, a) for a, b in self.gaps
                    if a < end and b > start), default=0.0)
