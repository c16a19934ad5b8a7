"""podman's Docker API with the project's images, for tests."""

import concurrent.futures
import contextlib
import os
import socket
import subprocess
import tempfile

from .util import wait_until


def _certificates():
    """The file of certificates that pip uses on this machine."""
    done = subprocess.run(
        ["python3", "-m", "pip", "config", "get", "global.cert"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return os.environ.get("PIP_CERT") or done.stdout.strip()


#: The image that all others are built on.
DEBIAN = "docker.io/library/debian:bookworm-slim"


class Engine:
    """`.ci/podman service` on a socket of its own, until `stop`."""

    def __init__(self, root, directory):
        self._root = root
        self._socket = os.path.join(directory, "podman.sock")
        self._log = open(os.path.join(directory, "podman.log"), "wb")
        self._pool = concurrent.futures.ThreadPoolExecutor(2)
        self._builds = {}
        self.base = DEBIAN
        self._start()

    def _start(self):
        # Steps of a build use this host's network, as `.ci/podman build`.
        env = dict(os.environ, BUILDAH_ISOLATION="chroot")
        self._service = subprocess.Popen(
            [self._root / ".ci/podman", "service", self._socket], env=env,
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        wait_until(lambda: os.path.exists(self._socket), 30)

    @property
    def address(self):
        """Value of DOCKER_HOST."""
        return "unix://" + self._socket

    def make_base(self):
        """Makes an image that knows the machine's certificates, for pip."""
        certificates = _certificates()
        if certificates:
            self.base = "localhost/clipper-test-base"
            self.build(self.base,
                       "FROM %s\nCOPY ca.crt /etc/clipper-ca.crt\n"
                       "ENV PIP_CERT=/etc/clipper-ca.crt\n" % DEBIAN,
                       {"ca.crt": certificates})

    def make_images(self):
        """`make images`."""
        # The build shares this host's network: its check of the server must
        # not need a port that somebody has.
        with socket.socket() as busy:
            busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                busy.bind(("", 7000))
                busy.listen()
            self._run(
                ["make", "images", "ENGINE=.ci/podman", "BASE=" + self.base])

    def make_container_image(self, image, recipe):
        """Builds the base image of containers on one of a recipe."""
        base = image.partition(":")[0] + "-base"
        self.build(base, recipe, {})
        self._run([".ci/podman", "build", "--build-arg", "BASE=" + base,
                   "-t", image, str(self._root / "containers/python")])

    def build(self, image, recipe, files):
        """Builds an image of a recipe and files (name -> path)."""
        directory = tempfile.mkdtemp(
            prefix="context-", dir=os.path.dirname(self._socket))
        for name, path in files.items():
            subprocess.run(["cp", "-rL", path,
                            os.path.join(directory, name)], check=True)
        with open(os.path.join(directory, "Dockerfile"), "w") as f:
            f.write(recipe)
        self._run([".ci/podman", "build", "-t", image, directory])

    def begin(self, image, build, *arguments):
        """Begins to build an image beside what follows."""
        self._builds[image] = self._pool.submit(build, image, *arguments)

    def wait_for(self, image):
        """Waits for the end of what was begun."""
        self._builds[image].result()

    def _run(self, command):
        done = subprocess.run(
            command, cwd=self._root, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout[-6000:]

    def restart(self):
        """Ends the service, as its host does, and starts it again."""
        self._end()
        self._start()

    def _end(self):
        self._service.terminate()
        self._service.wait(30)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._socket)

    def stop(self):
        """Ends the service and everything that it has started."""
        self._pool.shutdown(cancel_futures=True)
        self._end()
        self._log.close()
        wait_until(lambda: not self._processes(), 60,
                   "processes of podman end")

    def _processes(self):
        """Command lines that name the engine's storage: each container has a
        monitor, and so has each process that was run in one."""
        storage = os.environ.get("CLIPPER_PODMAN") \
            or str(self._root / "build/podman")
        found = []
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if name.isdigit():
                    with open(f"/proc/{name}/cmdline", "rb") as f:
                        text = f.read().decode("utf-8", "replace")
                    if storage + "/storage" in text:
                        found.append(text.replace("\0", " "))
        return found
