"""Keys of CURVE for a cluster on an engine.

They are files in the containers, readable by the user of the container only:
the server's pair and the containers' public key in the frontend, the
containers' pair and the server's public key in each model container.
"""

import os
import tempfile
from typing import Any, Dict, Mapping

from .. import keys
from . import engine

#: In the frontend's directory.
DIRECTORY = "keys"

#: In a model container.
_PLACE = "/clipper-keys"

_OWN = "container.key_secret"
_SERVER = "server/server.key"

#: The directories of a server's keys, with their modes.
DIRECTORIES = dict.fromkeys(
    [DIRECTORY, DIRECTORY + "/server", DIRECTORY + "/clients"], 0o500
)


def make() -> Dict[str, bytes]:
    """New keys: the files of the frontend, by their names in DIRECTORY."""
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        server = os.path.join(directory, "server")
        container = os.path.join(directory, "container")
        for name, path in (
            (_SERVER, keys.make("server", server)[:-len("_secret")]),
            (_SERVER + "_secret", os.path.join(server, "server.key_secret")),
            (_OWN, keys.make("container", container)),
            ("clients/container.key", os.path.join(container, "container.key")),
        ):
            with open(path, "rb") as f:
                found[name] = f.read()
    return found


def mode_of(name: str) -> int:
    """The mode of a key's file."""
    return 0o400 if name.endswith("_secret") else 0o444


#: What a model container needs of the frontend's files.
WANTED = (_OWN, _SERVER)

#: Where it finds them.
ENVIRONMENT = {
    "CLIPPER_CURVE_KEY": "%s/%s" % (_PLACE, _OWN),
    "CLIPPER_CURVE_SERVER": "%s/server.key" % _PLACE,
}


def archive(container: Any, files: Mapping[str, bytes]) -> bytes:
    """The keys of a model container, to be unpacked at its root.

    Args:
        container: made, but not started.
        files: those in WANTED.
    """
    place = _PLACE.lstrip("/")
    named = {
        "%s/%s" % (place, os.path.basename(name)): data
        for name, data in files.items()
    }
    return engine.archive(
        named, {place: 0o500}, engine.user_of(container),
        {name: mode_of(name) for name in named},
    )
