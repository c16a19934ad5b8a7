"""Counters are what the clients saw, over reloads and deaths of workers."""

import collections
import os
import signal
import threading

from harness import Connection, Sim4, application, wait_until
from harness.metrics import METRICS, scrape
from harness.workers import allow_kill, survivors

CLIENTS = 4

#: Reloads, and as many deaths.
TIMES = 3

#: Turns of all clients before and after each.
TURNS = 40

LEARNS = ("clipper_select epsilon_greedy epsilon=1; "
          "add_header X-Outcome $clipper_outcome always; "
          "add_header X-Reason $clipper_default_reason always;")


class Client(threading.Thread):
    """Sends the same mix, turn after turn, each request once.

    seen    what was answered: (application, outcome), counted by input
    why     reasons of defaults
    said    answers to feedback: (application, b"0" or b"1")
    lost    inputs and feedbacks without an answer
    """

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.server = server
        self.next = number * 1e6
        self.connection = None
        self.stopped = False
        self.turns = 0
        self.wrong = []
        self.seen = collections.Counter()
        self.why = collections.Counter()
        self.said = collections.Counter()
        self.lost = collections.Counter()
        self.start()

    def run(self):
        try:
            while not self.stopped:
                self.turn()
                self.turns += 1
        except Exception as error:  # pylint: disable=broad-except
            self.wrong.append(repr(error))

    def turn(self):
        self.next += 4
        first = [self.next]
        answer = self.predict("a", {"input": first})
        self.predict("a", {"input": first})
        self.predict("a", {"input_batch": [
            first, [self.next + 1], [self.next + 2]]}, 3)
        self.predict("a", '{"input": ')
        self.predict("b", {"input": first})
        if answer:
            label = {"query_id": answer["query_id"], "label": self.next}
            self.update("a", label)
            self.update("a", label)
        self.update("b", {"query_id": 1, "label": self.next})

    def post(self, path, body):
        """None: the connection broke, whatever became of the request."""
        try:
            if self.connection is None:
                self.connection = Connection(("127.0.0.1", self.server.port))
            return self.connection.post(path, body)
        except OSError:
            if self.connection:
                self.connection.close()
            self.connection = None
            return None

    def predict(self, app, body, count=1):
        response = self.post(f"/{app}/predict", body)
        if response is None:
            self.lost["query"] += count
            return None
        outcomes = response.headers["x-outcome"].split(", ")
        reasons = response.headers["x-reason"].split(", ")
        outcomes *= count // len(outcomes)
        reasons *= count // len(reasons)
        for outcome, reason in zip(outcomes, reasons, strict=True):
            self.seen[app, outcome] += 1
            self.why[app, reason] += outcome == "default"
        if response.status != 200:
            assert (response.status, outcomes) == (400, ["error"]), response
            return None
        answer = response.json()
        answers = answer.get("batch_predictions", [answer])
        assert [a["default"] for a in answers] == [
            outcome == "default" for outcome in outcomes], response
        return answer

    def update(self, app, body):
        response = self.post(f"/{app}/update", body)
        if response is None:
            self.lost["feedback"] += 1
        else:
            assert response.body[:-1] == b"Feedback received? ", response
            self.said[app, response.body[-1:]] += 1


def bounded(seen, counted, lost):
    """All that was seen is counted, and else at most what was lost."""
    assert all(counted[key] >= seen[key] for key in seen), (seen, counted)
    assert counted.total() <= seen.total() + lost, (seen, counted, lost)


def test_counters_are_what_clients_saw(nginx):
    """Catches an input or a feedback that is not counted, or counts twice or
    as another outcome, and counts that end with their worker or with a
    configuration. What a killed worker was at may have been counted, too."""
    server = nginx(application("a", "m:1 n:1", extra=LEARNS)
                   + application("b", extra=LEARNS.replace(
                       "epsilon_greedy epsilon=1", "first")),
                   operator_extra=METRICS)
    allow_kill(server)
    for name in "mn":
        Sim4(server, name).wait_registered()
        server.wait_replicas(name)
    clients = [Client(server, number) for number in range(CLIENTS)]

    def go_on():
        before = [client.turns for client in clients]
        wait_until(lambda: all(
            client.wrong or client.turns >= turns + TURNS / CLIENTS
            for client, turns in zip(clients, before)), 60)
        assert [client.wrong for client in clients] == [[]] * CLIENTS

    for _ in range(TIMES):
        go_on()
        server.reload()
        go_on()
        os.kill(survivors(server)[0], signal.SIGKILL)
        survivors(server)
    go_on()
    for client in clients:
        client.stopped = True
    for client in clients:
        client.join()

    total = collections.Counter
    seen = sum((client.seen for client in clients), total())
    why = sum((client.why for client in clients), total())
    said = sum((client.said for client in clients), total())
    lost = sum((client.lost for client in clients), total())
    print(dict(seen), dict(why), dict(said), dict(lost))
    got = scrape(server)
    queries, defaults, feedback = total(), total(), total()
    for app in "ab":
        for outcome in got.labels("clipper_queries_total", "outcome"):
            queries[app, outcome] = got("clipper_queries_total", app=app,
                                        outcome=outcome)
        for reason in got.labels("clipper_defaults_total", "reason"):
            defaults[app, reason] = got("clipper_defaults_total", app=app,
                                        reason=reason)
        for result in got.labels("clipper_feedback_total", "result"):
            taken = b"1" if result in ("learned", "ignored") else b"0"
            feedback[app, taken] += got("clipper_feedback_total", app=app,
                                        result=result)
    bounded(seen, queries, lost["query"])
    bounded(why, defaults, lost["query"])
    bounded(said, feedback, lost["feedback"])
    assert defaults.total() == sum(queries[app, "default"] for app in "ab")
    assert got("clipper_query_duration_seconds_count") == queries.total()
    for row in server.status()["applications"]:
        for kind, counted in ("queries", queries), ("defaults", defaults):
            assert row[kind] == {
                key: counted[row["name"], key] for key in row[kind]}
            assert set(row[kind]) == {
                key for app, key in counted if app == row["name"]}
