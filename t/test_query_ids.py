"""Query ids: below 2^53, never repeated, and not predictable."""

import itertools
import threading

import pytest

from harness import application, wait_until
from harness.workers import echo_pid, through_each_worker

WORD = 2 ** 64 - 1
BATCH = {"input_batch": [[1.0]] * 500}


def ids(connection, batches=4):
    """Ids in the order in which they were assigned."""
    found = []
    for _ in range(batches):
        answers = connection.post("/a/predict", BATCH).json()
        found += [a["query_id"] for a in answers["batch_predictions"]]
    return found


def check(found):
    """All differ, like numbers drawn from 0 to 2^53."""
    assert len(found) == len(set(found)) > 1000
    assert 0 <= min(found) and max(found) < 2 ** 53
    for bit in range(53):
        ones = sum(one >> bit & 1 for one in found)
        assert 0.4 < ones / len(found) < 0.6, bit
    steps = [b - a for a, b in itertools.pairwise(found)]
    turns = [b ^ a for a, b in itertools.pairwise(found)]
    assert len(set(steps)) == len(set(turns)) == len(steps)


def test_workers_and_reloads(nginx):
    """Catches workers with counters of their own, ids that begin anew with a
    configuration, and ids that can be predicted from the last one."""
    server = nginx(application("a") + echo_pid(), workers=3)
    found = []

    def ask_each():
        connections = through_each_worker(server).values()
        threads = [threading.Thread(
            target=lambda c=c: found.append(ids(c))) for c in connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for connection in connections:
            connection.close()

    for _ in range(2):
        ask_each()
        server.reload()
    ask_each()
    assert len(found) == 9
    check(sum(found, []))


def test_restart(nginx):
    """Catches a start that repeats the ids of the previous one."""
    found = []
    for _ in range(3):
        server = nginx(application("a"))
        with server.connect() as connection:
            found.append(ids(connection))
        assert server.stop() is not None
    check(sum(found, []))


def rotate(x, n):
    return (x << n | x >> (64 - n)) & WORD


def sip_round(v):
    for a, b, n, high in ((0, 1, 13, 1), (2, 3, 16, 0),
                          (0, 3, 21, 0), (2, 1, 17, 1)):
        v[a] = (v[a] + v[b]) & WORD
        v[b] = rotate(v[b], n) ^ v[a]
        if high:
            v[a] = rotate(v[a], 32)


def unscramble(key, x):
    """The parts of an id: the instance's number, and a count."""
    left, right = x >> 26, x & (1 << 26) - 1
    for number in (3, 2, 1, 0):
        half = (left if number % 2 else right) | number << 32
        v = [key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d ^ 0xee,
             key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573]
        v[3] ^= half
        sip_round(v)
        v[0] ^= half
        v[2] ^= 0xee
        for _ in range(3):
            sip_round(v)
        word = v[0] ^ v[1] ^ v[2] ^ v[3]
        if number % 2:
            right ^= word >> 38
        else:
            left ^= word >> 37
    return divmod(left << 26 | right, 2 ** 41)


@pytest.mark.parametrize("wiped", [False, True])
def test_restart_with_redis(redis, nginx, wiped):
    """Catches a start, or an instance, that reuses the numbers of an earlier
    one on the same Redis, and ids outside an instance's own range."""
    store = redis()
    found, parts = [], []
    for _ in range(3):
        server = nginx(application("a"), http="clipper_redis "
                       f"{store.address};")
        text = wait_until(lambda: store("GET", "clipper:ids:key"))
        key = [int(text[:16], 16), int(text[16:], 16)]
        with server.connect() as connection:
            wait_until(lambda: len({unscramble(key, one)[0] for one
                                    in ids(connection, 1)}) == 1)
            got = ids(connection)
        made_of = [unscramble(key, one) for one in got]
        assert len({part for part, _ in made_of}) == 1
        counts = [one for _, one in made_of]
        assert all((b - a) % 2 ** 41 == 1
                   for a, b in itertools.pairwise(counts))
        parts.append(made_of[0][0])
        found.append(got)
        assert server.stop() is not None
        if wiped:
            store("FLUSHALL")
    assert wiped or len(set(parts)) == 3
    assert 1 <= min(parts) and max(parts) <= 4095
    check(sum(found, []))


def test_ids_that_32_bits_hold(nginx):
    """Catches an id that a client of 32 bits cannot read, and one that it
    can guess."""
    server = nginx(application("a"), http="clipper_query_id_bits 31;")
    found = ids(server.connect())
    assert len(found) == len(set(found)) > 1000
    assert 2 ** 30 < max(found) < 2 ** 31
    for bit in range(31):
        ones = sum(one >> bit & 1 for one in found)
        assert 0.4 < ones / len(found) < 0.6, bit
    steps = [b - a for a, b in itertools.pairwise(found)]
    assert len(set(steps)) == len(steps)
