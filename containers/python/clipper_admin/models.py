"""Models: build, deploy, register, scale and stop versions."""

import contextlib
import logging
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from . import status as server_status
from .catalog import (
    ADAPTIVE,
    MODEL_TUNING,
    NO_CONTAINER,
    VERSION_TUNING,
    Catalog,
    Version,
)
from .connection import Connection
from .containers import ContainerOptions, Deployed
from .exceptions import ClipperException
from .names import check_deployable

logger = logging.getLogger(__name__)


class Models(Connection):
    """The methods of `ClipperConnection` for models."""

    # Deploying models.

    def build_model(
        self,
        name: str,
        version: Any,
        model_data_path: str,
        base_image: str,
        container_registry: Optional[str] = None,
        pkgs_to_install: Optional[List[str]] = None,
    ) -> str:
        """Build the image of a model directory.

        Args:
            name: lower case letters, digits and `-`.
            version: any object; its `str` has the form of a name.
            model_data_path: the model directory.
            base_image: image with the program that runs the model. Without
                a container engine only the bench images make a difference.
            container_registry: registry that the image is pushed to; None
                for none. Not used without a container engine.
            pkgs_to_install: pip's requirement strings.

        Returns:
            the image's name, for `deploy_model`.

        Raises:
            ClipperException: a name is not valid, the directory or the base
                image does not exist, a package cannot be installed, or the
                model was saved with other versions of Python or of a package
                than the image has.
        """
        version = str(version)
        check_deployable(name, "name")
        check_deployable(version, "version")
        logger.info("Building model %s:%s from %s", name, version,
                    model_data_path)
        return self.cm.build_model(
            name,
            version,
            model_data_path,
            base_image,
            container_registry,
            pkgs_to_install,
        )

    def deploy_model(
        self,
        name: str,
        version: Any,
        input_type: str,
        image: str,
        labels: Optional[List[str]] = None,
        num_replicas: int = 1,
        batch_size: int = ADAPTIVE,
        env: Optional[Mapping[str, str]] = None,
        cpus: Optional[float] = None,
        memory: Any = None,
        gpus: Any = None,
        set_current: bool = True,
        **tuning: Any,
    ) -> None:
        """Start containers of an image and make it the current version.

        Returns when the containers are connected and ready. When one of
        them fails, all are removed and nothing changes.

        Args:
            name: lower case letters, digits and `-`.
            version: any object; its `str` has the form of a name.
            input_type: bytes, integers, floats, doubles or strings.
            image: what `build_model` returned.
            labels: free texts without comma and colon.
            num_replicas: number of containers.
            batch_size: maximum batch size; -1 lets the server choose.
            env: environment variables of the containers.
            cpus: processor cores for each container; it also limits the
                threads of numeric libraries.
            memory: bytes for each container, or a text such as ``"2g"``.
            gpus: number of GPUs, list of indices, or ``"all"``.
            set_current: False leaves the current version as it is. The new
                one answers queries that name it (``"version"``) and links
                to it, until `set_model_version` makes it current.
            tuning: values of the directives batch_max, batch_wait and
                batch_timeout for this version, and of queue, queue_size,
                hedge and replica_timeout for the model with all its
                versions.

        Raises:
            ClipperException: an argument is not valid, the version exists,
                or a container failed (with its last lines).
        """
        version = str(version)
        self._check_connected()
        check_deployable(name, "name")
        check_deployable(version, "version")
        unknown = sorted(set(tuning) - set(VERSION_TUNING + MODEL_TUNING))
        if unknown:
            raise TypeError(
                "deploy_model() got an unexpected keyword argument %r"
                % unknown[0]
            )
        if tuning.get("batch_timeout") is not None:
            env = {
                "CLIPPER_BATCH_TIMEOUT": str(tuning["batch_timeout"]),
                **(env or {}),
            }
        options = ContainerOptions(env, cpus, memory, gpus)
        with self.cm.model_lock(name):
            self._read().check_new_version(
                name, version, input_type, labels, batch_size
            )
            self.cm.start_models(
                Deployed(name, version, input_type, image), num_replicas,
                options,
            )
            try:
                self._register(
                    name, version, input_type, image, labels, batch_size,
                    tuning, set_current,
                )
            except BaseException:
                self.cm.stop_models({name: [version]})
                raise
        logger.info("Done deploying model %s:%s.", name, version)

    def build_and_deploy_model(
        self,
        name: str,
        version: Any,
        input_type: str,
        model_data_path: str,
        base_image: str,
        labels: Optional[List[str]] = None,
        container_registry: Optional[str] = None,
        num_replicas: int = 1,
        batch_size: int = ADAPTIVE,
        pkgs_to_install: Optional[List[str]] = None,
        **options: Any,
    ) -> None:
        """Build and deploy a model, see `build_model` and `deploy_model`.

        Args:
            options: env, cpus, memory, gpus, set_current and tuning of
                `deploy_model`.
        """
        self._check_connected()
        version = str(version)
        check_deployable(name, "name")
        check_deployable(version, "version")
        # The build would replace the image of a version that exists.
        self._read().check_new_version(
            name, version, input_type, labels, batch_size
        )
        image = self.build_model(
            name,
            version,
            model_data_path,
            base_image,
            container_registry,
            pkgs_to_install,
        )
        self.deploy_model(
            name,
            version,
            input_type,
            image,
            labels,
            num_replicas,
            batch_size,
            **options,
        )

    def register_model(
        self,
        name: str,
        version: Any,
        input_type: str,
        image: Optional[str] = None,
        labels: Optional[List[str]] = None,
        batch_size: int = ADAPTIVE,
        set_current: bool = True,
    ) -> None:
        """Register a version whose containers run elsewhere.

        Args:
            set_current: False leaves the current version as it is.

        Raises:
            ClipperException: an argument is not valid, or the version
                exists.
        """
        self._check_connected()
        self._register(
            name, str(version), input_type, image, labels, batch_size, {},
            set_current,
        )

    def _register(
        self,
        name: str,
        version: str,
        input_type: str,
        image: Optional[str],
        labels: Optional[List[str]],
        batch_size: int,
        tuning: Mapping[str, Any],
        set_current: bool,
    ) -> None:
        self._change(
            lambda catalog: catalog.add_version(
                name,
                version,
                input_type,
                image or NO_CONTAINER,
                labels,
                batch_size,
                tuning,
                set_current,
            )
        )
        logger.info("Successfully registered model %s:%s", name, version)

    # Versions and replicas.

    def set_model_version(
        self, name: str, version: Any, num_replicas: Optional[int] = None
    ) -> None:
        """Make a version the current one, for example to roll back.

        Args:
            name: name of the model.
            version: any object; its `str` is used.
            num_replicas: also set the number of its containers.

        Raises:
            ClipperException: the model or the version does not exist.
        """
        self._check_connected()
        version = str(version)
        self._change(lambda catalog: catalog.set_current(name, version))
        logger.info("Model %s now has version %s", name, version)
        if num_replicas is not None:
            self.set_num_replicas(name, num_replicas, version)

    def get_current_model_version(self, name: str) -> str:
        """The version of a model that answers.

        Raises:
            ClipperException: it has none, or the model does not exist.
        """
        return self._current_version(self._read(), name).name

    def _current_version(self, catalog: Catalog, name: str) -> Version:
        model = catalog.models.get(name)
        version = None if model is None else model.current_version()
        if version is None:
            raise ClipperException(
                "No versions of model {} registered with Clipper".format(name)
            )
        return version

    def get_num_replicas(self, name: str, version: Any = None) -> int:
        """How many containers of a version run.

        Args:
            version: None for the current one.
        """
        self._check_connected()
        if version is None:
            version = self.get_current_model_version(name)
        return self.cm.get_num_replicas(name, str(version))

    def set_num_replicas(
        self, name: str, num_replicas: int, version: Any = None
    ) -> None:
        """Start or stop containers of a version; the newest stop first.

        Args:
            version: None for the current one.

        Raises:
            ClipperException: the model or the version does not exist, its
                containers run elsewhere, or a container failed (with its
                last lines).
        """
        self._check_connected()
        with self.cm.model_lock(name):
            catalog = self._read()
            if version is None:
                version = self._current_version(catalog, name).name
            version = str(version)
            found = catalog.find_version(name, version)
            if found is None:
                raise ClipperException(
                    "Cannot add container for non-registered model "
                    "{}:{}".format(name, version)
                )
            if found.image == NO_CONTAINER:
                raise ClipperException(
                    "Cannot set the number of replicas of {}:{}, a "
                    "containerless model. Deploy it with an image "
                    "first".format(name, version)
                )
            self.cm.set_num_replicas(
                name, version, found.input_type, found.image, num_replicas
            )

    def get_all_models(self, verbose: bool = False) -> List[Any]:
        """All versions of all models, as ``name:version``.

        Args:
            verbose: return dicts as `get_model_info` does.
        """
        found: List[Any] = []
        for model in self._read().models.values():
            for version in model.versions.values():
                found.append(
                    model.describe(version)
                    if verbose
                    else "%s:%s" % (model.name, version.name)
                )
        return found

    def get_model_info(
        self, name: str, version: Any
    ) -> Optional[Dict[str, Any]]:
        """Description of a version; None when it does not exist.

        Members: model_name, model_version, input_type, labels,
        container_name, model_data_path, is_current_version; batch_size, -1
        when the server chooses.
        """
        catalog = self._read()
        found = catalog.find_version(name, str(version))
        return None if found is None else catalog.models[name].describe(found)

    def get_all_model_replicas(self, verbose: bool = False) -> List[Any]:
        """All connected containers, as ``name:version:replica``.

        Args:
            verbose: return dicts as `get_model_replica_info` does.
        """
        described = [
            server_status.describe_replica(one)
            for one in server_status.containers(self.inspect_instance())
        ]
        if verbose:
            return described
        return [
            "%s:%d" % (one["model_id"], one["model_replica_id"])
            for one in described
        ]

    def get_model_replica_info(
        self, name: str, version: Any, replica_id: int
    ) -> Optional[Dict[str, Any]]:
        """Description of a connected container; None when it is not connected.

        Members: model_id, model_name, model_version, model_replica_id,
        input_type.
        """
        replicas: List[Dict[str, Any]] = self.get_all_model_replicas(
            verbose=True
        )
        for one in replicas:
            if (
                one["model_name"] == name
                and one["model_version"] == str(version)
                and one["model_replica_id"] == replica_id
            ):
                return one
        return None

    # Stopping models.

    def stop_models(self, model_names: List[str]) -> None:
        """Stop and unregister all versions of models.

        Applications that link one of them answer with their defaults from
        then on; the log names them.
        """
        self._check_connected()
        names = [model_names] if isinstance(model_names, str) else model_names
        unknown = sorted(set(names) - set(self._read().models))
        if unknown:
            logger.warning("No such models: %s", ", ".join(unknown))
        self._stop(names, _versions)
        logger.info("Stopped all containers for these models: %s",
                    ", ".join(names))

    def stop_versioned_models(
        self, model_versions_dict: Mapping[str, List[Any]]
    ) -> None:
        """Stop and unregister versions of models.

        Applications that link one of them by its number answer with their
        defaults from then on; the log names them.

        Args:
            model_versions_dict: versions by model name.

        Raises:
            ClipperException: a model or a version does not exist; then none
                is stopped.
        """
        self._check_connected()
        wanted = [
            (name, version)
            for name, versions in model_versions_dict.items()
            for version in dict.fromkeys(
                [str(versions)] if isinstance(versions, (str, int))
                else map(str, versions)
            )
        ]
        self._stop([name for name, _ in wanted], lambda catalog: wanted)

    def stop_inactive_model_versions(self, model_names: List[str]) -> None:
        """Stop and unregister the versions of models that nothing uses.

        The current version stays, and so does each version that a link
        names; the log names both the applications and the versions.
        """
        self._check_connected()
        names = [model_names] if isinstance(model_names, str) else model_names
        unknown = sorted(set(names) - set(self._read().models))
        if unknown:
            logger.warning("No such models: %s", ", ".join(unknown))
        self._stop(names, lambda catalog: _inactive(catalog, names))

    def stop_all_model_containers(self) -> None:
        """Stop and unregister all versions of all models."""
        self._check_connected()
        self._stop(list(self._read().models), _versions)
        self.cm.stop_all_model_containers()
        logger.info("Stopped all model containers")

    def _stop(
        self,
        names: List[str],
        choose: Callable[[Catalog], List[Tuple[str, str]]],
    ) -> None:
        """Unregister versions, then stop their containers.

        In this order no container stops when the server refuses the change.

        Args:
            names: the models.
            choose: returns names and versions; those of other models stay.
        """
        def forget(catalog: Catalog) -> Dict[str, List[str]]:
            found: Dict[str, List[str]] = {}
            for name, version in choose(catalog):
                if name not in names:
                    continue
                _warn_about_links(catalog, name, version)
                catalog.delete_version(name, version)
                found.setdefault(name, []).append(version)
            return found

        with contextlib.ExitStack() as locks:
            # No other program may add a container of these versions. All
            # take the locks in the same order.
            for name in sorted(set(names)):
                locks.enter_context(self.cm.model_lock(name))
            stopped = self._change(forget)
            self.cm.stop_models(stopped)
        if stopped:
            logger.info("Stopped %s", ", ".join(
                "%s:%s" % (name, version)
                for name, versions in stopped.items() for version in versions
            ))


def _versions(catalog: Catalog) -> List[Tuple[str, str]]:
    """Names and versions of all models."""
    return [
        (model.name, version)
        for model in catalog.models.values() for version in model.versions
    ]


def _inactive(catalog: Catalog, names: List[str]) -> List[Tuple[str, str]]:
    """Versions of models that are neither current nor linked."""
    found = []
    for name, version in _versions(catalog):
        if name not in names or version == catalog.models[name].current:
            continue
        apps = catalog.linked_by(name, version)
        if apps:
            logger.warning(
                "Model %s:%s is kept: it is linked to %s. Unlink it first "
                "with unlink_model_from_app", name, version, ", ".join(apps)
            )
        else:
            found.append((name, version))
    return found


def _warn_about_links(catalog: Catalog, name: str, version: str) -> None:
    """Log which applications lose a version that is to be stopped."""
    current = catalog.find_version(name, version) is not None and (
        catalog.models[name].current == version
    )
    apps = [
        app.name for app in catalog.applications.values()
        if any(
            link.model == name
            and (link.version == version or current and link.version is None)
            for link in app.links
        )
    ]
    if apps:
        logger.warning(
            "Model %s:%s is stopped although it is linked to %s",
            name, version, ", ".join(apps)
        )
