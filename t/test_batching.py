"""The size of batches: `batch` in `clipper_model`."""

import pytest

from harness import Sim4, application, rpc, wait_until

APPS = (application("a", "m:1", slo="60s")
        + application("hasty", "m:1", slo="2s"))


def started(nginx, batch):
    """nginx and a replica that has answered its first batch, of one input, so
    nothing is in flight."""
    server = nginx(APPS, http="clipper_cache_zone off;"
                   f"clipper_model m {{ batch {batch}; hedge off; }}")
    made = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    return server, made


def ask(server, app, count):
    return server.post_later(
        f"/{app}/predict",
        {"input_batch": [[float(i)] for i in range(count)]}, timeout=60)


def queued(server, made, app, count):
    """Makes inputs wait together for the next batch; returns the connection
    of their request."""
    blocker = ask(server, "a", 1)
    request = made.next_request()
    assert len(request.inputs) == 1
    connection = ask(server, app, count)
    wait_until(lambda: server.status()["models"][0]["queue_tasks"] == count)
    made.reply(request, ["1"])
    assert blocker.read().json()["output"] == 1
    return connection


def sizes_of(server, made, count):
    """The sizes of the batches that a number of inputs is sent in."""
    connection = queued(server, made, "a", count)
    sizes = []
    while sum(sizes) < count:
        request = made.next_request()
        sizes.append(len(request.inputs))
        made.reply(request, ["1"] * sizes[-1])
    answers = connection.read().json()["batch_predictions"]
    assert not any(a["default"] for a in answers)
    return sizes


@pytest.mark.parametrize("batch, sizes", [
    ("aimd", [2, 3, 4, 5, 6, 7]), ("adaptive", [2, 4, 8, 13]),
    ("aimd; batch_max 4", [2, 3, 4, 4, 4, 4, 4, 2]), ("6", [6, 6, 6, 6, 3])])
def test_growth(nginx, batch, sizes):
    """Catches a controller other than the configured one: with `aimd` each
    batch is one larger than the last, `adaptive` begins with doubling.

    A busy machine makes a batch slow now and then, and `adaptive` learns from
    it: one of three tries has to be clean.
    """
    for _ in range(3):
        found = sizes_of(*started(nginx, batch), sum(sizes))
        if found == sizes:
            return
    assert found == sizes


def test_back_off(nginx):
    """Catches `aimd` that does not shrink by a tenth after a late batch."""
    server, made = started(nginx, "aimd")
    assert sizes_of(server, made, 54) == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    late = queued(server, made, "hasty", 11)
    request = made.next_request()
    assert len(request.inputs) == 11
    answers = late.read().json()["batch_predictions"]
    assert all(a["default"] for a in answers)
    made.reply(request, ["1"] * 11)
    assert sizes_of(server, made, 11) == [9, 2]


@pytest.mark.parametrize("how, kept", [
    ("reload", True), ("reconnect", True), ("another model", False)])
def test_profile_is_kept(nginx, how, kept):
    """Catches a replica that begins anew after a reload or a lost connection,
    or with the profile of another model under the same version."""
    server = nginx(APPS, http="clipper_cache_zone off;"
                   "clipper_model m { batch aimd; hedge off; }")
    made = Sim4(server, "m", manual=True, digest=b"1" * 32).wait_registered()
    server.wait_replicas("m")
    assert sizes_of(server, made, 27) == [2, 3, 4, 5, 6, 7]

    if how == "reload":
        server.reload()
        made.wait_event(lambda e: e.direction == "out" and e.frames[1:2]
                        == [rpc.u32(rpc.LEAVING)])
    else:
        made.close()
        server.wait_replicas("m", 0)
        made = Sim4(server, "m", manual=True, digest=(
            b"1" if kept else b"2") * 32).wait_registered()
    server.wait_replicas("m")

    sizes = sizes_of(server, made, 27)
    assert (sizes[0] > 2) == kept, sizes
