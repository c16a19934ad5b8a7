"""Two instances of nginx share one Redis and learn, in any order, through
deaths: in the end Redis has the sums of all feedback, to 1e-9.

Twenty thousand feedbacks each here; `make storm` gives a hundred thousand, and
those with trouble go on for a minute.
"""

import collections
import math
import os
import random
import signal
import threading
import time

import pytest

from harness import SLOW, Connection, Sim3, Sim4, wait_until
from harness.client import build_request
from harness.workers import allow_kill, survivors

FEEDBACKS = int(os.environ.get("CLIPPER_STORM_FEEDBACKS", "20000"))

#: A storm with troubles lasts for as many seconds at least.
SECONDS = float(os.environ.get("CLIPPER_STORM_SECONDS", "4"))

USERS = 50
ROUND = 50

#: Seconds of load between two troubles of the kind.
PAUSE = 0.5

pytestmark = pytest.mark.timeout(200 + FEEDBACKS / 100 + 4 * SECONDS)

LOCATION = """location /a {
    clipper_app a; clipper_link m:1 n:1; clipper_slo 5s; clipper_default "-1";
    clipper_select epsilon_greedy epsilon=1 half_life=off;
    clipper_loss absolute range=0:10;
}
"""


class Learner(threading.Thread):
    """Gives feedbacks, and keeps the sums that they should make.

    When the response to a feedback is lost, it is sent again: "1" means that
    it had not been learned, "0" that it had, as each query teaches once.
    """

    def __init__(self, server, count, until=0.0, judge=None):
        super().__init__(daemon=True)
        self.server = server
        self.judge = judge or server
        self.count = count
        self.until = until
        self.learned = 0
        self.sums = collections.defaultdict(list)
        self.again = 0
        self.wrong = []
        self.start()

    def run(self):
        while self.learned < self.count or time.monotonic() < self.until:
            self.round(f"u{random.randrange(USERS)}")

    def round(self, uid):
        value = random.uniform(0, 10)
        body = {"uid": uid, "input_batch": [[value]] * ROUND}
        answers = self.lasting(
            lambda c: c.post("/a/predict", body).json())["batch_predictions"]
        updates = {}
        for answer in answers:
            if answer["default"]:
                continue
            label = random.uniform(0, 10)
            updates[answer["query_id"]] = build_request(
                "POST", "/a/update", {"query_id": answer["query_id"],
                                      "uid": uid, "label": label})
            arm = "m" if answer["output"] == value else "n"
            self.sums[uid, arm].append(abs(answer["output"] - label) / 10)
        self.learned += len(updates)
        sent = set()
        self.lasting(lambda c: self.update(c, updates, sent), self.judge)

    def update(self, connection, updates, sent):
        """Sends all feedbacks without a response, in one go."""
        again = sent & set(updates)
        self.again += len(again)
        sent |= set(updates)
        connection.send(b"".join(updates.values()))
        for query_id in list(updates):
            response = connection.read()
            if self.early(response):
                continue
            if response.body != b"Feedback received? 1" and not (
                    query_id in again
                    and response.body == b"Feedback received? 0"):
                self.wrong.append(response)
            del updates[query_id]
        if updates:
            raise OSError("some came before their records")

    def early(self, response):
        """The other instance is asked before Redis has the record."""
        return (self.judge is not self.server
                and response.body == b"Feedback received? 0")

    def lasting(self, action, server=None):
        """Tries on new connections until one lasts."""
        server = server or self.server
        while True:
            try:
                with Connection(("127.0.0.1", server.port)) as made:
                    return action(made)
            except (OSError, ValueError):
                time.sleep(0.02)


def trouble(store, servers, learners):
    """Kills Redis and a worker and reloads, until the learners are done."""
    count = 0
    while any(learner.is_alive() for learner in learners):
        time.sleep(PAUSE / 4 * SLOW)
        server = servers[count % len(servers)]
        store.kill()
        os.kill(random.choice(survivors(server)), signal.SIGKILL)
        time.sleep(PAUSE / 4 * SLOW)
        store.start()
        server.reload(wait=False)
        time.sleep(PAUSE / 2 * SLOW)
        count += 1
    return count


def sums(store, learners):
    """Counts and sums of losses: key, what Redis has, what clients saw."""
    wanted = collections.defaultdict(list)
    for learner in learners:
        for (uid, arm), losses in list(learner.sums.items()):
            for key in ("", f":{uid}"):
                wanted[f"{key}/{arm}"] += losses
    for key in {name.partition("/")[0] for name in wanted}:
        found = store.sums(f"clipper:state:a:epsilon_greedy{key}")
        for arm in "mn":
            losses = wanted[f"{key}/{arm}"]
            yield key, [(found.get(f"{arm}:1/{field}", 0.0), value)
                        for field, value in (("count", len(losses)),
                                             ("loss", math.fsum(losses)))]


def difference(store, learners):
    """The largest relative difference of any sum in Redis."""
    return max(abs(got - value) / max(value, 1e-300)
               for _, pairs in sums(store, learners) for got, value in pairs)


def lost(store, learners):
    """How many feedbacks lack in the application's state, or in those of its
    users; none counts twice."""
    lack = collections.Counter()
    for key, ((count, wanted), (loss, total)) in sums(store, learners):
        assert count <= wanted and loss <= total * (1 + 1e-9)
        assert total - loss <= wanted - count + total * 1e-9
        lack[key != ""] += wanted - count
    return max(lack.values())


@pytest.mark.parametrize("sim, troubled, records", [
    (Sim4, False, ""), (Sim4, True, ""), (Sim3, True, ""),
    (Sim4, False, "redis=1h"), (Sim4, True, "redis=1h")],
    ids=["v4", "v4-troubled", "v3-troubled", "records", "records-troubled"])
def test_instances_add_up(redis, nginx, sim, troubled, records):
    """Catches deltas that are lost or count twice: two instances learn at
    the same time while Redis is killed, workers are killed and the
    configuration is reloaded. A death costs at most the one feedback that
    the worker was learning. With records in Redis each feedback claims its
    query there; without troubles the other instance is given it."""
    store = redis()
    # A query that misses a slow Redis is never known to the other instance.
    timeout = "300ms" if troubled else "30s"
    servers = [nginx(LOCATION, zone="32m", http=(
        f"clipper_cache_zone off; clipper_records 8m {records}; "
        f"clipper_redis 127.0.0.1:{store.port} timeout={timeout};"))
        for _ in range(2)]
    for server in servers:
        sim(server, "m").wait_registered()
        sim(server, "n", model=lambda xs: ["7" for _ in xs]).wait_registered()
        server.wait_replicas("m")
        server.wait_replicas("n")
        wait_until(lambda: all(server.status()["selection_state"]["redis"][
            "up"] for _ in range(20)), 10, "workers with Redis")
        if troubled:
            allow_kill(server)
            server.checks_zone = False

    start = time.monotonic()
    until = start + SECONDS if troubled else 0.0
    elsewhere = records and not troubled
    learners = [Learner(server, FEEDBACKS / 6, until, judge)
                for server, judge in zip(servers, servers[::-1])
                for judge in [judge if elsewhere else None] * 3]
    troubles = trouble(store, servers, learners) if troubled else 0
    for learner in learners:
        learner.join(60 * SLOW + FEEDBACKS / 200 + SECONDS)
        assert not learner.is_alive() and not learner.wrong, learner.wrong[:3]
    took = time.monotonic() - start

    learned = sum(learner.learned for learner in learners)
    try:
        wait_until(lambda: difference(store, learners) < 1e-9, 20,
                   f"the sums of {learned} feedbacks in Redis")
    except AssertionError:
        # A killed worker takes the feedback with it that it was learning.
        if not troubles:
            raise
        assert lost(store, learners) <= troubles
    print(f"{learned} feedbacks to two instances in {took:.1f} s, "
          f"{troubles} times Redis and a worker killed and a reload, "
          f"{sum(one.again for one in learners)} given again, largest "
          f"relative difference {difference(store, learners):.1e}, "
          f"{lost(store, learners):.0f} lost")
