"""System calls and libzmq's that a signal interrupts, as those of
``timer_resolution`` do: no failure, and nothing is left for later."""

import signal

import pytest

from harness import Sim3, Sim4, application, wait_until
from harness.preload import preload

#: Each second call of these returns at once, with EINTR. libzmq calls none of
#: them but the last itself.
INTERRUPTED = r"""
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>

#define EVENTS 15   /* ZMQ_EVENTS */

static int turn(unsigned *count)
{
    if ((*count)++ % 2 == 0) {
        errno = EINTR;
        return 1;
    }
    return 0;
}

#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

int zmq_msg_recv(void *msg, void *socket, int flags)
{
    static unsigned count;
    return turn(&count) ? -1 : REAL(zmq_msg_recv)(msg, socket, flags);
}

int zmq_send(void *socket, const void *data, size_t len, int flags)
{
    static unsigned count;
    return turn(&count) ? -1 : REAL(zmq_send)(socket, data, len, flags);
}

int zmq_getsockopt(void *socket, int option, void *value, size_t *len)
{
    static unsigned count;
    return option == EVENTS && turn(&count)
           ? -1 : REAL(zmq_getsockopt)(socket, option, value, len);
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
    static unsigned count;
    return n == 1 && ms > 0 && turn(&count) ? -1 : REAL(poll)(fds, n, ms);
}
"""

LEARNS = "clipper_select epsilon_greedy half_life=off;"


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_messages(make_nginx, tmp_path, sim):
    """Catches a replica that is taken for gone, a message that waits for the
    next one, and one that is cut short, because a signal came."""
    server = make_nginx(application("a", "m:1"), workers=1,
                        http="clipper_cache_zone off;")
    preload(server, tmp_path, INTERRUPTED)
    server.start()
    for _ in range(2):
        sim(server, "m").wait_registered()
    server.wait_replicas("m", 2)
    for i in range(200):
        assert server.predict("a", [float(i)])["output"] == float(i)
    inputs = [[float(i)] for i in range(300)]
    answers = server.post("/a/predict", {"input_batch": inputs}).json()
    assert [[a["output"]] for a in answers["batch_predictions"]] == inputs
    assert len(server.replicas("m")) == 2


def test_last_words_to_redis(redis, make_nginx, tmp_path):
    """Catches deltas that a worker gives up at its end, because a signal
    came while it waited for Redis."""
    store = redis()
    server = make_nginx(
        application("a", "m:1 n:1", extra=LEARNS), workers=1,
        http=f"clipper_redis {store.address} timeout=300s;")
    preload(server, tmp_path, INTERRUPTED)
    server.start()
    Sim4(server, "m").wait_registered()
    server.wait_replicas("m")
    server.wait_redis()
    with server.connect() as connection:
        answer = connection.post("/a/predict", {"input": [3.0]}).json()
        store.signal(signal.SIGSTOP)
        response = connection.post("/a/update", {
            "query_id": answer["query_id"], "label": 3.0})
        assert response.body == b"Feedback received? 1"
    server.signal(signal.SIGQUIT)
    wait_until(lambda: "gracefully shutting down" in server.log_text())
    store.signal(signal.SIGCONT)
    server.process.wait(30)
    assert "a shutdown loses them" not in server.log_text()
    assert float(store.state("clipper:state:a:epsilon_greedy")[
        "m:1/count"]) == 1
