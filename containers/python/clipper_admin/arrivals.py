"""Which containers have reached the server.

A container of protocol version 4 announces the token that it was started
with. One of version 3, in any language, announces only a name and a version:
it is known by what was started, by its address, and by the number of replicas
that were there before.
"""

from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Set, Tuple

from . import status as server_status

#: Name and version of a model.
Key = Tuple[str, str]


class Expected(NamedTuple):
    """A container that was started.

    Attributes:
        key: name and version of its model.
        token: what it was started with.
        address: where it connects from; empty when others connect from
            there as well.
    """

    key: Key
    token: str
    address: str = ""


def count_nameless(status: Mapping[str, Any], key: Key) -> int:
    """How many replicas of a version have no token."""
    return len(_nameless(status, key))


def _nameless(
    status: Mapping[str, Any], key: Key
) -> List[Mapping[str, Any]]:
    return [
        one for one in server_status.replicas(status, *key)
        if not one.get("token_hash")
    ]


def without_token(
    started: Sequence[Expected], status: Mapping[str, Any]
) -> List[Expected]:
    """The containers whose token the server does not know."""
    known = {
        str(one.get("token_hash")) for one in server_status.replicas(status)
    }
    return [
        one for one in started
        if server_status.token_hash(one.token) not in known
    ]


def missing(
    started: Sequence[Expected],
    status: Mapping[str, Any],
    before: Mapping[Key, int] = {},
) -> List[int]:
    """Indices of the containers that are not ready yet.

    Args:
        started: in the order of their start.
        status: the server's status.
        before: how many replicas without a token each version had before.
    """
    hashes = server_status.ready(status)
    left: Dict[Key, List[int]] = {}
    for i, one in enumerate(started):
        if server_status.token_hash(one.token) not in hashes:
            left.setdefault(one.key, []).append(i)
    late: List[int] = []
    for key, indices in left.items():
        arrived = [
            str(one.get("address") or "") for one in _nameless(status, key)
            if server_status.is_ready(one)
        ]
        own = {started[i].address for i in indices} - {""}
        here = own.intersection(arrived)
        others = len([one for one in arrived if one not in own])
        unseen = [i for i in indices if started[i].address not in here]
        # What connects from elsewhere counts in the order of the starts.
        late += unseen[max(0, others - before.get(key, 0)):]
    return sorted(late)


def remaining(
    status: Mapping[str, Any],
    hashes: Set[str],
    nameless: Mapping[Key, int],
) -> bool:
    """Whether the server lists replicas that have ended.

    Args:
        hashes: of their tokens.
        nameless: the most replicas without a token that a version may have.
    """
    if any(
        str(one.get("token_hash")) in hashes
        for one in server_status.replicas(status)
    ):
        return True
    return any(
        count_nameless(status, key) > most for key, most in nameless.items()
    )
