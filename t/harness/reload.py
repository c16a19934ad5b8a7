"""A server with containers that echo their input, for reloads."""

from .server import application


def echo(values):
    return [repr(v[0]) for v in values]


def served(nginx, *sims, slo="5s", **kw):
    """A server with application "a", and its connected containers."""
    server = nginx(application("a", "m:1", slo=slo),
                   http="clipper_cache_zone off;\n", **kw)
    made = [sim(server, "m", model=echo).wait_registered() for sim in sims]
    server.wait_replicas("m", len(sims))
    return server, made
