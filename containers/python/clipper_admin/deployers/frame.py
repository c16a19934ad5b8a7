"""The part that all deployers share.

Each deployer has a function that writes a model's files to a model directory.
`deploying` turns it into the function that programs call, with the arguments
of all deployers; `endpoint_of` makes `create_endpoint` of that.
"""

import contextlib
import functools
import inspect
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional

from clipper_container.functions import check_function

from ..clipper_admin import ClipperConnection
from ..exceptions import ClipperException
from ..names import check_input_type
from ..version import __registry__, __version__
from .deployer_utils import (
    NO_SAMPLE,
    local_modules_by_value,
    model_directory,
)

#: Writes files. Arguments: path of the model directory, then its own.
Writer = Callable[..., None]
Deploy = Callable[..., None]

_ENDPOINT_DOC = """Register an application, deploy a model, and link them.

When the deployment fails, the application is removed again.

Args:
    name: name of the application and of the model.
    default_output: output when no model answers within the SLO.
    slo_micros: latency SLO in microseconds.
    options: for these and all other arguments see `%s`.
"""


def deploying(
    kind: str, image: str, packages: Iterable[str] = (), takes: int = 1
) -> Callable[[Writer], Deploy]:
    """Turn a function that writes a model's files into one that deploys.

    The result takes the arguments of `_deploy`, and after `func` those of the
    writer.

    Args:
        kind: kind of the model, see `clipper_container.loader`.
        image: the default base image, without registry and tag.
        packages: modules that run the model; the model directory records
            their versions.
        takes: with how many arguments the container calls the function.
    """

    def make(write: Writer) -> Deploy:
        own = list(inspect.signature(write).parameters.values())[1:]
        signature = _with_own(_deploy, own)

        def deploy(*args: Any, **kwargs: Any) -> None:
            given = _bind(signature, args, kwargs)
            _check(given, takes)
            mine = {one.name: given.pop(one.name) for one in own}
            elsewhere = (
                given["base_image"] not in ("default", None)
                or bool(given["pkgs_to_install"])
                or "PYTHONPATH" in (given.get("env") or {})
            )
            if given["base_image"] in ("default", None):
                given["base_image"] = "%s/%s:%s" % (
                    __registry__, image, __version__
                )
            _deploy(
                kind=kind, packages=packages, elsewhere=elsewhere,
                write=lambda path: write(path, **mine), **given
            )

        functools.update_wrapper(deploy, write)
        deploy.__signature__ = signature  # type: ignore[attr-defined]
        deploy.takes = takes  # type: ignore[attr-defined]
        return deploy

    return make


def endpoint_of(deploy: Deploy) -> Deploy:
    """Make `create_endpoint` of a function that deploys."""
    own = [
        one
        for name, one in inspect.signature(deploy).parameters.items()
        if name not in inspect.signature(_deploy).parameters
    ]
    signature = _with_own(_create_endpoint, own)

    takes = deploy.takes  # type: ignore[attr-defined]

    def create_endpoint(*args: Any, **kwargs: Any) -> None:
        given = _bind(signature, args, kwargs)
        _check(given, takes)
        _create_endpoint(deploy=deploy, **given)

    create_endpoint.__signature__ = signature  # type: ignore[attr-defined]
    create_endpoint.__module__ = deploy.__module__
    create_endpoint.__qualname__ = create_endpoint.__name__
    create_endpoint.__doc__ = _ENDPOINT_DOC % deploy.__name__
    return create_endpoint


def _check(given: Mapping[str, Any], takes: int) -> None:
    """Refuse a function or an input type before anything is deployed.

    A base image of one's own has a program of its own, which may use any
    object as the function.
    """
    if given.get("base_image") in ("default", None):
        try:
            check_function(given["func"], takes)
        except TypeError as error:
            raise ClipperException(str(error)) from None
    check_input_type(given["input_type"])


def _deploy(
    clipper_conn: ClipperConnection,
    name: str,
    version: Any,
    input_type: str,
    func: Callable[..., Any],
    base_image: str = "default",
    labels: Optional[List[str]] = None,
    registry: Optional[str] = None,
    num_replicas: int = 1,
    batch_size: int = -1,
    pkgs_to_install: Optional[List[str]] = None,
    sample_input: Any = NO_SAMPLE,
    modules: Optional[Iterable[Any]] = None,
    strings: Optional[str] = None,
    *,
    kind: str,
    packages: Iterable[str],
    elsewhere: bool,
    write: Callable[[str], None],
    **options: Any,
) -> None:
    with model_directory(
        func, kind, sample_input, modules, packages, strings, elsewhere
    ) as path:
        with local_modules_by_value(modules):
            write(path)
        clipper_conn.build_and_deploy_model(
            name, version, input_type, path, base_image, labels, registry,
            num_replicas, batch_size, pkgs_to_install, **options,
        )


def _create_endpoint(
    clipper_conn: ClipperConnection,
    name: str,
    input_type: str,
    func: Callable[..., Any],
    default_output: str = "None",
    version: Any = 1,
    slo_micros: int = 3000000,
    labels: Optional[List[str]] = None,
    registry: Optional[str] = None,
    base_image: str = "default",
    num_replicas: int = 1,
    batch_size: int = -1,
    pkgs_to_install: Optional[List[str]] = None,
    *,
    deploy: Deploy,
    **options: Any,
) -> None:
    clipper_conn.register_application(
        name, input_type, default_output, slo_micros
    )
    try:
        deploy(
            clipper_conn=clipper_conn, name=name, version=version,
            input_type=input_type, func=func, base_image=base_image,
            labels=labels, registry=registry, num_replicas=num_replicas,
            batch_size=batch_size, pkgs_to_install=pkgs_to_install, **options,
        )
        clipper_conn.link_model_to_app(name, name)
    except BaseException:
        with contextlib.suppress(ClipperException):
            clipper_conn.unregister_application(name)
        raise


def _with_own(
    frame: Callable[..., None], own: List[inspect.Parameter]
) -> inspect.Signature:
    """The public signature of a frame with a deployer's own arguments."""
    signature = inspect.signature(frame)
    parameters: List[inspect.Parameter] = []
    for one in signature.parameters.values():
        if one.kind is not inspect.Parameter.KEYWORD_ONLY:
            parameters.append(one)
        if one.name == "func":
            parameters += own
    return signature.replace(parameters=parameters)


def _bind(
    signature: inspect.Signature, args: Any, kwargs: Any
) -> Dict[str, Any]:
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    given = dict(bound.arguments)
    given.update(given.pop("options"))
    return given
