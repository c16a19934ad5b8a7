"""Deploying plain Python functions, over whatever they close over."""

from typing import Any, Callable, Iterable, List, Optional

from ..clipper_admin import ClipperConnection
from ..version import __registry__, __version__
from .deployer_utils import NO_SAMPLE, model_directory, register_and_link


def create_endpoint(
    clipper_conn: ClipperConnection,
    name: str,
    input_type: str,
    func: Callable[[Any], Any],
    default_output: str = "None",
    version: Any = 1,
    slo_micros: int = 3000000,
    labels: Optional[List[str]] = None,
    registry: Optional[str] = None,
    base_image: str = "default",
    num_replicas: int = 1,
    batch_size: int = -1,
    pkgs_to_install: Optional[List[str]] = None,
    **options: Any,
) -> None:
    """Register an application, deploy a function, and link them.

    Args:
        name: of the application and of the model.
        default_output: answered when there is no better answer in time.
        slo_micros: microseconds to answer.
        options: and all others: see `deploy_python_closure`.
    """

    def deploy() -> None:
        deploy_python_closure(
            clipper_conn,
            name,
            version,
            input_type,
            func,
            base_image,
            labels,
            registry,
            num_replicas,
            batch_size,
            pkgs_to_install,
            **options,
        )

    register_and_link(
        clipper_conn, name, input_type, default_output, slo_micros, deploy
    )


def deploy_python_closure(
    clipper_conn: ClipperConnection,
    name: str,
    version: Any,
    input_type: str,
    func: Callable[[Any], Any],
    base_image: str = "default",
    labels: Optional[List[str]] = None,
    registry: Optional[str] = None,
    num_replicas: int = 1,
    batch_size: int = -1,
    pkgs_to_install: Optional[List[str]] = None,
    sample_input: Any = NO_SAMPLE,
    modules: Optional[Iterable[Any]] = None,
    **options: Any,
) -> None:
    """Deploy a function with everything that it closes over.

    Args:
        clipper_conn: a connection.
        name: of the model: lower case letters, digits and `-`.
        version: any object; its `str` has the form of a name.
        input_type: bytes, integers, floats, doubles or strings.
        func: called with a batch, returns a list with one output for each
            input; see `clipper_container.serve`.
        base_image: image that the model's is built from.
        labels: free texts.
        registry: where the image is pushed to.
        num_replicas: how many containers.
        batch_size: most inputs in a batch; -1 lets the server choose.
        pkgs_to_install: pip's requirement strings.
        sample_input: one input that each container runs through the
            function before it takes queries. When the function fails on it,
            so does the deployment.
        modules: modules to carry along, see `modules` in
            `deployer_utils.model_directory`.
        options: env, cpus, memory, gpus and tuning of
            `ClipperConnection.deploy_model`.

    Raises:
        ClipperException: the function cannot be pickled, something is not
            valid, or a container failed (with its last lines).
    """
    if base_image == "default":
        base_image = "%s/python-closure-container:%s" % (
            __registry__,
            __version__,
        )
    with model_directory(func, "closure", sample_input, modules) as path:
        clipper_conn.build_and_deploy_model(
            name,
            version,
            input_type,
            path,
            base_image,
            labels,
            registry,
            num_replicas,
            batch_size,
            pkgs_to_install,
            **options,
        )
