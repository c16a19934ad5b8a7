"""The release before this one, built from the history: the other side of the
tests of versions."""

import os
import subprocess
from pathlib import Path

#: The commit of the release before. It moves when a version is released.
COMMIT = "748bffe87b7c493c2087304215b6da324d9454a8"


class Before:
    """Its files: ``module``, and ``python``, the folder of its package."""

    def __init__(self, root):
        build = root / os.environ.get("BUILD", "build")
        self.root = build / "before" / COMMIT[:12]
        self.module = self.root / "build/ngx_http_clipper_module.so"
        self.python = self.root / "containers/python"

    def make(self, root):
        """Builds it once. Without the history this is an error that says so."""
        if self.module.exists():
            return self
        self.root.mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(
            ["git", "-C", root, "archive", COMMIT], capture_output=True,
            stdin=subprocess.DEVNULL, check=False)
        assert archive.returncode == 0, \
            f"the history must hold {COMMIT}: {archive.stderr.decode()}"
        subprocess.run(["tar", "-x", "-C", self.root], input=archive.stdout,
                       check=True)
        env = {name: value for name, value in os.environ.items()
               if name not in ("BUILD", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        done = subprocess.run(
            ["make", "--no-print-directory", "module"], cwd=self.root, env=env,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return self


def release_before(root):
    return Before(Path(root)).make(Path(root))
