"""The catalog of a cluster: applications, models, links, and their rules.

A catalog is read from configuration fragments and written back to them; no
other record exists. In between it is plain data. Each change makes the
checks of Clipper's management service, with the same messages.

Directives that this package does not know stay as they are, so operators
can tune a fragment by hand.
"""

import logging
from typing import Any, Dict, List, Mapping, Optional

from . import fragments, nginxconf
from .entries import (
    ADAPTIVE,
    MODEL_TUNING,
    NO_CONTAINER,
    VERSION_TUNING,
    Application,
    Model,
    Version,
)
from .exceptions import ClipperException, refused
from .names import check_application_name, check_input_type, check_model_part
from .nginxconf import directive
from .selection import Link, Selection, make_link
from .settings import make_nulls, make_settings

__all__ = [
    "ADAPTIVE",
    "MODEL_TUNING",
    "NO_CONTAINER",
    "VERSION_TUNING",
    "Application",
    "Catalog",
    "Fragments",
    "Model",
    "Version",
]

logger = logging.getLogger(__name__)

#: Text of the fragments by file name. The http block includes
#: "models/NAME.conf", the server of the applications "apps/NAME.conf".
Fragments = Dict[str, str]


class Catalog:
    """All applications and models of a cluster."""

    def __init__(self) -> None:
        self.applications: Dict[str, Application] = {}
        self.models: Dict[str, Model] = {}

    # Applications.

    def add_application(
        self,
        name: str,
        input_type: str,
        default_output: str,
        slo_micros: int,
        selection: Selection = Selection(),
        nulls: Optional[bool] = None,
        **settings: Any,
    ) -> None:
        """Register an application; the SLO is rounded up to milliseconds.

        Args:
            nulls: see `settings.make_nulls`.
            settings: by name, see `settings.SETTINGS`.

        Raises:
            ClipperException: the name, type, default, SLO or a setting is
                not valid, or the application exists.
        """
        check_application_name(name)
        kind = check_input_type(input_type)
        if not isinstance(default_output, str):
            raise refused(
                "Type mismatch! JSON key default_output expected type String "
                "but found type %s" % type(default_output).__name__
            )
        slo = _check_slo(slo_micros)
        if name in self.applications:
            raise refused("application '%s' already exists" % name)
        added = Application(name, kind, default_output, slo)
        added.selection = selection
        added.input_options = make_nulls(nulls, kind)
        added.settings = make_settings(settings)
        given = [nulls, *settings.values()]
        self._note(
            "add_app",
            selection == Selection() and all(one is None for one in given),
            name=name, input_type=input_type, default_output=default_output,
            latency_slo_micros=int(slo_micros),
        )
        self.applications[name] = added

    def delete_application(self, name: str) -> None:
        """Remove an application; its links go with it, no model does.

        Raises:
            ClipperException: there is none of this name.
        """
        if name not in self.applications:
            raise refused("Application '%s' does not exist" % name)
        self._note("delete_app", name=name)
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
            ClipperException: an argument is not valid, the version exists,
                or a linked application has another input type.
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
        self._check_compatible(name, version, result.input_type)
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
        set_current: bool = True,
    ) -> Version:
        """Register a version.

        Args:
            tuning: values of directives in VERSION_TUNING and MODEL_TUNING.
            set_current: whether it becomes the current one.

        Raises:
            ClipperException: see `check_new_version`.
        """
        added = self.check_new_version(
            name, version, input_type, labels, batch_size
        )
        added.image = image
        tuned = [one for one in (tuning or {}).values() if one is not None]
        self._note(
            "add_model", set_current and not tuned,
            model_name=name, model_version=version, labels=added.labels,
            input_type=input_type, container_name=image,
            model_data_path="DEPRECATED", batch_size=batch_size,
        )
        model = self.models.setdefault(name, Model(name))
        model.versions[version] = added
        if set_current:
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
            ClipperException: the model or version does not exist, or a
                linked application has another input type.
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
        self._check_compatible(
            name, version, model.versions[version].input_type
        )
        self._note(
            "set_model_version", model_name=name, model_version=version
        )
        model.current = version

    def delete_version(self, name: str, version: str) -> None:
        """Remove a version.

        Without the current version the model has none until one is set or
        added, and linked applications answer with their defaults.

        Raises:
            ClipperException: the version does not exist.
        """
        model = self.models.get(name)
        if model is None or version not in model.versions:
            raise refused(
                "model with name '%s' and version '%s' does not exist"
                % (name, version)
            )
        self._note(
            "delete_versioned_model", model_name=name, model_version=version
        )
        del model.versions[version]
        if not model.versions:
            # An empty model would keep its current version.
            del self.models[name]

    def linked_by(self, name: str, version: str) -> List[str]:
        """Names of the applications that link a version by its number."""
        return [
            app.name for app in self.applications.values()
            if any(link[:2] == (name, version) for link in app.links)
        ]

    def find_version(self, name: str, version: str) -> Optional[Version]:
        """A version, or None."""
        model = self.models.get(name)
        return None if model is None else model.versions.get(version)

    def _check_compatible(
        self, name: str, version: str, input_type: str
    ) -> None:
        for app in self.applications.values():
            # A link to another version does not follow the current one.
            linked = any(
                link.model == name and link.version in (None, version)
                for link in app.links
            )
            if linked and app.input_type != input_type:
                raise refused(
                    "Model with name '%s' is already linked to app '%s' "
                    "using input type '%s'. The input type you provided for "
                    "a new version of the model, '%s', is not compatible."
                    % (name, app.name, app.input_type, input_type)
                )

    # Links.

    def link(
        self,
        app_name: str,
        model_names: List[str],
        version: Any = None,
        weight: Any = None,
    ) -> None:
        """Link models to an application.

        Args:
            version: version that answers; None for the current one.
            weight: weight in a weighted policy; replaces that of a link that
                exists.

        Raises:
            ClipperException: the application, the model or the version does
                not exist, the input types differ, the link exists with this
                weight, or the application has no selection policy and would
                have more than one model or a weight.
        """
        app = self.applications.get(app_name)
        if app is None:
            raise refused("No app with name '%s' exists." % app_name)
        links = [make_link(name, version, weight) for name in model_names]
        for link in links:
            self._check_linkable(app, link)
        if not links:
            raise refused(
                "Please provide the name of the model that you want to link "
                "to the application '%s'" % app_name
            )
        if app.selection.policy is None:
            _check_single(app, links)
        self._note(
            "add_model_links", version is None and weight is None,
            app_name=app_name, model_names=model_names,
        )
        for link in links:
            same = [one for one in app.links if link[:2] == one[:2]]
            if same and link.weight in (None, same[0].weight):
                raise refused(
                    "The model with name '%s' is already linked to '%s'"
                    % (link.text, app_name)
                )
            if same:
                app.links[app.links.index(same[0])] = link
            else:
                app.links.append(link)

    def _check_linkable(self, app: Application, link: Link) -> None:
        model = self.models.get(link.model)
        found = None if model is None else model.current_version()
        if model is not None and link.version is not None:
            found = model.versions.get(link.version)
        if found is None:
            text = "No model with name '%s' exists." % link.text
            if model is not None and link.version is None:
                text += (
                    " It has the versions %s, and none is current: set one "
                    "with set_model_version, or link one with version="
                    % ", ".join(model.versions)
                )
            raise refused(text)
        if found.input_type != app.input_type:
            raise refused(
                "Model with name '%s' has incompatible input_type '%s'. "
                "Requested app to link to has input_type '%s'."
                % (link.text, found.input_type, app.input_type)
            )

    def unlink(
        self, app_name: str, model_names: List[str], version: Any = None
    ) -> None:
        """Remove links of an application.

        Args:
            version: remove only links to this version; None for all.

        Raises:
            ClipperException: the application or a link does not exist; then
                no link is removed.
        """
        app = self.applications.get(app_name)
        if app is None:
            raise refused("No app with name %s exists." % app_name)
        gone = [
            link
            for link in app.links
            if link.model in model_names
            and (version is None or link.version == str(version))
        ]
        for name in model_names:
            if name not in [link.model for link in gone]:
                raise refused(
                    "Cannot remove nonexistent link between app %s and "
                    "model %s" % (app_name, name)
                )
        self._note(
            "delete_model_links", version is None,
            app_name=app_name, model_names=model_names,
        )
        app.links = [link for link in app.links if link not in gone]

    def application(self, name: str) -> Application:
        """The application of a name.

        Raises:
            ClipperException: there is none.
        """
        app = self.applications.get(name)
        if app is None:
            raise refused("No application with name '%s' exists." % name)
        return app

    def _note(self, call: str, is_plain: bool = True, **members: Any) -> None:
        """Told of each change that is about to be made.

        Args:
            call: the call of the management API that makes it.
            is_plain: whether the call has members for all of it.
            members: of the call.
        """

    # Fragments.

    def write(self) -> Fragments:
        """The fragments of this catalog."""
        written = {}
        for model in self.models.values():
            written["models/%s.conf" % model.name] = nginxconf.write(
                fragments.write_model(model)
            )
        for app in self.applications.values():
            written["apps/%s.conf" % app.name] = nginxconf.write(
                [fragments.write_application(app)]
            )
        return written

    @classmethod
    def read(cls, texts: Mapping[str, str]) -> "Catalog":
        """Read a catalog from fragments.

        Raises:
            ClipperException: a fragment cannot be read (with its file and
                line).
        """
        catalog = cls()
        for path in sorted(texts):
            directives = nginxconf.read(texts[path], path)
            for one in directives:
                if one.name == "clipper_model":
                    fragments.read_model(catalog.models, one, path)
                elif one.name == "location":
                    app = fragments.read_application(one, path)
                    catalog.applications[app.name] = app
                else:
                    raise ClipperException(
                        "%s: unexpected directive %s" % (path, one.name)
                    )
        return catalog


def _check_single(app: Application, links: List[Link]) -> None:
    """Check that an application without a policy gets only one model."""
    if len(links) > 1:
        raise refused(
            "Applications must be linked with at most one model. "
            "Attempted to add links to %d models." % len(links)
        )
    if links[0].weight is not None:
        raise refused(
            "'%s' has no selection policy, so it takes one model and no "
            "weight. Register it with selection_policy=\"split\" for a share "
            "of the queries" % app.name
        )
    linked = app.linked_models()
    if linked and links[0].model in linked:
        raise refused(
            "The model with name '%s' is already linked to '%s'"
            % (links[0].model, app.name)
        )
    if linked:
        raise refused(
            "A model with name %s is already linked to '%s'."
            % (linked[0], app.name)
        )


def _check_slo(slo_micros: Any) -> int:
    if isinstance(slo_micros, float) and slo_micros.is_integer():
        slo_micros = int(slo_micros)
    if (
        isinstance(slo_micros, bool)
        or not isinstance(slo_micros, int)
        or slo_micros > 2147483647
    ):
        raise refused("PredictionData of type Number is not of type int")
    if slo_micros < 1:
        raise refused(
            "latency_slo_micros must be positive, not %d" % slo_micros
        )
    if slo_micros < 1000:
        logger.warning(
            "latency_slo_micros=%d becomes 1000: the shortest SLO is one "
            "millisecond", slo_micros
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
