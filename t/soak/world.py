"""One nginx with a small zone, nine applications, the containers of their
models, Redis, and clients that check every answer."""

import asyncio
import collections
import itertools
import os
import random
import sys
import threading
import time
import traceback

from harness import Nginx, Redis, Sim3, Sim4, anonymous_kb
from harness.client import Connection, Response, build_request
from harness.util import wait_until
from harness.workers import allow_kill

from . import judge

WORKERS = 2

#: Requests a second, in all; with sanitizers.
RATE, RATE_CHECKED = 120, 40

USERS = 50

#: Seconds between two looks at the clock, and what counts as late.
BEAT, LATE = 0.01, 0.02

#: Seconds that a container takes for a batch, so that faults meet some.
DELAY = 0.005

#: A model's output is 1000 times the input and 10 times this, and its version.
MODELS = {"a": 1, "b": 2, "c": 3, "d": 4}
VERSIONS = {"a": (1, 2), "b": (1, 2), "c": (1, 2), "d": (1,)}

#: What each policy's application links: "d" is of version 3.
LINKS = {
    "first": "d a", "split": "a d c", "epsilon_greedy": "b d a",
    "ucb": "a b d", "thompson": "c b d", "exp3": "a c d", "exp4": "b a c d",
    "majority": "a b d", "mean": "a b c d",
}
LEARNING = ("epsilon_greedy", "ucb", "thompson", "exp3", "exp4")

#: Seconds that Redis keeps a query.
KEPT = 10


def code(model, version):
    return MODELS[model] * 10 + version


class Mixin:
    """A container that keeps no record of what it has seen, and that can
    hang, be slow or lie. ``mode`` is how it is now."""

    def __init__(self, server, name, version):
        self.mode = "ok"
        self.held = []
        number = code(name, version)
        super().__init__(
            server, name, version=str(version), idle=1.0, delay=DELAY,
            model=lambda values: [repr(v[0] * 1000 + number) for v in values],
            handler=lambda sim, request: sim.behave(request))
        self.requests = collections.deque(maxlen=1)

    def _record(self, direction, frames, session):
        pass

    def behave(self, request):
        if self.mode == "hang":
            return
        if self.mode == "slow":
            self.held.append(request)
        elif self.mode == "count":
            self.reply(request, self.model(request.values) + ["1"])
        elif self.mode == "garbage":
            frames = self.encode_reply(request, self.model(request.values))
            frames[-1] = random.randbytes(7)
            self.send(frames + [random.randbytes(20)],
                      session=request.session)
        else:
            self.answer(request)

    def let_go(self):
        """Answers what was held, in the thread of the container."""
        self.mode = "ok"
        self.call(self._let_go)

    def _let_go(self):
        while self.held:
            self.answer(self.held.pop())

    def reconnect(self):
        def again():
            for session in list(self._sockets):
                self._drop(session)
            self.connect()
        self.call(again)


class Container4(Mixin, Sim4):
    pass


class Container3(Mixin, Sim3):
    pass


def locations():
    text = ""
    for policy, links in LINKS.items():
        text += (f"location /{policy} {{ clipper_app {policy}; "
                 f"clipper_slo {judge.SLO:g}s; clipper_default \"-1\"; "
                 f"clipper_select {policy}; clipper_link {links}; }}\n")
    return text


class World:
    """``total`` is the time of the whole run, which may have another part
    with another build."""

    def __init__(self, settings, directory, seed, seconds, total, say):
        self.seed, self.seconds, self.say = seed, seconds, say
        self.checked = settings.sanitizer
        self.random = random.Random(f"clients {seed}")
        self.versions = judge.Versions({m: VERSIONS[m][0] for m in MODELS})
        self.seen, self.problems = [], []
        self.faults, self.gaps, self.samples = [], [], []
        self.counts = collections.Counter()
        self.answered = collections.Counter()
        self.redis = Redis(directory / "redis")
        self.server = Nginx(settings, directory / "nginx", workers=WORKERS,
                            server=locations(), zone="3m",
                            log_level="warn")
        if total < judge.LONG:
            # Workers that stay for containers of version 3 would stay for
            # minutes at the end.
            self.server.parts["main"] = "worker_shutdown_timeout 20s;"
        self.server.parts["http"] = self.http()
        allow_kill(self.server)
        self.pool = []
        self.stopping = threading.Event()
        self.down = threading.Event()
        self.numbers = itertools.count(1)
        self.inside = 0

    # the server and its containers

    def http(self):
        models = "".join(
            f"clipper_model {m} {{ version {self.versions.now[m]}; "
            "batch_timeout 1s; }\n" for m in MODELS)
        return (f"clipper_redis {self.redis.address} timeout=500ms;\n"
                f"clipper_records 512k redis={KEPT}s;\n"
                f"clipper_cache_zone 256k;\n{models}")

    def start(self):
        self.redis.start()
        self.server.start()
        for model, versions in VERSIONS.items():
            for version in versions:
                for _ in range(2):
                    self.add(model, version)
        self.replicas_are_back()
        self.at_start = self.quiet()

    def add(self, model, version):
        kind = Container3 if model == "d" else Container4
        return kind(self.server, model, version)

    def remove(self, container):
        self.server.containers.remove(container)
        container.close()
        container.check()

    def status(self):
        with Connection(("127.0.0.1", self.server.operator)) as connection:
            return connection.get("/status").json()

    def replicas_are_back(self):
        wanted = collections.Counter(
            (one.name, one.model_version) for one in self.server.containers)
        wait_until(lambda: collections.Counter(
            (r["model"], r["version"]) for r in self.status()["replicas"]
            if r["state"] in ("ready", "busy")) == wanted, 60,
            "replicas back", 0.05)

    def generation_is_up(self):
        """Whether every client meets the present configuration."""
        wanted = f"g{self.server.generation}"
        rows = self.status()["workers"]
        new = [w for w in rows if w["state"] == "accepting"]
        return len(new) == WORKERS and all(
            w["generation"] == wanted for w in new) and not any(
            w["waiting_connections"] for w in rows
            if w["generation"] != wanted)

    def workers(self):
        """The pids of the workers, once no other process is left."""
        rows = self.status()["workers"]
        pids = [w["pid"] for w in rows if w["state"] == "accepting"]
        return pids if len(rows) == len(pids) == WORKERS and \
            set(pids) == set(self.server.children()) else None

    def use(self):
        """What is in use: rows, and descriptors of the workers."""
        pids = self.workers()
        if not pids:
            raise OSError("workers change")
        return {**self.server.zone_use(), "descriptors": sum(
            count_fds(pid) for pid in pids)}

    def quiet(self):
        """The same once it has stayed for a while without clients."""
        last = [None, 0]

        def stays():
            now = self.use()
            last[1] = last[1] + 1 if now == last[0] else 0
            last[0] = now
            return last[1] >= 5 and now
        return wait_until(stays, 60, "quiet", 0.2)

    def finish(self):
        """Everything is back where it was; then the end."""
        try:
            self.replicas_are_back()
            wait_until(lambda: self.use() == self.at_start, 240,
                       "use as at the start", 0.3)
        except AssertionError as exc:
            self.problems.append(f"{exc}; at the start {self.at_start}")
        try:
            bound = len(LEARNING) * (USERS + 1) + 20
            wait_until(lambda: self.redis("DBSIZE") <= bound, 60,
                       f"at most {bound} keys in Redis", 0.3)
        except AssertionError as exc:
            self.problems.append(str(exc))

    def close(self):
        self.server.checks_zone = False
        self.problems += self.server.finish()
        self.redis.kill()
        for core in self.server.dir.glob("core*"):
            self.problems.append(f"a core: {core}")

    # clients

    def run(self):
        """Load until the time is over."""
        try:
            asyncio.run(self._run())
        finally:
            self.down.set()

    async def _run(self):
        try:
            await self._load()
        finally:
            self.stopping.set()
            # The thread that samples would otherwise keep the loop.
            if sys.exc_info()[0]:
                self.down.set()

    async def _load(self):
        control = asyncio.create_task(self._beat())
        machine = await asyncio.create_subprocess_exec(
            sys.executable, "-c", MACHINE, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE)
        reader = asyncio.create_task(self._read_machine(machine))
        sampler = asyncio.create_task(asyncio.to_thread(self._sample))
        tasks = set()
        rate = RATE_CHECKED if self.checked else RATE
        begin = due = time.monotonic()
        while time.monotonic() < begin + self.seconds:
            due += self.random.expovariate(rate)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if self.inside >= 400:
                self.counts["left out"] += 1
                continue
            task = asyncio.create_task(self._one())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        self.stopping.set()
        if tasks:
            await asyncio.wait(tasks)
        # Faults may still wait for the end of what they began.
        await asyncio.to_thread(self.down.wait)
        await self._each_answers()
        await sampler
        for _, writer in self.pool:
            writer.close()
        control.cancel()
        machine.stdin.close()
        await reader
        await machine.wait()

    async def _beat(self):
        """How late this loop is: with it, all clients."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(BEAT)
            now = time.monotonic()
            if now - last > BEAT + LATE:
                self.gaps.append((last + BEAT, now))
            last = now

    async def _read_machine(self, machine):
        """How late a process is that does nothing else."""
        async for line in machine.stdout:
            self.gaps.append(tuple(map(float, line.split())))

    def _sample(self):
        """Twice a second at first, then every five seconds."""
        while not self.down.wait(0.5 if self.seconds < 300 else 5):
            try:
                status = self.status()
                pids = [w["pid"] for w in status["workers"]
                        if w["state"] == "accepting"]
                self.samples.append({
                    "time": time.monotonic(),
                    "memory": sum(map(anonymous_kb, pids)) / len(pids),
                    "master": anonymous_kb(self.server.pid),
                    "descriptors": sum(map(count_fds, pids)) / len(pids),
                    "rows": sum(status["zone"][t]["used"] for t in
                                ("flights", "waiters", "chunks", "replicas")),
                    "states": status["selection_state"]["rows"],
                    "keys": self.redis("DBSIZE"),
                    "answers": sum(self.answered.values())})
            except (OSError, ValueError, KeyError, StopIteration,
                    ZeroDivisionError):
                pass  # a worker or Redis is away

    async def _one(self):
        self.inside += 1
        try:
            if self.random.random() < 0.02:
                await self._abort()
            else:
                await self._query()
        except Exception:
            self.problems.append(traceback.format_exc())
        finally:
            self.inside -= 1

    def _value(self):
        """Most are new; some are asked by many, for ten seconds."""
        if self.random.random() < 0.7:
            return 1e6 + next(self.numbers)
        return int(time.monotonic() / 10) % 1000 * 100.0 \
            + self.random.randrange(50)

    async def _query(self, policy=None):
        r = self.random
        policy = policy or r.choice(list(LINKS))
        values = [self._value()
                  for _ in range(r.choice((1, 1, 1, 2, 3, 8)))]
        body = {"uid": f"u{r.randrange(USERS)}"}
        if len(values) == 1:
            body["input"] = values
        else:
            body["input_batch"] = [[v] for v in values]
        got = await self._exchange(f"/{policy}/predict", body)
        if got is None:
            return
        begin, end, response = got
        try:
            document = self._document(response, len(values))
            for value, one in zip(values, document):
                self._judge(policy, value, one, begin, end)
        except (ValueError, KeyError, TypeError) as exc:
            self._note("wrong", begin, end,
                       f"{policy}: {exc!r} {response!r}")
            return
        if end - begin > judge.SLO:
            self._note("late", begin, end, policy)
        if policy in LEARNING and r.random() < 0.3:
            for value, one in zip(values, document):
                await self._feedback(policy, body["uid"], value, one)

    def _document(self, response, count):
        document = response.json()
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        found = [document] if count == 1 else document["batch_predictions"]
        if len(found) != count:
            raise ValueError(f"{len(found)} outputs for {count} inputs")
        return found

    def _judge(self, policy, value, one, begin, end):
        if one["default"]:
            reason = one["default_reason"]
            if one["output"] != -1 or reason not in judge.REASONS:
                raise ValueError(f"no default: {one}")
            self.counts[reason] += 1
            self._note(reason, begin, end, policy)
            return
        self.answered[policy] += 1
        codes = [{code(m, v) for v in self.versions.valid(m, begin, end)}
                 for m in LINKS[policy].split()]
        expected = judge.outputs(value, codes, policy == "mean")
        if not judge.is_one_of(one["output"], expected):
            raise ValueError(f"{one['output']} for {value}, of {expected}")

    async def _feedback(self, policy, uid, value, one):
        label = one["output"] if self.random.random() < 0.6 else 0
        got = await self._exchange(f"/{policy}/update", {
            "query_id": one["query_id"], "uid": uid, "label": label})
        if got is None:
            return
        begin, end, response = got
        text = response.body.strip()
        self.counts["feedback"] += 1
        if response.status == 503 and b'"Feedback not kept"' in text:
            self._note("not kept", begin, end, text.decode())
            return
        if response.status != 200 or text not in (
                b"Feedback received? 1", b"Feedback received? 0"):
            self._note("wrong", begin, end, f"feedback: {response!r}")
        self.counts["learned"] += text.endswith(b"1")

    async def _each_answers(self):
        """After all faults each application answers."""
        for policy in LINKS:
            before = self.answered[policy]
            for _ in range(50):
                await self._query(policy)
                if self.answered[policy] > before:
                    break
                await asyncio.sleep(0.2)
            else:
                self.problems.append(f"{policy} does not answer any more")

    def _note(self, kind, begin, end, text):
        self.seen.append(judge.Seen(kind, begin, end, text))

    async def _abort(self):
        """A client that leaves in the middle of a query."""
        try:
            reader, writer = await self._open()
            data = build_request("POST", "/exp4/predict",
                                 {"input": [1e6 + next(self.numbers)]})
            writer.write(data[:self.random.randrange(1, len(data) + 200)])
            await asyncio.sleep(self.random.random() * 0.01)
            writer.transport.abort()
            self.counts["aborts"] += 1
        except OSError:
            pass

    async def _open(self):
        return await asyncio.open_connection("127.0.0.1", self.server.port)

    async def _exchange(self, path, body):
        """(begin, end, response), or None when the connection was lost. As
        clients do, a kept connection that the server closes before any byte
        of a response is opened again, once."""
        data = build_request("POST", path, body)
        for kept in (True, False):
            begin = time.monotonic()
            kept = kept and bool(self.pool)
            try:
                reader, writer = self.pool.pop() if kept \
                    else await self._open()
            except OSError as exc:
                self._lost(begin, exc)
                return None
            try:
                writer.write(data)
                async with asyncio.timeout(30):
                    head = await reader.readuntil(b"\r\n\r\n")
                    response = await self._rest(reader, head[:-4])
            except (OSError, asyncio.IncompleteReadError) as exc:
                writer.close()
                if kept and not getattr(exc, "partial", b"") \
                        and not isinstance(exc, TimeoutError):
                    self.counts["opened again"] += 1
                    continue
                self._lost(begin, exc)
                return None
            end = time.monotonic()
            if response.headers.get("connection") == "close":
                writer.close()
            else:
                self.pool.append((reader, writer))
            self.counts["responses"] += 1
            return begin, end, response
        return None

    def _lost(self, begin, exc):
        kind = "wrong" if isinstance(exc, TimeoutError) else "connection"
        self._note(kind, begin, time.monotonic(), repr(exc))

    async def _rest(self, reader, head):
        response = Response(head, b"")
        if response.headers.get("transfer-encoding") == "chunked":
            while True:
                size = int(await reader.readuntil(b"\r\n"), 16)
                response.body += (await reader.readexactly(size + 2))[:-2]
                if size == 0:
                    return response
        response.body = await reader.readexactly(
            int(response.headers["content-length"]))
        return response


def count_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


#: Sleeps until its input ends, and writes when it was late.
MACHINE = f"""
import select, sys, time
last = time.monotonic()
while not select.select([sys.stdin], [], [], {BEAT})[0]:
    now = time.monotonic()
    if now - last > {BEAT + LATE}:
        print(last + {BEAT}, now, flush=True)
    last = now
"""
