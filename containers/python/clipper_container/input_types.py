"""The five input types of Clipper: their names, wire codes and NumPy types.

Nothing here needs NumPy at import time, so the administration package can
use the names without loading it.
"""

from typing import Dict, Tuple

#: Canonical name -> code on the wire.
CODES: Dict[str, int] = {
    "bytes": 0,
    "integers": 1,
    "floats": 2,
    "doubles": 3,
    "strings": 4,
}

#: Code on the wire -> canonical name.
NAMES: Dict[int, str] = {code: name for name, code in CODES.items()}

#: Code -> NumPy type of one element; strings have none. Bytes are signed,
#: as they have always been in Clipper's Python containers.
DTYPES: Dict[int, str] = {0: "<i1", 1: "<i4", 2: "<f4", 3: "<f8"}

#: Code -> bytes of one element.
ITEM_SIZES: Dict[int, int] = {0: 1, 1: 4, 2: 4, 3: 8, 4: 1}

_SYNONYMS: Dict[str, Tuple[str, ...]] = {
    "bytes": ("bytes", "byte", "b"),
    "integers": ("integers", "ints", "integer", "int", "i"),
    "floats": ("floats", "float", "f"),
    "doubles": ("doubles", "double", "d"),
    "strings": ("strings", "string", "strs", "str", "s"),
}

_CANONICAL: Dict[str, str] = {
    synonym: name for name, all_of in _SYNONYMS.items() for synonym in all_of
}


def canonical(name: str) -> str:
    """Return the canonical name (``"integers"`` for ``"ints"``).

    Raises:
        ValueError: when `name` is no input type. The text is the one that
            Clipper's management service gave.
    """
    try:
        return _CANONICAL[name]
    except (KeyError, TypeError):
        raise ValueError("%s is not a valid input string" % (name,)) from None


def code_of(name: str) -> int:
    """Return the wire code (0..4) of an input type's name or synonym.

    Blanks around the name and its case are ignored, as containers do.

    Raises:
        ValueError: when `name` is no input type.
    """
    return CODES[canonical(name.strip().lower())]
