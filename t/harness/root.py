"""Debian roots of their own: a fresh machine to try the project on.

A root is a copy, in memory, of one that debootstrap makes once (minbase with
make, git and sudo, in build/fresh). It has its own network, processes and
mounts: its ports are private, and its processes end with it. The way to the
package registries is a proxy in the test, which uses this host's network; apt
and pip in the root know it, and this host's certificates, from files in /etc,
which a user's machine does not need.
"""

import concurrent.futures
import contextlib
import ctypes
import fcntl
import functools
import os
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from .util import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / "build/fresh"
PROXY = 3128
CLONE_NEWNET = 0x40000000
CLONE_NEWNS = 0x00020000
USER = "me"

#: Options of apt that describe the way to the registries.
APT = ("Acquire::Check-Valid-Until", "Acquire::Check-Date",
       "Acquire::Retries", "Acquire::http::Timeout")

SESSION = """\
set -e
ip link set lo up
echo fresh > /proc/sys/kernel/hostname
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
mount --bind "$2" "$1/var/cache/apt/archives"
mount --bind "$3" "$1/var/cache/pip"
echo ready
chroot --userspec="$4" "$1" env -i HOME="$5" USER="$6" LOGNAME="$6" \\
    TERM=dumb LANG=C.UTF-8 PATH="$7" bash
"""


LIBC = ctypes.CDLL(None, use_errno=True)


@functools.lru_cache(None)
def own_mounts():
    """Mounts of this process, also those of roots, end with it."""
    if LIBC.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    run("mount", "--make-rprivate", "/")


class Proxy:
    """An HTTP proxy that listens in the network of a process and connects
    from this one's."""

    def __init__(self, pid):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            self._socket = pool.submit(self._listen, pid).result(10)
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def _listen(pid):
        # The thread ends with its pool: nothing else runs in that network.
        with open(f"/proc/{pid}/ns/net") as namespace:
            if LIBC.setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        return socket.create_server(("127.0.0.1", PROXY), backlog=64)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(client,),
                                 daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError, ValueError), client:
            head = b""
            while b"\r\n\r\n" not in head:
                more = client.recv(65536)
                if not more:
                    return
                head += more
            head, _, rest = head.partition(b"\r\n\r\n")
            line, _, fields = head.partition(b"\r\n")
            method, target, _ = line.decode().split(" ")
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                path = None
            else:
                host, _, path = target.split("//", 1)[1].partition("/")
                host, _, port = host.partition(":")
            with socket.create_connection((host, int(port or 80)),
                                          60) as server:
                if path is None:
                    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    # One request for each connection.
                    kept = [field for field in fields.split(b"\r\n")
                            if b"connection:" not in field.lower()]
                    server.sendall(b"\r\n".join(
                        [f"{method} /{path} HTTP/1.1".encode(), *kept,
                         b"Connection: close", b"", b""]))
                server.sendall(rest)
                relay(client, server)

    def close(self):
        # A thread that is in accept() keeps a socket that is only closed.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def relay(client, server):
    """Carries bytes both ways until the server ends."""
    ends = {client: server, server: client}
    while True:
        for one in select.select(list(ends), [], [], 300)[0] or [server]:
            data = one.recv(262144)
            if data:
                ends[one].sendall(data)
            elif one is server:
                return
            else:
                server.shutdown(socket.SHUT_WR)
                del ends[client]


def run(*command, **kw):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **kw)
    assert done.returncode == 0, (command, done.stdout[-4000:])
    return done.stdout


def base(suite="bookworm"):
    """The root that all others are copies of; made when first needed."""
    made = CACHE / suite
    if not made.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        new = tempfile.mkdtemp(dir=CACHE, prefix=f"{suite}-")
        run("debootstrap", "--variant=minbase", "--include=make,git,sudo",
            suite, new)
        os.chmod(new, 0o755)
        with contextlib.suppress(OSError):  # made by another run meanwhile
            os.rename(new, made)
        shutil.rmtree(new, ignore_errors=True)
    return made


def configure(root):
    """The way to the registries, as on this host, and a user with sudo."""
    options = [line for line in run("apt-config", "dump").splitlines()
               if line.startswith(APT)]
    (root / "etc/apt/apt.conf.d/90way").write_text("\n".join([
        *options, f'Acquire::http::Proxy "http://127.0.0.1:{PROXY}";',
        f'Acquire::https::Proxy "http://127.0.0.1:{PROXY}";',
        'Acquire::http::Pipeline-Depth "0";',
        # The packages are kept for the next root.
        'APT::Keep-Downloaded-Packages "true";', ""]))

    pip = [f"proxy = http://127.0.0.1:{PROXY}", "cache-dir = /var/cache/pip"]
    done = subprocess.run(["python3", "-m", "pip", "config", "get",
                           "global.cert"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    certificates = os.environ.get("PIP_CERT") or done.stdout.strip()
    if certificates:
        shutil.copyfile(certificates, root / "etc/way.crt")
        pip.append("cert = /etc/way.crt")
    if os.environ.get("PIP_DEFAULT_TIMEOUT"):
        pip.append(f"timeout = {os.environ['PIP_DEFAULT_TIMEOUT']}")
    (root / "etc/pip.conf").write_text(
        "\n".join(["[global]", *pip, ""]))

    run("chroot", str(root), "useradd", "--create-home", "--shell",
        "/bin/bash", USER)
    sudoers = root / f"etc/sudoers.d/{USER}"
    sudoers.write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
    sudoers.chmod(0o440)
    (root / "var/cache/pip").mkdir()
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
    (root / "etc/hosts").write_text("127.0.0.1 localhost fresh\n")


def checkout(directory):
    """Copies the files that git knows, or would, with their changes."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"], cwd=ROOT, capture_output=True,
        check=True).stdout
    there = b"\0".join(name for name in names.split(b"\0")
                       if name and (ROOT / os.fsdecode(name)).exists())
    directory.mkdir(parents=True)
    archive = subprocess.run(
        ["tar", "-c", "--no-recursion", "--ignore-failed-read", "--null",
         "--files-from=-"],
        cwd=ROOT, input=there, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(directory)], input=archive,
                   check=True)


class Fresh:
    """A fresh machine with a shell in a checkout.

    as_root   the shell is root's; else that of a user who may use sudo
    """

    def __init__(self, as_root, suite="bookworm"):
        source = base(suite)
        self.as_root = as_root
        self.process = self.proxy = None
        # apt locks the packages that it keeps: another run waits.
        self.lock = open(CACHE / f"{suite}.lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.path = Path(tempfile.mkdtemp(dir=CACHE, prefix="root-"))
        own_mounts()
        run("mount", "-t", "tmpfs", "-o", "mode=755", "fresh",
            str(self.path))
        try:
            self._make(source, suite)
        except BaseException:
            self.close()
            raise

    def _make(self, source, suite):
        as_root = self.as_root
        run("cp", "-a", f"{source}/.", str(self.path))
        configure(self.path)
        self.home = "/root" if as_root else f"/home/{USER}"
        checkout(self.path / self.home[1:] / "clipper")
        owner = "0:0" if as_root else "1000:1000"
        run("chown", "-R", owner, str(self.path / self.home[1:]))
        self._start(owner, suite)

    def _start(self, owner, suite):
        caches = []
        for name in (f"archives-{suite}", f"pip-{owner[:1]}"):
            directory = CACHE / name
            directory.mkdir(exist_ok=True)
            caches.append(str(directory))
        (Path(caches[0]) / "partial").mkdir(exist_ok=True)
        if not self.as_root:
            os.chown(caches[1], 1000, 1000)
        sbin = "/usr/local/sbin:/usr/sbin:/sbin:" if self.as_root else ""
        self.errors = self.path / "tmp/stderr"
        self.process = subprocess.Popen(
            ["unshare", "--net", "--uts", "--mount", "--pid",
             "--fork", "--kill-child", "--propagation", "private", "sh", "-c",
             SESSION, "sh", str(self.path), *caches, owner, self.home,
             "root" if self.as_root else USER,
             f"{sbin}/usr/local/bin:/usr/bin:/bin"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, bufsize=0)
        self._read(b"ready\n", time.monotonic() + 60)
        self.proxy = Proxy(self.process.pid)
        self.shell("cd ~/clipper")

    def _read(self, mark, deadline):
        """What is printed up to a mark and the end of its line."""
        text = b""
        while mark not in text or not text.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select(
                    [self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"no end of {text[-4000:]!r}")
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise AssertionError(f"the shell has ended: {text[-4000:]!r}")
            text += more
        return text

    def shell(self, command, timeout=600):
        """Runs a command in the session's shell: its exit status and what it
        printed on its standard output; `said` has both streams."""
        (self.path / "tmp/command").write_text(command + "\n")
        self.errors.write_text("")
        self.errors.chmod(0o666)
        mark = f"==== {time.monotonic_ns()} "
        self.process.stdin.write(
            b". /tmp/command < /dev/null 2>> /tmp/stderr\n"
            + f"printf '\\n{mark}%s\\n' $?\n".encode())
        text = self._read(mark.encode(), time.monotonic() + timeout).decode(
            "utf-8", "replace")
        out, _, status = text.rpartition("\n" + mark)
        self.said = out + self.errors.read_text(errors="replace")
        return int(status.split()[0]), out

    def do(self, command, timeout=600):
        """Runs a command that must succeed; what it printed."""
        status, out = self.shell(command, timeout)
        assert status == 0, (command, self.said[-6000:])
        return out

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.kill()
            self.process.wait(30)
            self.process.stdout.close()
        if self.proxy:
            self.proxy.close()
        # Its own mounts have gone with its processes, in a moment.
        wait_until(lambda: subprocess.run(
            ["umount", str(self.path)], stderr=subprocess.DEVNULL
        ).returncode == 0, 30, "the end of a root")
        self.path.rmdir()
        self.lock.close()
