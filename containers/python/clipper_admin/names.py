"""Checks of names and input types that users give."""

import re

from clipper_container.input_types import canonical

from .exceptions import ClipperException, refused

#: Names of applications, models and versions that the server accepts.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_DNS_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")

#: The server stores names in fields of this width.
LONGEST_NAME = 255

#: Canonical input type -> its name in the server's directives.
DIRECTIVE_TYPES = {
    "bytes": "bytes",
    "integers": "ints",
    "floats": "floats",
    "doubles": "doubles",
    "strings": "strings",
}


def check_application_name(name: str) -> str:
    """Return a valid application name.

    Raises:
        ClipperException: it is empty, too long, or has a character that
            names cannot have.
    """
    return _check(name, "application name")


def check_model_part(value: str, what: str) -> str:
    """Return a valid model name, version or label.

    Args:
        value: the text.
        what: ``"model name"``, ``"model version"`` or ``"label"``.

    Raises:
        ClipperException: it has `,`, `:` or another character that names
            cannot have (labels may have any others).
    """
    value = str(value)
    if "," in value or ":" in value:
        raise refused(
            "Invalid %s supplied: %s. Contains one of: ',', ':'"
            % (what, value)
        )
    if what == "label":
        if not value or any(
            ord(char) < 32 or ord(char) == 127 for char in value
        ):
            raise refused(
                "Invalid label supplied: %r. It is empty or contains a "
                "control character"
                % value
            )
        return value
    return _check(value, what)


def _check(value: str, what: str) -> str:
    if not isinstance(value, str) or not _NAME.match(value):
        raise refused(
            "Invalid %s supplied: %s. It must begin with a letter or a digit "
            "and consist of letters, digits, '.', '_' and '-'" % (what, value)
        )
    if len(value) > LONGEST_NAME:
        raise refused(
            "Invalid %s supplied: %s. It is longer than %d characters"
            % (what, value, LONGEST_NAME)
        )
    return value


def check_deployable(value: str, what: str) -> str:
    """Return a model name or version that can name a container.

    Args:
        value: the text.
        what: ``"name"`` or ``"version"``.

    Raises:
        ClipperException: container engines do not accept it.
    """
    if not _DNS_1123.match(value):
        raise ClipperException(
            "Invalid value: %s: a model %s must be a valid DNS-1123 label. "
            "It must consist of lower case alphanumeric characters or '-' "
            "and must start and end with an alphanumeric character (for "
            "example 'sum-model', '1' or 'v1-2'; dots are not allowed)."
            % (value, what)
        )
    return value


def check_input_type(name: str) -> str:
    """Return the canonical name of an input type.

    Raises:
        ClipperException: there is no such type.
    """
    try:
        return canonical(name)
    except ValueError as error:
        raise refused(str(error)) from None
