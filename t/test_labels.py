"""Labels of feedback: what equals an answer, and what never can."""

import pytest

from harness import Sim4
from harness.metrics import METRICS, scrape

APP = ("location /a { clipper_app a; clipper_slo 5s; clipper_link x:1 y:1;\n"
       "clipper_select thompson; }\n")


@pytest.fixture
def two(nginx):
    """A server of one worker, where two models answer two texts."""
    def start(*texts):
        server = nginx(APP, http="clipper_cache_zone off;", workers=1,
                       operator_extra=METRICS)
        for name, text in zip("xy", texts):
            Sim4(server, name, model=lambda values, text=text:
                 [text for _ in values]).wait_registered()
        for name in "xy":
            server.wait_replicas(name)
        return server
    return start


def teach(server, label, count, start=0):
    for i in range(start, start + count):
        answer = server.predict("a", [float(i)])
        response = server.post("/a/update", {
            "query_id": answer["query_id"], "label": label})
        assert response.body == b"Feedback received? 1"


def matches(server):
    """How labels matched the answers of the application: match -> count."""
    got = scrape(server)
    return {match: got("clipper_labels_total", app="a", match=match)
            for match in ("right", "wrong", "other_type")}


def unmatched(server):
    return [line for line in server.log_text().splitlines()
            if "match no answer" in line]


@pytest.mark.parametrize("right,wrong,label", [
    ("7", "3", "7"), ("7", "3", "7.0"), ('"7"', '"3"', 7),
    ('"7"', '"3"', "7"), ("true", "false", "true"), ("cat", "dog", "cat")])
def test_texts_of_values(two, right, wrong, label):
    """Catches a policy that learns nothing from right labels because one
    side is the text of a number and the other the number."""
    server = two(wrong, right)
    teach(server, label, 100)
    got = matches(server)
    assert got["other_type"] == 0
    assert got["right"] > 50 and got["right"] + got["wrong"] == 100
    assert unmatched(server) == []


@pytest.mark.parametrize("output,label,count,match", [
    ('{"p": 1}', "1", 20, "other_type"), ("cat", 1, 20, "other_type"),
    ("1", True, 20, "other_type"), ("0.5", 1, 200, "wrong")])
def test_what_matches_nothing(two, output, label, count, match):
    """Catches feedback that is received, teaches nothing, and says nothing;
    and a line for each of it."""
    server = two(output, output)
    teach(server, label, count - 1)
    assert unmatched(server) == []
    teach(server, label, 6, start=count)
    assert matches(server) == {"right": 0, "wrong": 0, "other_type": 0,
                               match: count + 5}
    line, = unmatched(server)
    assert f'application "a": {count} labels in a row' in line
    assert ("another type" in line) == (match == "other_type")


def test_a_match_ends_the_row(two):
    """Catches a line about labels that sometimes match."""
    server = two("1", "1")
    for start in range(0, 60, 20):
        teach(server, "cat", 19, start=start)
        teach(server, 1, 1, start=start + 19)
    assert unmatched(server) == []
    assert matches(server) == {"right": 3, "wrong": 0, "other_type": 57}
