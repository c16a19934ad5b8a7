"""The death of a worker at a function of the module, by ptrace."""

import ctypes
import os
import platform
import signal
import subprocess

from .util import wait_until

ATTACH, CONT, WALL = 16, 7, 0x40000000
BREAKPOINT = b"\xcc"

#: Whether this machine has the breakpoint instruction used here.
POSSIBLE = platform.machine() == "x86_64"

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                        ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, pid, data=0):
    if libc.ptrace(request, pid, None, data) == -1:
        raise OSError(ctypes.get_errno(), f"ptrace({request})")


def address(pid, module, symbol):
    """The address of an exported function of the module in a process."""
    listed = subprocess.run(["nm", "-D", "--defined-only", str(module)],
                            capture_output=True, text=True, check=True)
    offset, = [int(line.split()[0], 16) for line in listed.stdout.splitlines()
               if line.split()[2] == symbol]
    with open(f"/proc/{pid}/maps") as f:
        base = min(int(line.split("-")[0], 16) for line in f
                   if os.path.basename(module) in line)
    return base + offset


class Trap:
    """Kills a process when it next enters a function. One thread must make
    all calls."""

    def __init__(self, pid, module, symbol):
        self.pid = pid
        ptrace(ATTACH, pid)
        os.waitpid(pid, WALL)
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(address(pid, module, symbol))
            memory.write(BREAKPOINT)
        ptrace(CONT, pid)

    def kill_there(self, timeout=10.0):
        """Waits until the process enters the function, and kills it there."""
        wait_until(self._there, timeout, "the function being called")
        os.kill(self.pid, signal.SIGKILL)
        # The parent gets the exit status only after the tracer.
        os.waitpid(self.pid, WALL)

    def _there(self):
        pid, status = os.waitpid(self.pid, WALL | os.WNOHANG)
        if pid == 0:
            return False
        if not os.WIFSTOPPED(status):
            raise RuntimeError(f"it ended before: {status:#x}")
        if os.WSTOPSIG(status) != signal.SIGTRAP:
            ptrace(CONT, self.pid, os.WSTOPSIG(status))
            return False
        return True
