"""What the behaviour tests share.

``server`` starts a real nginx with the module, ``client`` speaks HTTP over
plain sockets, ``rpc`` holds the frames of the container protocol, ``sim``
plays a container frame by frame, ``runtime`` starts the real Python one,
``death`` kills a worker in the middle of a function, ``clock`` sets the wall
clock of a process, ``redis`` is a store
that can be killed, and a proxy to it. For the Python package, ``frontend``
has a bare frontend and ``local`` a local cluster.
"""

from . import death, rpc
from .client import Connection, Response
from .load import Load
from .redis import Redis, Way
from .runtime import PythonContainer
from .server import Nginx, Settings, application
from .sim import Sim3, Sim3Silent, Sim4
from .util import SLOW, anonymous_kb, wait_until

__all__ = [
    "Connection", "Load", "Nginx", "PythonContainer", "Redis", "Response",
    "SLOW", "Settings", "Sim3", "Sim3Silent", "Sim4", "Way", "anonymous_kb",
    "application", "death", "rpc", "wait_until",
]
