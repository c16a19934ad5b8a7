"""The five input types of Clipper: their names, wire codes and NumPy types.

This module does not import NumPy, so that the administration package can use
it without.
"""

from typing import Dict, Optional, Tuple

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

#: Code -> NumPy type of one element; strings have none. Bytes are signed, as
#: in the original Clipper's Python containers.
DTYPES: Dict[int, str] = {0: "<i1", 1: "<i4", 2: "<f4", 3: "<f8"}

#: Code -> size of one element in bytes.
ITEM_SIZES: Dict[int, int] = {0: 1, 1: 4, 2: 4, 3: 8, 4: 1}

#: What a function may get for a string.
STRINGS = ("bytes", "str")

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
        ValueError: `name` is not an input type. The message is that of
            Clipper's management service.
    """
    try:
        return _CANONICAL[name]
    except (KeyError, TypeError):
        raise ValueError("%s is not a valid input string" % (name,)) from None


def code_of(name: str) -> int:
    """Return the wire code (0..4) of an input type's name or synonym.

    Case and surrounding whitespace do not matter.

    Raises:
        ValueError: `name` is not an input type.
    """
    if isinstance(name, str):
        name = name.strip().lower()
    return CODES[canonical(name)]


def check_strings(strings: Optional[str]) -> Optional[str]:
    """Return what a function gets for strings; None: the usual.

    Raises:
        ValueError: it is not one of `STRINGS`.
    """
    if strings is not None and strings not in STRINGS:
        raise ValueError(
            'strings must be "bytes" or "str", not %r' % (strings,)
        )
    return strings
