"""Random calls of the API on a cluster, for `test_py_soak.py`.

    python py_soak.py CLUSTER STATE_DIR SEED SECONDS

Two of these run at a time. A call may fail because of what the other program
has just done; every other error is printed and makes the exit code 1.
"""

import random
import sys
import time
import traceback

from clipper_admin import (
    ClipperConnection,
    ClipperException,
    LocalContainerManager,
)
from clipper_admin.deployers import python as python_deployer

#: Parts of the texts of calls that came too late or too early.
EXPECTED = (
    "already exists", "does not exist", "No versions of model",
    "non-registered model", "No model with name", "already linked",
    "nonexistent link", "Cannot set version", "Cannot set non-existent",
    "No application with name", "No app with name",
)


class Caller:
    def __init__(self, conn, seed):
        self.conn = conn
        self.rng = random.Random(seed)
        self.seed = seed
        self.count = 0
        self.calls = {}

    def name(self):
        return "x%d" % self.rng.randrange(2)

    def deploy(self):
        self.count += 1
        python_deployer.deploy_python_closure(
            self.conn, self.name(), "%d-%d" % (self.seed, self.count),
            "doubles", lambda xs: [str(x[0]) for x in xs],
            num_replicas=self.rng.randrange(1, 3))

    def deploy_stable(self):
        """Deploys a new version of the model that the queries ask."""
        self.count += 1
        python_deployer.deploy_python_closure(
            self.conn, "stable", "%d-%d" % (self.seed, self.count),
            "doubles", lambda xs: [str(x[0]) for x in xs])
        self.conn.stop_inactive_model_versions(["stable"])

    def scale(self):
        self.conn.set_num_replicas(self.name(), self.rng.randrange(0, 3))

    def scale_stable(self):
        self.conn.set_num_replicas("stable", self.rng.randrange(1, 4))

    def version(self):
        models = [one.split(":") for one in self.conn.get_all_models()
                  if one.startswith("x")]
        if models:
            self.conn.set_model_version(*self.rng.choice(models))

    def register(self):
        self.conn.register_application(
            "app-" + self.name(), "doubles", "0", 1000000)

    def unregister(self):
        self.conn.unregister_application("app-" + self.name())

    def link(self):
        self.conn.link_model_to_app("app-" + self.name(), self.name())

    def unlink(self):
        app = "app-" + self.name()
        for model in self.conn.get_linked_models(app):
            self.conn.unlink_model_from_app(app, model)

    def stop(self):
        self.conn.stop_models([self.name()])

    def stop_inactive(self):
        self.conn.stop_inactive_model_versions(["x0", "x1"])

    def run(self, seconds):
        actions = [self.deploy, self.deploy_stable, self.scale,
                   self.scale_stable, self.version, self.register,
                   self.unregister, self.link, self.unlink, self.stop,
                   self.stop_inactive]
        deadline = time.monotonic() + seconds
        wrong = 0
        while time.monotonic() < deadline:
            action = self.rng.choice(actions)
            key = action.__name__
            try:
                action()
                self.calls[key] = self.calls.get(key, 0) + 1
            except ClipperException as error:
                if not any(text in error.msg for text in EXPECTED):
                    traceback.print_exc()
                    wrong += 1
            except Exception:
                traceback.print_exc()
                wrong += 1
        print("%d calls:" % sum(self.calls.values()), self.calls)
        return wrong


def main():
    name, path, seed, seconds = sys.argv[1:]
    conn = ClipperConnection(LocalContainerManager(name, state_dir=path))
    conn.connect()
    return 1 if Caller(conn, int(seed)).run(float(seconds)) else 0


if __name__ == "__main__":
    sys.exit(main())
