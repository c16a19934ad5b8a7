"""The container image: built with podman, run without rights, and queried.

`make test-image` runs this; elsewhere it is skipped. The containers have no
network but their own loopback, so no port of this host matters: a thread of
the test enters that network to send queries.
"""

import concurrent.futures
import ctypes
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from harness import Connection, PythonContainer, wait_until
from harness.console import commands, console

pytestmark = [
    pytest.mark.skipif(not os.environ.get("CLIPPER_TEST_IMAGE"),
                       reason="make test-image"),
    pytest.mark.timeout(580),
]

ROOT = Path(__file__).resolve().parent.parent
IMAGE = "localhost/clipper-nginx-test"
CLONE_NEWNET = 0x40000000

LOCKED_DOWN = ["--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp",
               "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]

APPS = """\
location /sum {
    clipper_app      sum;
    clipper_slo      20s;
    clipper_default  "-1";
    clipper_link     sum-model;
}
"""


SICK = """\
pid /tmp/nginx.pid;
error_log stderr notice;
events { }
http {
    access_log off;
    client_body_temp_path /tmp/1;
    proxy_temp_path /tmp/2;
    fastcgi_temp_path /tmp/3;
    uwsgi_temp_path /tmp/4;
    scgi_temp_path /tmp/5;
    server { listen 1338; return 503; }
}
"""


def podman(*args, check=True, verb="run", timeout=120):
    done = subprocess.run([ROOT / ".ci/podman", verb, *args], timeout=timeout,
                          stdin=subprocess.DEVNULL, text=True,
                          capture_output=True)
    assert not check or done.returncode == 0, (args, done)
    return done


def enter(pid):
    """Puts the calling thread into the network of a process."""
    with open(f"/proc/{pid}/ns/net") as namespace:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


class Container:
    """A running image, with a thread in its network."""

    rpc = "tcp://127.0.0.1:7000"

    def __init__(self, directory, apps=APPS, nginx_conf=None):
        self.dir = Path(directory)
        self.containers = []
        (self.dir / "apps").mkdir(parents=True)
        (self.dir / "apps/sum.conf").write_text(apps)
        mounts = [f"{self.dir}:/etc/nginx/clipper.d:ro"]
        if nginx_conf:
            (self.dir / "other").write_text(nginx_conf)
            mounts.append(f"{self.dir}/other:/etc/nginx/nginx.conf:ro")
        # The user of the image is not the owner of the directory.
        for path in (self.dir, *self.dir.parents):
            if path.is_relative_to("/tmp/pytest-of-root"):
                path.chmod(path.stat().st_mode | 0o055)
        self.id = podman(
            "run", "--detach", "--network", "none", *LOCKED_DOWN,
            *(f"--volume={mount}" for mount in mounts), IMAGE).stdout.strip()

    def join(self):
        self.thread = concurrent.futures.ThreadPoolExecutor(
            1, initializer=enter, initargs=(self.inspect("State.Pid"),))

    def inspect(self, member):
        value = json.loads(podman("inspect", self.id).stdout)[0]
        for key in member.split("."):
            value = value[key]
        return value

    def there(self, function, *args):
        return self.thread.submit(function, *args).result(60)

    def request(self, port, method, path, body=None):
        def ask():
            with Connection(("127.0.0.1", port)) as connection:
                return connection.request(method, path, body)
        return self.there(ask)

    def get(self, path):
        return self.request(1338, "GET", path)

    def model(self, delay=0.0, app="sum"):
        def function(xs):
            time.sleep(delay)
            return [float(sum(x)) for x in xs]

        self.there(PythonContainer, self, "sum-model", function)
        wait_until(lambda: self.get(f"/health?app={app}").status == 200, 20,
                   "a replica")

    def logs(self):
        done = podman("logs", self.id)
        return done.stdout, done.stderr

    def close(self):
        for container in self.containers:
            container.close()
        podman("rm", "--force", "--time", "1", self.id)


@pytest.fixture(scope="module")
def image():
    podman("--tag", IMAGE, str(ROOT), verb="build", timeout=560)
    return IMAGE


@pytest.fixture
def run(image, tmp_path):
    made = []

    def start(wait=True, **kw):
        container = Container(tmp_path / f"conf{len(made)}", **kw)
        made.append(container)
        if wait:
            container.join()
            wait_until(lambda: container.get("/health").status == 200, 20,
                       "health")
        return container

    yield start

    for container in made:
        container.close()


#: The page's docker, with a network that has only loopback.
DOCKER = """\
set -e
eval "$({0}/.ci/podman env)"
docker() {{
    case $1 in
    run) shift; set -- run --network none "$@" ;;
    esac
    podman "$@"
}}
"""


def test_block_of_the_docs(image, tmp_path):
    """Catches commands of the docs that do not work as they are printed."""
    page = (ROOT / "docs/installation.md").read_text(encoding="utf-8")
    block, = [one for one in console(page) if "docker run" in one]
    for path in (tmp_path, *tmp_path.parents):
        if path.is_relative_to("/tmp/pytest-of-root"):
            path.chmod(path.stat().st_mode | 0o055)
    script = tmp_path / "block.sh"
    script.write_text(DOCKER.format(ROOT) + "docker tag "
                      f"{image} clipper-nginx\n" + "\n".join(
                          command for command, _ in commands(block)) + "\n")
    server = object.__new__(Container)
    server.id, server.dir, server.containers = "clipper", tmp_path, []
    try:
        done = subprocess.run(["bash", script], cwd=tmp_path, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        server.join()
        wait_until(lambda: server.get("/health").status == 200, 20, "health")
        server.model(app="hello-world")
        # Within 100 ms, unless the machine is busy.
        wait_until(lambda: server.request(
            1337, "POST", "/hello-world/predict", {"input": [1.5, 2]}
        ).json()["output"] == 3.5, 20, "an answer")
    finally:
        server.close()
        podman("untag", image, "clipper-nginx")


def test_answers_without_rights(run):
    """Catches an image that needs root, a capability or a writable disk."""
    server = run()
    server.model()
    answer = server.request(1337, "POST", "/sum/predict", {"input": [1.5, 2]})
    assert answer.status == 200 and answer.json()["output"] == 3.5

    assert server.get("/status").json()["schema"] == 1
    assert b'clipper_replicas{model="sum-model",version="1"} 1\n' \
        in server.get("/metrics").body

    names = podman("exec", server.id, "id").stdout
    assert names.startswith("uid=10001(clipper) gid=10001(clipper)")
    done = podman("exec", server.id, "touch", "/etc/x", check=False)
    assert done.returncode != 0 and "Read-only" in done.stderr


def test_logs(run):
    """Catches a log that goes to a file or to the other stream."""
    server = run()
    server.request(1337, "POST", "/sum/predict", {"input": [1]})
    server.get("/metrics")
    wait_until(lambda: server.logs()[0], 5, "an access log")
    out, err = server.logs()
    assert '"POST /sum/predict HTTP/1.1" 200' in out and "metrics" not in out
    assert "start worker process" in err
    assert "[warn]" not in err and "[emerg]" not in err


def test_stop_lets_requests_end(run):
    """Catches a stop signal that drops what is in flight."""
    server = run()
    server.model(1.5)

    connection = server.there(Connection, ("127.0.0.1", 1337))
    connection.send(b"POST /sum/predict HTTP/1.1\r\nHost: x\r\n"
                    b"Content-Length: 13\r\n\r\n" b'{"input":[7]}')
    wait_until(lambda: server.get("/status").json()["replicas"][0]["busy"],
               5, "a batch")
    podman("stop", "--time", "15", server.id)
    answer = connection.read()
    assert answer.status == 200 and answer.json()["output"] == 7
    assert server.inspect("State.ExitCode") == 0
    connection.close()


def test_reload(run):
    """Catches a reload that does not work with a read-only root."""
    server = run()
    file = server.dir / "apps/sum.conf"
    file.write_text(APPS + APPS.replace("sum", "more"))
    podman("kill", "--signal", "HUP", server.id)
    wait_until(lambda: server.get("/health?app=more").status == 503, 10,
               "the new application")
    assert server.request(1337, "POST", "/more/predict",
                          {"input": [1]}).json()["default"] is True


def test_health_check(run, image):
    """Catches a check that always passes, or never."""
    server = run()
    assert podman("healthcheck", "run", server.id,
                  check=False).returncode == 0
    done = podman("run", "--rm", "--network", "none", "--entrypoint",
                  "/usr/local/bin/clipper-healthcheck", image, check=False)
    assert done.returncode == 1


def test_health_check_of_a_sick_server(run):
    """Catches a check that accepts any answer."""
    server = run(wait=False, nginx_conf=SICK)
    wait_until(lambda: "start worker process" in server.logs()[1], 10)
    done = podman("healthcheck", "run", server.id, check=False)
    assert done.returncode == 1


def test_wrong_configuration_ends_it(run):
    """Catches a mistake that is not reported in the container's log."""
    server = run(wait=False, apps=APPS.replace("20s", "0ms"))
    assert podman("wait", server.id).stdout.strip() == "1"
    assert 'SLO "0ms" must be between 1ms and 1d in ' \
        "/etc/nginx/clipper.d/apps/sum.conf:3" in server.logs()[1]


def test_image_says_how_it_is_run(image):
    """Catches a lost signal, user, check or port, and build tools inside."""
    config = json.loads(podman("inspect", image).stdout)[0]
    assert config["Config"]["StopSignal"] in ("SIGQUIT", "3")
    assert config["Config"]["User"] == "10001:10001"
    assert config["HealthCheck" if "HealthCheck" in config
                  else "Healthcheck"]["Test"][0] == "CMD"
    assert set(config["Config"]["ExposedPorts"]) \
        == {"1337/tcp", "1338/tcp", "7000/tcp"}
    done = podman("run", "--rm", "--network", "none", "--entrypoint", "sh",
                  image, "-c", "command -v gcc make python3", check=False)
    assert done.stdout == ""


def test_docker_api(image, tmp_path):
    """Catches a service socket that clients of Docker cannot use."""
    path = str(tmp_path / "docker.sock")
    service = subprocess.Popen([ROOT / ".ci/podman", "service", path],
                               stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.path.exists(path), 10, "the socket")
        with Connection(path) as connection:
            tags = [tag for entry in connection.get("/images/json").json()
                    for tag in entry["RepoTags"] or []]
        assert any(tag.startswith(image) for tag in tags)
    finally:
        service.terminate()
        service.wait(10)
