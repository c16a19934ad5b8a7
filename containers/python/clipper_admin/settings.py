"""Settings of an application that are directives of its location.

Each has a name, which is a parameter of `register_application`, and a way to
make its directives of the parameter's value. A new setting is a row in
`SETTINGS`.
"""

from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
)

from .exceptions import ClipperException, refused
from .limits import describe_limits, make_limits, memory_bytes
from .nginxconf import Directive, directive

#: Input types that have a NaN.
_WITH_NAN = ("doubles", "floats")


class Setting(NamedTuple):
    """One setting.

    Attributes:
        directives: names of the directives that it owns.
        make: makes them of a value; an empty list for the server's default.
            Raises a ClipperException when the value is not valid.
        describe: what `get_app_info` shows for them.
    """

    directives: Tuple[str, ...]
    make: Callable[[Any], List[Directive]]
    describe: Callable[[List[Directive]], Any]


def make_cache(cache: Any) -> List[Directive]:
    """Directives of the setting `cache`.

    Args:
        cache: None, a bool, or seconds.

    Raises:
        ClipperException: it is none of them.
    """
    if cache is None or cache is True:
        return []
    if cache is False:
        return [directive("clipper_cache", "off")]
    if isinstance(cache, (int, float)) and 0.001 <= cache <= 31536000:
        return [directive(
            "clipper_cache", "on", "valid=%dms" % round(cache * 1000)
        )]
    raise refused(
        "cache must be False, True or a number of seconds from 0.001 to "
        "31536000 (a year), not %r" % (cache,)
    )


def make_binary(binary: Any) -> List[Directive]:
    """Directives of the setting `binary`, a bool.

    Raises:
        ClipperException: it is none.
    """
    check_flag("binary", binary)
    return [directive("clipper_binary", "on" if binary else "off")]


def make_explain(explain: Any) -> List[Directive]:
    """Directives of the setting `explain`, a bool.

    Raises:
        ClipperException: it is none.
    """
    check_flag("explain", explain)
    return [directive("clipper_explain", "on" if explain else "off")]


def make_decompress(decompress: Any) -> List[Directive]:
    """Directives of the setting `decompress`, a bool or a size.

    Raises:
        ClipperException: it is neither.
    """
    if isinstance(decompress, bool):
        text = "on" if decompress else "off"
        return [directive("clipper_decompress", text)]
    try:
        size = memory_bytes(decompress)
    except ClipperException:
        size = 0
    if not 1 <= size <= 1 << 30:
        raise refused(
            "decompress must be False, True, or a size of at most 1g such as "
            "'64m', not %r" % (decompress,)
        )
    return [directive("clipper_decompress", size)]


def make_nulls(nulls: Optional[bool], input_type: str) -> Tuple[str, ...]:
    """Arguments of `clipper_input` after the type.

    Args:
        nulls: whether missing values are taken; None where there is a NaN.

    Raises:
        ClipperException: the type has no missing values.
    """
    if nulls is None:
        nulls = input_type in _WITH_NAN
    check_flag("nulls", nulls)
    if nulls and input_type not in _WITH_NAN:
        raise refused(
            "nulls=True needs the input type doubles or floats, not %s: only "
            "these have NaN" % input_type
        )
    return ("nulls=nan",) if nulls else ()


def check_flag(name: str, value: Any) -> None:
    """Check a setting that is True or False.

    Raises:
        ClipperException: it is neither.
    """
    if not isinstance(value, bool):
        raise refused("%s must be True or False, not %r" % (name, value))


def _arguments(directives: List[Directive]) -> str:
    return " ".join(arg for one in directives for arg in one.args)


#: Settings by name.
SETTINGS: Dict[str, Setting] = {
    "cache": Setting(("clipper_cache",), make_cache, _arguments),
    "limits": Setting(
        ("clipper_limits", "client_max_body_size"), make_limits,
        describe_limits,
    ),
    "binary": Setting(("clipper_binary",), make_binary, _arguments),
    "explain": Setting(("clipper_explain",), make_explain, _arguments),
    "decompress": Setting(
        ("clipper_decompress",), make_decompress, _arguments
    ),
}

_OWNERS = {
    name: key for key, one in SETTINGS.items() for name in one.directives
}


def make_settings(given: Mapping[str, Any]) -> Dict[str, List[Directive]]:
    """Directives of the settings that are not the server's defaults.

    Raises:
        ClipperException: a value is not valid.
        TypeError: there is no such setting.
    """
    unknown = sorted(set(given) - set(SETTINGS))
    if unknown:
        raise TypeError("unknown setting %r of an application" % unknown[0])
    made = {
        name: SETTINGS[name].make(value)
        for name, value in given.items() if value is not None
    }
    return {name: found for name, found in made.items() if found}


def owner_of(one: Directive) -> Optional[str]:
    """Name of the setting that a directive belongs to; None if none."""
    return _OWNERS.get(one.name)


def describe_settings(
    settings: Mapping[str, List[Directive]]
) -> Dict[str, Any]:
    """Settings in the form of `get_app_info`."""
    return {
        name: SETTINGS[name].describe(found)
        for name, found in settings.items()
    }
