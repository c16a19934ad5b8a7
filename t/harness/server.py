"""A real nginx with the module, in a directory of its own."""

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from .client import Connection
from .util import SLOW, children, free_port, session_pids, wait_until

TEMPLATE = """\
load_module {module};
{user}
worker_processes {workers};
daemon {daemon};
pid nginx.pid;
error_log error.log {log_level};
{main}
events {{
    worker_connections {connections};
    {events}
}}

http {{
    access_log {access_log};
    client_body_temp_path tmp-body;
    proxy_temp_path tmp-proxy;
    fastcgi_temp_path tmp-fastcgi;
    uwsgi_temp_path tmp-uwsgi;
    scgi_temp_path tmp-scgi;
    keepalive_requests 1000000;

    clipper_zone {zone};
    {rpc}
    {generation}
    {http}

    server {{
        listen {listen};
        {server}
    }}

    server {{
        listen 127.0.0.1:{operator};
        location = /status {{ clipper_status; }}
        location = /health {{ clipper_health; }}
        {operator_extra}
    }}
}}
"""

#: Patterns that never appear in the log of a healthy nginx.
TROUBLE = re.compile(
    r"\[(alert|emerg|crit)\]|AddressSanitizer|LeakSanitizer|runtime error:"
    r"|clipper lock check|Assertion .* failed")

ZONE_TABLES = ("flights", "waiters", "chunks", "replicas")


class Settings:
    """What the tests run against, from the environment."""

    def __init__(self, root):
        self.root = Path(root)
        self.sanitizer = bool(os.environ.get("CLIPPER_TEST_SANITIZER"))
        self.workers = int(os.environ.get("CLIPPER_TEST_WORKERS", "2"))
        build = Path(os.environ.get("BUILD") or "build")
        self.module = (self.root / build / ("asan" if self.sanitizer else "")
                       / "ngx_http_clipper_module.so")
        self.nginx = os.environ.get("NGINX_BIN") or "/usr/sbin/nginx"

    def environment(self, directory):
        env = dict(os.environ)
        env.pop("NGINX", None)  # sockets to inherit, in nginx's own use

        if self.sanitizer:
            libraries = [
                subprocess.run(["gcc", f"-print-file-name={name}"],
                               capture_output=True, text=True,
                               check=True).stdout.strip()
                for name in ("libasan.so", "libubsan.so")]
            env["LD_PRELOAD"] = " ".join(libraries)
            # nginx frees its pools at exit only in part: no leak check.
            env["ASAN_OPTIONS"] = ("detect_leaks=0:abort_on_error=1:"
                                   "detect_odr_violation=0:"
                                   f"log_path={directory}/sanitizer")
            env["UBSAN_OPTIONS"] = ("print_stacktrace=1:"
                                    f"log_path={directory}/sanitizer")
        return env


def application(name, link=None, input_type="doubles", slo="5s",
                default="-1.0", extra=""):
    """A location that is an application. The SLO is long unless a test is
    about it, so a busy machine causes no default."""
    links = f"clipper_link {link};" if link else ""
    return (f"location /{name} {{ clipper_app {name}; "
            f"clipper_input {input_type}; clipper_slo {slo}; "
            f"clipper_default \"{default}\"; {links} {extra} }}\n")


class Nginx:
    """One nginx. The fixture ``nginx`` makes, stops and checks it.

    port, operator   loopback ports of the applications and of the operator
    rpc              ZeroMQ address for containers
    containers       what connects to it; closed at the end
    """

    def __init__(self, settings, directory, server="", http="", main="",
                 events="", workers=None, zone="16m", rpc=None,
                 operator_extra="", log_level="info", access_log="off",
                 connections=2048):
        self.settings = settings
        self.dir = Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.operator = free_port()
        self.workers = workers or settings.workers
        self.containers = []
        self.allowed = []
        self.process = None
        self.generation = 0
        self.checks_zone = True
        self._start_use = None
        self._operator = None
        self._address = None

        if rpc is None:
            port = free_port()
            rpc = f"clipper_rpc 127.0.0.1:{port};"
            self.rpc = f"tcp://127.0.0.1:{port}"
        else:
            rpc = rpc.replace("DIR", str(self.dir))
            self.rpc = None

        self.parts = dict(
            module=settings.module, workers=self.workers, main=main,
            user="user root;" if os.getuid() == 0 else "",
            events=events, zone=zone, rpc=rpc, http=http, server=server,
            operator=self.operator, operator_extra=operator_extra,
            log_level=log_level, access_log=access_log, daemon="off",
            connections=connections,
            listen=f"127.0.0.1:{self.port}")

    # configuration

    @property
    def conf(self):
        return self.dir / "nginx.conf"

    def render(self, generation=None, **parts):
        self.parts.update(parts)
        if generation is None:
            self.generation += 1
            generation = f"clipper_generation g{self.generation};"
        return TEMPLATE.format(**self.parts, generation=generation)

    def write(self, **parts):
        text = self.render(**parts)
        new = self.dir / "nginx.conf.new"
        new.write_text(text)
        new.replace(self.conf)
        return text

    def command(self, *extra):
        return [self.settings.nginx, "-p", str(self.dir), "-c",
                str(self.conf), "-e", str(self.dir / "error.log"), *extra]

    def test(self, text=None):
        """``nginx -t``: (accepted, what it printed)."""
        if text is not None:
            self.conf.write_text(text)
        done = subprocess.run(
            self.command("-t"), stdin=subprocess.DEVNULL, text=True,
            capture_output=True, timeout=30 * SLOW,
            env=self.settings.environment(self.dir))
        return done.returncode == 0, done.stderr

    # life

    def start(self, wait=True):
        self.write()
        self.stderr = open(self.dir / "stderr.log", "ab")
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=self.stderr,
            stderr=self.stderr, start_new_session=True,
            env=self.settings.environment(self.dir))
        if wait:
            self.wait_generation()
            self._start_use = self.zone_use()
        return self

    @property
    def pid(self):
        return self.process.pid

    def worker_pids(self):
        """The accepting workers, from the status."""
        return [w["pid"] for w in self.status()["workers"]
                if w["state"] == "accepting"]

    def children(self):
        return children(self.pid)

    def signal(self, number):
        os.kill(self.pid, number)

    def wait_generation(self, timeout=15.0):
        """Waits until every accepting worker has the current generation."""
        wanted = f"g{self.generation}"

        def all_echo():
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"nginx ended with {self.process.returncode}:\n"
                    + self.log_text()[-4000:])
            if any("exited on signal" in line for line in self.trouble()):
                raise RuntimeError("a worker died:\n" + self.log_text()[:4000])
            accepting = [w for w in self.status()["workers"]
                         if w["state"] == "accepting"]
            return (len(accepting) == int(self.parts["workers"])
                    and all(w["generation"] == wanted for w in accepting))

        wait_until(all_echo, timeout, f"generation {wanted}")

    def reload(self, wait=True, **parts):
        """Writes the configuration anew and reloads."""
        self.write(**parts)
        self.signal(signal.SIGHUP)
        if wait:
            self.wait_generation()

    def stop(self, timeout=15.0):
        """QUIT; TERM and KILL when that is not enough. Returns the signal
        that ended it, or None when it had ended before."""
        if self.process is None:
            return None

        self._operator = None
        how = None
        steps = ((signal.SIGQUIT, timeout), (signal.SIGTERM, 5.0),
                 (signal.SIGKILL, 5.0))

        for number, seconds in steps:
            if self.process.poll() is not None:
                break
            how = number
            self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds * SLOW)

        return how

    # asking

    def connect(self, **kw):
        return Connection(("127.0.0.1", self.port), **kw)

    def post(self, path, body, **kw):
        """POST over a new connection."""
        with self.connect() as connection:
            return connection.post(path, body, **kw)

    def post_later(self, path, body, timeout=15.0, **kw):
        """POST over a new connection; the response is read from it later."""
        connection = self.connect(timeout=timeout)
        connection.send_post(path, body, **kw)
        return connection

    def predict(self, app, value, **kw):
        """One input; the decoded answer, whose status must be 200."""
        response = self.post(f"/{app}/predict", {"input": value}, **kw)
        assert response.status == 200, response
        return response.json()

    def get(self, path):
        """GET from the operator's server."""
        with Connection(("127.0.0.1", self.operator)) as connection:
            return connection.get(path)

    def status(self):
        """The status document, over a kept connection."""
        if self._operator is None:
            self._operator = Connection(("127.0.0.1", self.operator))
        try:
            response = self._operator.get("/status")
            if response.headers.get("connection") == "close":
                self._operator.close()
                self._operator = None
            return response.json()
        except (OSError, ValueError):
            if self._operator is not None:
                self._operator.close()
                self._operator = None
            raise OSError("no status") from None

    def zone_use(self):
        zone = self.status()["zone"]
        return {table: zone[table]["used"] for table in ZONE_TABLES}

    def replicas(self, model=None, ready=True):
        return [r for r in self.status()["replicas"]
                if (model is None or r["model"] == model)
                and (not ready or r["state"] in ("ready", "busy"))]

    def wait_replicas(self, model, count=1, timeout=10.0):
        return wait_until(
            lambda: len(self.replicas(model)) == count or None, timeout,
            f"{count} replicas of {model}")

    def wait_redis(self, up=True, timeout=20.0):
        """Waits until every worker has Redis, or none: the status tells it of
        the worker that answers, a kept connection always of the same one."""
        seen = {}

        def all_say():
            with Connection(("127.0.0.1", self.operator)) as connection:
                status = connection.get("/status").json()
            seen[status["pid"]] = status["selection_state"]["redis"]["up"]
            return all(seen.get(pid) == up for pid in self.worker_pids())

        wait_until(all_say, timeout, f"workers with Redis {up}, not {seen}")

    # the end

    def log_text(self):
        text = ""
        for name in ("error.log", "stderr.log"):
            path = self.dir / name
            if path.exists():
                text += path.read_text(errors="replace")
        for path in sorted(self.dir.glob("sanitizer*")):
            text += path.read_text(errors="replace")
        return text

    def allow(self, pattern):
        """Accepts log lines with this pattern in this test."""
        self.allowed.append(re.compile(pattern))

    def trouble(self):
        return [line for line in self.log_text().splitlines()
                if TROUBLE.search(line)
                and not any(a.search(line) for a in self.allowed)]

    def finish(self):
        """Stops everything and returns the problems as lines."""
        wrong = []

        for container in self.containers:
            try:
                container.close()
                container.check()
            except AssertionError as exc:
                wrong.append(str(exc))

        if self.process is None:
            return wrong

        if self.process.poll() is None and self._start_use is not None \
                and self.checks_zone:
            wrong += self._check_zone()

        how = self.stop()
        if how not in (None, signal.SIGQUIT):
            wrong.append("nginx did not end on SIGQUIT: "
                         f"needed {signal.Signals(how).name}")

        wrong += self._check_processes()
        wrong += self.trouble()
        self.stderr.close()
        return wrong

    def _check_zone(self):
        """Tables must be as empty as at the start, once all clients leave."""
        try:
            wait_until(lambda: self.zone_use() == self._start_use, 10.0,
                       "zone use back at its start")
        except AssertionError:
            try:
                return [f"zone use {self.zone_use()}, "
                        f"at the start {self._start_use}"]
            except Exception as exc:
                return [f"no zone use at the end: {exc!r}"]
        return []

    def _check_processes(self):
        """Ends and reports each process left in nginx's session."""
        deadline = time.monotonic() + 3.0 * SLOW
        left = session_pids(self.pid)

        while left and time.monotonic() < deadline:
            time.sleep(0.02)
            left = session_pids(self.pid)

        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        return [f"processes left: {left}"] if left else []
