"""The program of Clipper's own quickstart, in two processes."""

import re
import subprocess
import sys

PROGRAM = '''
from clipper_admin import ClipperConnection, DockerContainerManager
clipper_conn = ClipperConnection(DockerContainerManager())
clipper_conn.start_clipper()
clipper_conn.register_application(name="hello-world", input_type="doubles", default_output="-1.0", slo_micros=100000)
clipper_conn.get_all_apps()
def feature_sum(xs):
    return [str(sum(x)) for x in xs]
from clipper_admin.deployers import python as python_deployer
python_deployer.deploy_python_closure(clipper_conn, name="sum-model", version=1, input_type="doubles", func=feature_sum)
clipper_conn.link_model_to_app(app_name="hello-world", model_name="sum-model")
import requests, json, numpy as np
requests.post("http://localhost:1337/hello-world/predict", headers={"Content-type": "application/json"}, data=json.dumps({"input": list(np.random.random(10))})).json()
'''
STOP = '''
from clipper_admin import ClipperConnection, DockerContainerManager
clipper_conn = ClipperConnection(DockerContainerManager()); clipper_conn.connect(); clipper_conn.stop_all()
'''

#: Ports that it needs.
PORTS = (1337, 1338, 7000)

LOG = (
    "Application hello-world was successfully registered",
    "Found 0 replicas for sum-model:1. Adding 1",
    "Model sum-model is now linked to application hello-world",
)


def run(manager, env=None, between=lambda: None):
    """Runs both programs as they are, except for the manager's name.

    Args:
        manager: name of a class of `clipper_admin`.
        between: called when the first program has ended.
    """
    # The last line's value, which an interactive Python would print.
    program = re.sub(r"\n(requests\.post.*)\n\Z", r"\nprint(\1)\n", PROGRAM)
    try:
        done = _python(program, manager, env)
        assert done.returncode == 0, done.stderr
        answer = eval(done.stdout.splitlines()[-1])
        assert answer["default"] is False and 0 < answer["output"] < 10
        assert [line for line in LOG if line not in done.stderr] == []
        between()
    finally:
        stopped = _python(STOP, manager, env)
    assert stopped.returncode == 0, stopped.stderr


def _python(program, manager, env):
    return subprocess.run(
        [sys.executable, "-c",
         program.replace("DockerContainerManager", manager)],
        timeout=120, capture_output=True, text=True, env=env)
