"""Sessions of containers, frame by frame: shared by tests of both versions."""

from . import rpc
from .sim import Sim3, Sim4

NOCACHE = "clipper_cache_zone off;\n"
KEEPALIVE = [b"", rpc.u32(3), rpc.u32(2), rpc.u32(0)]
ASK_METADATA = [b"", rpc.u32(3), rpc.u32(2), rpc.u32(1)]


def connected(server, name="m", sim=Sim3, **kw):
    """A container, once all containers of its name are ready."""
    made = sim(server, name, **kw).wait_registered()
    server.wait_replicas(name, len([c for c in server.containers
                                    if c.name == name and c._running]))
    return made


def connected4(server, name="m", **kw):
    return connected(server, name, Sim4, **kw)


def heartbeat_answers(sim):
    """The heartbeats that a container has received."""
    return [e.frames for e in list(sim.events)
            if e.direction == "in" and e.frames[2] == rpc.u32(rpc.HEARTBEAT)]


def queued(server, model="m"):
    """How many inputs wait for a replica of a model."""
    return sum(m["queue_tasks"] for m in server.status()["models"]
               if m["name"] == model)
