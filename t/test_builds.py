"""Builds beside the usual one, each on a fresh root: the next Debian, clang,
and an nginx with the module compiled in.

`make test-builds` runs this (root); elsewhere it is skipped.
"""

import os

import pytest

from harness.console import follow
from harness.root import Fresh

pytestmark = [
    pytest.mark.skipif(not os.environ.get("CLIPPER_TEST_FRESH"),
                       reason="make test-builds"),
    pytest.mark.timeout(3000),
]

#: Behaviour that depends on libraries and on nginx's headers: requests,
#: both protocols, reloads and Redis.
BEHAVIOUR = ("make behaviour ARGS=\"-q -k 'test_conf or test_rpc_v or "
             "test_reload or test_redis.py or test_http2'\"")


@pytest.fixture
def machine(request):
    made = Fresh(as_root=True, suite=getattr(request, "param", "bookworm"))
    yield made
    made.close()


@pytest.mark.parametrize("machine", ["trixie"], indirect=True)
def test_next_debian(machine):
    """Catches code that does not compile or behave with the nginx, libzmq,
    hiredis and Python of Debian 13."""
    machine.do("make unit", 1500)
    machine.do(BEHAVIOUR, 1500)


def test_clang(machine):
    """Catches code that only gcc compiles, or that clang compiles into
    something else."""
    machine.do("apt-get update && apt-get install -y clang", 900)
    machine.do("make CC=clang unit", 1500)
    machine.do(f"{BEHAVIOUR} CC=clang", 1500)


def test_static_module(machine):
    """Catches a module that works only as a dynamic one: nginx from Debian's
    sources, with the module compiled in, answers."""
    machine.do("sed 's/^deb /deb-src /' /etc/apt/sources.list "
               "> /etc/apt/sources.list.d/src.list")
    machine.do("make quickstart", 900)
    machine.do("apt-get install -y dpkg-dev libpcre2-dev libssl-dev", 900)
    machine.do("cd /tmp && apt-get source -y nginx && cd nginx-*/ && "
               "./configure --prefix=/tmp/static --with-http_ssl_module "
               "--with-http_v2_module --with-threads "
               "--add-module=/root/clipper", 900)
    machine.do("make -j2 && make install && cd /root/clipper", 1500)
    machine.do("sed '/^load_module/d' conf/user.conf "
               "> /tmp/static/conf/nginx.conf")
    machine.do("mkdir -p /tmp/static/run && /tmp/static/sbin/nginx -t && "
               "/tmp/static/sbin/nginx")
    machine.do("cat > /tmp/sum.py << 'END'\n"
               "from clipper_container import serve\n"
               "serve(lambda xs: [float(sum(x)) for x in xs], 'sum-model', 2)\n"
               "END\n")
    machine.do(".venv/bin/python /tmp/sum.py &")
    follow(machine, "curl -s -d '{\"input\": [1.5, 2.25]}' "
           "127.0.0.1:1337/hello-world/predict",
           ['{"query_id":1,"output":3.75,"default":false}'])
