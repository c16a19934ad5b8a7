"""What a cluster serves: applications, models, links; and its rules.

A catalog is read from configuration fragments and written back to them:
they are the only truth. Between, it is plain data. Each change checks what
Clipper's management service checked, with the same texts.

Directives that this package does not know are kept as they are, so a
fragment may be tuned by hand.
"""

from typing import Any, Dict, List, Mapping, Optional, Tuple

from . import nginxconf
from .exceptions import ClipperException, refused
from .names import (
    DIRECTIVE_TYPES,
    check_application_name,
    check_input_type,
    check_model_part,
)
from .nginxconf import Directive, directive

#: Fragments, by the place that includes them: "models/NAME.conf" in the
#: http block, "apps/NAME.conf" in the server of the applications.
Fragments = Dict[str, str]

#: `image` of a model whose containers somebody else runs.
NO_CONTAINER = "NO_CONTAINER"

#: Batch size that lets the server find the best one.
ADAPTIVE = -1

#: Directives that tune one version, beside `batch`.
VERSION_TUNING = ("batch_max", "batch_wait")

#: Directives that tune a model with all its versions.
MODEL_TUNING = ("queue", "queue_size", "hedge", "replica_timeout")


class Application:
    """An application: what queries look like and who answers them.

    Attributes:
        name: also the first part of its path.
        input_type: canonical name.
        default_output: answered when there is no better answer in time.
        slo_micros: time to answer in microseconds; a multiple of 1 000.
        links: model names (perhaps with `:VERSION`), in order.
        others: directives that are kept as they are.
    """

    def __init__(
        self, name: str, input_type: str, default_output: str, slo_micros: int
    ) -> None:
        self.name = name
        self.input_type = input_type
        self.default_output = default_output
        self.slo_micros = slo_micros
        self.links: List[str] = []
        self.others: List[Directive] = []

    def linked_models(self) -> List[str]:
        """Names of the linked models, without versions."""
        return [link.partition(":")[0] for link in self.links]

    def describe(self) -> Dict[str, Any]:
        """The application as Clipper's API reports it."""
        return {
            "input_type": self.input_type,
            "default_output": self.default_output,
            "latency_slo_micros": self.slo_micros,
            "name": self.name,
            "linked_models": self.linked_models(),
        }


class Version:
    """One version of a model.

    Attributes:
        name: the version's text.
        input_type: canonical name.
        labels: free texts.
        image: where its containers come from, or NO_CONTAINER.
        batch_size: most inputs in a batch; ADAPTIVE lets the server choose.
        others: directives that are kept as they are.
    """

    def __init__(self, name: str, input_type: str) -> None:
        self.name = name
        self.input_type = input_type
        self.labels: List[str] = []
        self.image = NO_CONTAINER
        self.batch_size = ADAPTIVE
        self.others: List[Directive] = []


class Model:
    """A model: its versions and which of them is current.

    Attributes:
        name: the model's name.
        current: the version that answers; it may have been deleted since.
        versions: by name, in the order of registration.
        others: directives that are kept as they are.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.current: Optional[str] = None
        self.versions: Dict[str, Version] = {}
        self.others: List[Directive] = []

    def current_version(self) -> Optional[Version]:
        """The version that answers, if it exists."""
        if self.current is None:
            return None
        return self.versions.get(self.current)

    def describe(self, version: Version) -> Dict[str, Any]:
        """A version as Clipper's API reports it."""
        return {
            "model_name": self.name,
            "model_version": version.name,
            "input_type": version.input_type,
            "labels": list(version.labels),
            "container_name": version.image,
            "model_data_path": "DEPRECATED",
            "is_current_version": version.name == self.current,
        }


class Catalog:
    """All applications and models of a cluster."""

    def __init__(self) -> None:
        self.applications: Dict[str, Application] = {}
        self.models: Dict[str, Model] = {}

    # Applications.

    def add_application(
        self, name: str, input_type: str, default_output: str, slo_micros: int
    ) -> None:
        """Register an application; the SLO is rounded up to milliseconds.

        Raises:
            ClipperException: bad name, type, default or SLO; known already.
        """
        check_application_name(name)
        input_type = check_input_type(input_type)
        if not isinstance(default_output, str):
            raise refused(
                "Type mismatch! JSON key default_output expected type String "
                "but found type %s" % type(default_output).__name__
            )
        slo_micros = _check_slo(slo_micros)
        if name in self.applications:
            raise refused("application '%s' already exists" % name)
        self.applications[name] = Application(
            name, input_type, default_output, slo_micros
        )

    def delete_application(self, name: str) -> None:
        """Unregister an application with its links.

        Raises:
            ClipperException: there is none.
        """
        if name not in self.applications:
            raise refused("Application '%s' does not exist" % name)
        del self.applications[name]

    # Models.

    def check_new_version(
        self,
        name: str,
        version: str,
        input_type: str,
        labels: Optional[List[str]],
        batch_size: int,
    ) -> Version:
        """Check a version before it is registered, and return it.

        Raises:
            ClipperException: bad batch size, name, version, label or type;
                known already; another type than a linked application has.
        """
        _check_batch_size(batch_size)
        check_model_part(name, "model name")
        check_model_part(version, "model version")
        if isinstance(labels, str):
            raise refused(
                "Type mismatch! JSON key labels expected type Array but "
                "found type String"
            )
        checked = [check_model_part(one, "label") for one in labels or []]
        result = Version(version, check_input_type(input_type))
        result.labels = checked
        result.batch_size = batch_size
        model = self.models.get(name)
        if model is not None and version in model.versions:
            raise refused(
                "model with name '%s' and version '%s' already exists"
                % (name, version)
            )
        self._check_compatible(name, result.input_type)
        return result

    def add_version(
        self,
        name: str,
        version: str,
        input_type: str,
        image: str = NO_CONTAINER,
        labels: Optional[List[str]] = None,
        batch_size: int = ADAPTIVE,
        tuning: Optional[Mapping[str, Any]] = None,
    ) -> Version:
        """Register a version, which becomes the current one.

        Args:
            tuning: values of directives in VERSION_TUNING and MODEL_TUNING.

        Raises:
            ClipperException: see `check_new_version`.
        """
        added = self.check_new_version(
            name, version, input_type, labels, batch_size
        )
        added.image = image
        model = self.models.setdefault(name, Model(name))
        model.versions[version] = added
        model.current = version
        for key, value in (tuning or {}).items():
            if value is None:
                continue
            owner = added.others if key in VERSION_TUNING else model.others
            owner[:] = [one for one in owner if one.name != key]
            owner.append(directive(key, value))
        return added

    def set_current(self, name: str, version: str) -> None:
        """Make a version the one that answers.

        Raises:
            ClipperException: no such model or version, or its type is not
                the one of a linked application.
        """
        model = self.models.get(name)
        if model is None or not model.versions:
            raise refused(
                "Cannot set version for nonexistent model '%s'" % name
            )
        if version not in model.versions:
            raise refused(
                "Cannot set non-existent version '%s' for model with name "
                "'%s'" % (version, name)
            )
        self._check_compatible(name, model.versions[version].input_type)
        model.current = version

    def delete_version(self, name: str, version: str) -> None:
        """Remove a version.

        When it was the current one, none is until another is set or added,
        and linked applications answer their defaults.

        Raises:
            ClipperException: there is no such version.
        """
        model = self.models.get(name)
        if model is None or version not in model.versions:
            raise refused(
                "model with name '%s' and version '%s' does not exist"
                % (name, version)
            )
        del model.versions[version]
        if not model.versions:
            # A pointer to nothing would outlive the model.
            del self.models[name]

    def find_version(self, name: str, version: str) -> Optional[Version]:
        """A version, or None."""
        model = self.models.get(name)
        return None if model is None else model.versions.get(version)

    def _check_compatible(self, name: str, input_type: str) -> None:
        for app in self.applications.values():
            if name in app.linked_models() and app.input_type != input_type:
                raise refused(
                    "Model with name '%s' is already linked to app '%s' "
                    "using input type '%s'. The input type you provided for "
                    "a new version of the model, '%s', is not compatible."
                    % (name, app.name, app.input_type, input_type)
                )

    # Links.

    def link(self, app_name: str, model_names: List[str]) -> None:
        """Link models to an application (at present exactly one).

        Raises:
            ClipperException: unknown application or model, other input
                type, or there is a link already.
        """
        app = self.applications.get(app_name)
        if app is None:
            raise refused("No app with name '%s' exists." % app_name)
        for name in model_names:
            self._check_linkable(app, name)
        if not model_names:
            raise refused(
                "Please provide the name of the model that you want to link "
                "to the application '%s'" % app_name
            )
        if len(model_names) > 1:
            raise refused(
                "Applications must be linked with at most one model. "
                "Attempted to add links to %d models." % len(model_names)
            )
        linked = app.linked_models()
        if linked:
            if model_names[0] in linked:
                raise refused(
                    "The model with name '%s' is already linked to '%s'"
                    % (model_names[0], app_name)
                )
            raise refused(
                "A model with name %s is already linked to '%s'."
                % (linked[0], app_name)
            )
        app.links = list(model_names)

    def _check_linkable(self, app: Application, name: str) -> None:
        model = self.models.get(name)
        current = None if model is None else model.current_version()
        if current is None:
            raise refused("No model with name '%s' exists." % name)
        if current.input_type != app.input_type:
            raise refused(
                "Model with name '%s' has incompatible input_type '%s'. "
                "Requested app to link to has input_type '%s'."
                % (name, current.input_type, app.input_type)
            )

    def unlink(self, app_name: str, model_names: List[str]) -> None:
        """Remove links of an application.

        Raises:
            ClipperException: unknown application, or a link that is not
                there; then none is removed.
        """
        app = self.applications.get(app_name)
        if app is None:
            raise refused("No app with name %s exists." % app_name)
        for name in model_names:
            if name not in app.linked_models():
                raise refused(
                    "Cannot remove nonexistent link between app %s and "
                    "model %s" % (app_name, name)
                )
        app.links = [
            link
            for link in app.links
            if link.partition(":")[0] not in model_names
        ]

    def linked_models(self, app_name: str) -> List[str]:
        """Names of the models linked to an application.

        Raises:
            ClipperException: there is no such application.
        """
        app = self.applications.get(app_name)
        if app is None:
            raise refused("No application with name '%s' exists." % app_name)
        return app.linked_models()

    # Fragments.

    def write(self) -> Fragments:
        """The fragments of this catalog."""
        fragments = {}
        for model in self.models.values():
            fragments["models/%s.conf" % model.name] = nginxconf.write(
                _write_model(model)
            )
        for app in self.applications.values():
            fragments["apps/%s.conf" % app.name] = nginxconf.write(
                [_write_application(app)]
            )
        return fragments

    @classmethod
    def read(cls, fragments: Mapping[str, str]) -> "Catalog":
        """The catalog of fragments.

        Raises:
            ClipperException: with file and line of what it cannot read.
        """
        catalog = cls()
        for path in sorted(fragments):
            directives = nginxconf.read(fragments[path], path)
            for one in directives:
                if one.name == "clipper_model":
                    _read_model(catalog, one, path)
                elif one.name == "location":
                    app = _read_application(one, path)
                    catalog.applications[app.name] = app
                else:
                    raise ClipperException(
                        "%s: unexpected directive %s" % (path, one.name)
                    )
        return catalog


def _check_slo(slo_micros: Any) -> int:
    if isinstance(slo_micros, float) and slo_micros.is_integer():
        slo_micros = int(slo_micros)
    if (
        isinstance(slo_micros, bool)
        or not isinstance(slo_micros, int)
        or slo_micros > 2147483647
    ):
        raise refused("PredictionData of type Number is not of type int")
    if slo_micros < 1000:
        raise refused(
            "latency_slo_micros must be at least 1000 (one millisecond), "
            "not %d" % slo_micros
        )
    return (slo_micros + 999) // 1000 * 1000


def _check_batch_size(batch_size: int) -> None:
    if (
        isinstance(batch_size, bool)
        or not isinstance(batch_size, int)
        or (batch_size <= 0 and batch_size != ADAPTIVE)
    ):
        raise refused(
            "The batch size must be positive or DEFAULT_BATCH_SIZE, which "
            "is -1"
        )


def _write_model(model: Model) -> List[Directive]:
    block = list(model.others)
    if model.current is not None:
        block.insert(0, directive("version", model.current))
    found = [directive("clipper_model", model.name, block=block)]
    for version in model.versions.values():
        own = [
            directive("input", DIRECTIVE_TYPES[version.input_type]),
            directive(
                "batch",
                "adaptive"
                if version.batch_size == ADAPTIVE
                else version.batch_size,
            ),
        ]
        own += version.others
        if version.labels:
            # No label has a comma, see `check_model_part`.
            own.append(directive("label", ",".join(version.labels)))
        own.append(directive("image", version.image))
        found.append(
            directive(
                "clipper_model",
                "%s:%s" % (model.name, version.name),
                block=own,
            )
        )
    return found


def _read_model(catalog: Catalog, one: Directive, path: str) -> None:
    if len(one.args) != 1 or one.block is None:
        raise ClipperException("%s: malformed clipper_model" % path)
    name, colon, number = one.args[0].partition(":")
    model = catalog.models.setdefault(name, Model(name))
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
        elif inner.name == "batch":
            version.batch_size = (
                ADAPTIVE if value == "adaptive" else int(value)
            )
        elif inner.name == "label":
            version.labels = value.split(",")
        elif inner.name == "image":
            version.image = value
        else:
            version.others.append(inner)
    model.versions[number] = version


def _write_application(app: Application) -> Directive:
    block = [
        directive("clipper_app", app.name),
        directive("clipper_input", DIRECTIVE_TYPES[app.input_type]),
        directive("clipper_slo", "%dms" % (app.slo_micros // 1000)),
        directive("clipper_default", app.default_output),
    ]
    if app.links:
        block.append(directive("clipper_link", *app.links))
    return directive("location", "/" + app.name, block=block + app.others)


def _read_application(one: Directive, path: str) -> Application:
    app = Application("", "doubles", "null", 100000)
    for inner in one.block or []:
        value = inner.args[0] if inner.args else ""
        if inner.name == "clipper_app":
            app.name = value
        elif inner.name == "clipper_input" and len(inner.args) == 1:
            app.input_type = check_input_type(value)
        elif inner.name == "clipper_slo":
            app.slo_micros = _micros(value, path)
        elif inner.name == "clipper_default":
            app.default_output = value
        elif inner.name == "clipper_link" and not _is_weighted(inner):
            app.links += inner.args
        else:
            app.others.append(inner)
    if not app.name:
        raise ClipperException("%s: a location without clipper_app" % path)
    return app


def _is_weighted(one: Directive) -> bool:
    return any("=" in arg for arg in one.args)


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
