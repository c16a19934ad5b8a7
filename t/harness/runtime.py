"""The real Python container as a process of its own."""

import os
import signal
import subprocess
import sys

import cloudpickle

from .util import SLOW


class PythonContainer:
    """``python -m clipper_container`` with a function of the test."""

    def __init__(self, server, name, func, version="1", input_type="doubles",
                 rpc_version=4, directory=None, env=()):
        self.server = server
        self.name = name
        self.path = directory or str(
            server.dir / f"container-{name}-{len(server.containers)}")
        os.makedirs(self.path, exist_ok=True)

        with open(os.path.join(self.path, "func.pkl"), "wb") as f:
            cloudpickle.dump(func, f)

        self.log_path = self.path + ".log"
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clipper_container"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            start_new_session=True,
            env={**os.environ, "CLIPPER_MODEL_NAME": name,
                 "CLIPPER_MODEL_VERSION": str(version),
                 "CLIPPER_INPUT_TYPE": input_type,
                 "CLIPPER_MODEL_PATH": self.path,
                 "CLIPPER_ENDPOINT": server.rpc,
                 "CLIPPER_RPC_VERSION": str(rpc_version), **dict(env)})
        server.containers.append(self)

    def output(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self, timeout=15.0):
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout * SLOW)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5 * SLOW)
            except subprocess.TimeoutExpired:
                self.kill()
        self.log.close()

    def check(self):
        pass
