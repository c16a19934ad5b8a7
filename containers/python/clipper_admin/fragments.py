"""Configuration fragments: the catalog in nginx's language."""

from typing import Dict, List, Tuple

from .entries import ADAPTIVE, Application, Model, Version
from .exceptions import ClipperException
from .names import DIRECTIVE_TYPES, check_input_type
from .nginxconf import Directive, directive, pieces
from .selection import (
    is_selection,
    read_links,
    read_selection,
    write_links,
    write_selection,
)
from .settings import owner_of


def write_model(model: Model) -> List[Directive]:
    """The directives of a model and its versions."""
    block = list(model.others)
    if model.current is not None:
        block.insert(0, directive("version", model.current))
    found = [directive("clipper_model", model.name, block=block)]
    for version in model.versions.values():
        own = [directive("input", DIRECTIVE_TYPES[version.input_type])]
        if not any(other.name == "batch" for other in version.others):
            own.append(
                directive(
                    "batch",
                    "adaptive"
                    if version.batch_size == ADAPTIVE
                    else version.batch_size,
                )
            )
        own += version.others
        if version.labels:
            # No label has a comma, see `check_model_part`.
            own.append(directive("label", *pieces(",".join(version.labels))))
        own.append(directive("image", version.image))
        found.append(
            directive(
                "clipper_model",
                "%s:%s" % (model.name, version.name),
                block=own,
            )
        )
    return found


def read_model(
    models: Dict[str, Model], one: Directive, path: str
) -> None:
    """Add the model or version of a `clipper_model` directive.

    Args:
        path: name of the fragment, for messages.

    Raises:
        ClipperException: the directive does not have the form that
            `write_model` writes.
    """
    if len(one.args) != 1 or one.block is None:
        raise ClipperException(
            "%s: clipper_model must have one argument and a block" % path
        )
    name, colon, number = one.args[0].partition(":")
    model = models.setdefault(name, Model(name))
    if not colon:
        for inner in one.block:
            if inner.name == "version" and inner.args:
                model.current = inner.args[0]
            else:
                model.others.append(inner)
        return
    version = Version(number, "doubles")
    for inner in one.block:
        value = inner.args[0] if inner.args else ""
        if inner.name == "input":
            version.input_type = check_input_type(value)
        elif inner.name == "batch" and value != "aimd":
            version.batch_size = (
                ADAPTIVE if value == "adaptive" else int(value)
            )
        elif inner.name == "label":
            version.labels = "".join(inner.args).split(",")
        elif inner.name == "image":
            version.image = value
        else:
            version.others.append(inner)
    model.versions[number] = version


def write_application(app: Application) -> Directive:
    """The location of an application."""
    block = [
        directive("clipper_app", app.name),
        directive(
            "clipper_input", DIRECTIVE_TYPES[app.input_type], *app.input_options
        ),
        directive("clipper_slo", "%dms" % (app.slo_micros // 1000)),
        directive("clipper_default", *pieces(app.default_output)),
    ]
    for found in app.settings.values():
        block += found
    block += write_links(app.links)
    block += write_selection(app.selection, len(app.links))
    return directive("location", "/" + app.name, block=block + app.others)


def read_application(one: Directive, path: str) -> Application:
    """The application of a location.

    Args:
        path: name of the fragment, for messages.

    Raises:
        ClipperException: clipper_app is missing, or a time is malformed.
    """
    app = Application("", "doubles", "null", 100000)
    for inner in one.block or []:
        value = inner.args[0] if inner.args else ""
        if inner.name == "clipper_app":
            app.name = value
        elif inner.name == "clipper_input":
            app.input_type = check_input_type(value)
            app.input_options = inner.args[1:]
        elif inner.name == "clipper_slo":
            app.slo_micros = _micros(value, path)
        elif inner.name == "clipper_default":
            app.default_output = "".join(inner.args)
        elif owner_of(inner) is not None:
            app.settings.setdefault(str(owner_of(inner)), []).append(inner)
        elif inner.name == "clipper_link":
            app.links += read_links(inner)
        elif is_selection(inner):
            app.selection = read_selection(app.selection, inner)
        else:
            app.others.append(inner)
    if not app.name:
        raise ClipperException("%s: the location has no clipper_app" % path)
    return app


_UNITS: Tuple[Tuple[str, int], ...] = (
    ("ms", 1000),
    ("s", 1000000),
    ("m", 60000000),
)


def _micros(text: str, path: str) -> int:
    for unit, factor in _UNITS:
        number = text[: -len(unit)]
        if text.endswith(unit) and number.isdigit():
            return int(number) * factor
    raise ClipperException("%s: malformed time %s" % (path, text))
