"""Write model directories: a function, its modules, their versions."""

import contextlib
import importlib.metadata
import json
import logging
import os
import pickle
import pickletools
import platform
import shutil
import site
import sys
import sysconfig
import tempfile
from types import ModuleType
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Set,
    Tuple,
)

import cloudpickle

from clipper_container.input_types import check_strings
from clipper_container.loader import (
    FUNCTION_FILE,
    METADATA_FILE,
    MODULES_DIRECTORY,
    SAMPLE_FILE,
)

from ..exceptions import ClipperException
from . import travel
from .missing import Need
from .why import culprit

logger = logging.getLogger(__name__)

#: Default of `sample_input`: no warm-up. None can be a sample.
NO_SAMPLE: Any = type("NoSample", (), {"__repr__": lambda self: "<none>"})()

#: Modules that are never pickled by value, wherever they are.
_OURS = ("clipper_admin", "clipper_container")


@contextlib.contextmanager
def model_directory(
    func: Callable[..., Any],
    kind: str,
    sample_input: Any = NO_SAMPLE,
    modules: Optional[Iterable[Any]] = None,
    packages: Iterable[str] = (),
    strings: Optional[str] = None,
    elsewhere: bool = False,
) -> Iterator[str]:
    """Make a temporary model directory with a function.

    The deployer adds its own files. The directory is removed at the end of
    the context.

    Args:
        func: the function.
        kind: kind of the model, see `clipper_container.loader`.
        sample_input: one input for the warm-up.
        modules: modules, or their names, that are pickled with the function
            because the container does not have them. Modules outside of
            site-packages always are, also those that the function imports
            when it runs.
        packages: modules that run the model; their versions are recorded
            with those of the modules that the function imports.
        strings: what the function gets for strings, ``"str"`` or
            ``"bytes"``; None for the usual, `str`.
        elsewhere: whether the container may have modules that are not found
            here; without them an import of such a module is refused.

    Raises:
        ClipperException: the function cannot be pickled or imports what is
            not found, or `strings` is another word.
    """
    try:
        check_strings(strings)
    except ValueError as error:
        raise ClipperException(str(error)) from None
    path = tempfile.mkdtemp(prefix="clipper-model-")
    try:
        copied = modules_of(func, modules, elsewhere)
        travel.copy(copied, os.path.join(path, MODULES_DIRECTORY))
        pickled = serialize(func, modules, copied)
        with open(os.path.join(path, FUNCTION_FILE), "wb") as f:
            f.write(pickled)
        if sample_input is not NO_SAMPLE:
            with open(os.path.join(path, SAMPLE_FILE), "wb") as f:
                f.write(cloudpickle.dumps(sample_input))
        metadata: Dict[str, Any] = {
            "kind": kind,
            "python": platform.python_version(),
            "packages": versions_of(
                imported_modules(pickled).union(packages)
            ),
        }
        if strings is not None:
            metadata["strings"] = strings
        with open(
            os.path.join(path, METADATA_FILE), "w", encoding="utf-8"
        ) as f:
            json.dump(metadata, f, indent=1, sort_keys=True)
        logger.info("Serialized and supplied predict function")
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def serialize(
    func: Callable[..., Any],
    modules: Optional[Iterable[Any]] = None,
    copied: Iterable[str] = (),
) -> bytes:
    """Pickle a function with the local modules that it uses.

    Args:
        modules: further modules, or their names.
        copied: names of top-level modules that the container can import.

    Raises:
        ClipperException: it cannot be pickled (with the path to the value
            that cannot), or a module does not exist.
    """
    with local_modules_by_value(modules, copied):
        try:
            pickled: bytes = cloudpickle.dumps(func)
            return pickled
        except (
            pickle.PicklingError, TypeError, AttributeError, RecursionError,
            NotImplementedError, ValueError,
        ) as error:
            name = getattr(func, "__name__", type(func).__name__)
            raise ClipperException(
                "The function cannot be pickled: %s. Found in %s"
                % (error, culprit(func, name) or name)
            ) from error


def modules_of(
    func: Callable[..., Any],
    modules: Optional[Iterable[Any]] = None,
    elsewhere: bool = False,
) -> Dict[str, Tuple[str, str]]:
    """The local modules that a function imports when it runs.

    Args:
        modules: further modules, or their names.
        elsewhere: whether the container may have others.

    Returns:
        name of the top-level module -> its place, and the import.

    Raises:
        ClipperException: a module that is imported is not found.
    """
    installed = _installation_directories()

    def is_local(path: str) -> bool:
        real = os.path.realpath(path)
        if not os.path.exists(real):
            # Typed at a prompt or in a notebook.
            return True
        ours = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
        return not any(
            real.startswith(one)
            for one in installed + [os.path.realpath(ours) + os.sep]
        )

    named = [
        one.__name__ if isinstance(one, ModuleType) else str(one)
        for one in modules or ()
    ]
    found, missing = travel.travelling(
        travel.imports_of(func, is_local), is_local, named
    )
    for one in missing:
        text = "The module %s, imported in %s, cannot be found" % (
            one.name, one.where
        )
        if one.need is Need.CERTAIN and not elsewhere:
            raise ClipperException(
                text + ". Install it, name it in pkgs_to_install, or catch "
                "the ImportError"
            )
        logger.warning(
            "%s: the container needs it if it reaches the import", text
        )
    return found


def save_python_function(name: str, func: Callable[..., Any]) -> str:
    """Write a function to a new directory, as `build_model` takes it.

    Args:
        name: not used.
        func: the function.

    Returns:
        path of the directory, which is the caller's to remove.

    Raises:
        ClipperException: the function cannot be pickled.
    """
    path = tempfile.mkdtemp(prefix="clipper-function-")
    try:
        pickled = serialize(func)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    with open(os.path.join(path, FUNCTION_FILE), "wb") as f:
        f.write(pickled)
    return path


@contextlib.contextmanager
def local_modules_by_value(
    modules: Optional[Iterable[Any]] = None,
    copied: Iterable[str] = (),
) -> Iterator[None]:
    """Pickle local modules by value while the context lasts.

    Args:
        modules: further modules, or their names.
        copied: names of top-level modules that the container can import:
            they are pickled by reference, so that each class exists once.

    Raises:
        ClipperException: a module does not exist.
    """
    there = set(copied)
    by_value = local_modules()
    for one in modules or ():
        if isinstance(one, ModuleType):
            by_value.append(one)
        elif one.partition(".")[0] not in there:
            by_value.append(_named(one))
    by_value = [
        one for one in by_value
        if one.__name__.partition(".")[0] not in there
    ]
    known = cloudpickle.list_registry_pickle_by_value()
    registered = []
    try:
        for module in by_value:
            if module.__name__ not in known and module not in registered:
                cloudpickle.register_pickle_by_value(module)
                registered.append(module)
        yield
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)


def _named(name: str) -> ModuleType:
    try:
        return sys.modules[name]
    except KeyError:
        raise ClipperException(
            "The module %s in modules= is neither imported nor found; import "
            "it first" % name
        ) from None


def local_modules() -> List[ModuleType]:
    """Imported modules outside of all installation directories."""
    installed = _installation_directories()
    found = []
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if (
            not path
            or name == "__main__"
            or name.partition(".")[0] in _OURS
            or getattr(module, "__name__", None) != name
        ):
            continue
        real = os.path.realpath(path)
        if not any(real.startswith(one) for one in installed):
            found.append(module)
    return found


def _installation_directories() -> List[str]:
    paths = set(sysconfig.get_paths().values())
    paths.update(site.getsitepackages())
    paths.add(site.getusersitepackages())
    paths.update(
        entry for entry in sys.path
        if entry.rstrip("/").endswith(("site-packages", "dist-packages"))
    )
    return [os.path.realpath(one) + os.sep for one in paths if one]


def imported_modules(pickled: bytes) -> Set[str]:
    """Names of the top-level modules that a pickle imports."""
    found: Set[str] = set()
    strings: List[str] = []
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "GLOBAL":
            found.add(str(argument).split(" ")[0].partition(".")[0])
        elif "UNICODE" in opcode.name:
            strings.append(str(argument))
    # STACK_GLOBAL and cloudpickle name modules by strings on the stack.
    found.update(
        text.partition(".")[0]
        for text in strings
        if text.partition(".")[0] in sys.modules
    )
    return found


def versions_of(modules: Iterable[str]) -> Dict[str, str]:
    """Versions of the packages of some modules, by package."""
    found = {}
    for module in modules:
        for name in (module, _DISTRIBUTIONS.get(module, "")):
            if not name or name in sys.builtin_module_names:
                continue
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                found[name] = importlib.metadata.version(name)
    return found


#: Module -> package, where the names differ.
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "sklearn": "scikit-learn",
}
