"""Load a model directory: the function, the model's files, the sample.

A deployer writes these files:

    clipper_model.json   kind, Python and package versions, type of strings
    func.pkl             the function, by cloudpickle
    sample_input.pkl     one input for the warm-up (optional)
    modules/             added to sys.path (optional)
    site-packages/       added to sys.path (optional)
    …                    files of the kind, such as pytorch_model.pkl

A directory without `clipper_model.json` is a closure.
"""

import functools
import hashlib
import hmac
import importlib.metadata
import json
import os
import pickle
import sys
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from . import frameworks, warm
from .errors import ModelDirectoryError

METADATA_FILE = "clipper_model.json"
FUNCTION_FILE = "func.pkl"
SAMPLE_FILE = "sample_input.pkl"
MODULES_DIRECTORY = "modules"
PACKAGES_DIRECTORY = "site-packages"

#: Stands for a missing sample: None can be a sample.
NO_SAMPLE = object()


class LoadedModel(NamedTuple):
    """The contents of a model directory.

    Attributes:
        func: function of one batch.
        sample: one input, or NO_SAMPLE.
        digest: SHA-256 of the directory's files (32 bytes).
        strings: what the function gets for strings; None for the usual.
        warm_up: uses the library's model once, without a sample. Its argument
            is the NumPy type of the inputs, None for strings.
    """

    func: Callable[[Any], Any]
    sample: Any
    digest: bytes
    strings: Optional[str] = None
    warm_up: Callable[[Optional[str]], None] = lambda dtype: None


def load(path: str, seal: str = "") -> LoadedModel:
    """Load the model in a directory.

    Args:
        seal: see `check_seal`; empty for no check.

    Raises:
        ModelDirectoryError: it has no model, an unknown kind of model, a
            model of other versions of Python or of a package, or other files
            than those that were sealed.
        Exception: what the model's own code raises.
    """
    if not os.path.isdir(path):
        raise ModelDirectoryError("no model directory %s" % path)
    if seal:
        check_seal(path, seal)
    metadata = read_metadata(path)
    check_python(metadata)
    check_packages(path, metadata)
    for name in (PACKAGES_DIRECTORY, MODULES_DIRECTORY):
        directory = os.path.join(path, name)
        if os.path.isdir(directory):
            sys.path.insert(0, directory)
    kind = metadata.get("kind", "closure")
    try:
        loader = _KINDS[kind]
    except KeyError:
        raise ModelDirectoryError("unknown kind of model %r" % kind) from None
    sample = NO_SAMPLE
    sample_path = os.path.join(path, SAMPLE_FILE)
    func, model = loader(path)
    if os.path.exists(sample_path):
        sample = _unpickle(sample_path)
    return LoadedModel(
        func, sample, digest_of(path), metadata.get("strings"),
        functools.partial(warm.warm_up, kind, model),
    )


def read_metadata(path: str) -> Dict[str, Any]:
    """Read the deployer's record; empty when there is none."""
    try:
        with open(os.path.join(path, METADATA_FILE), encoding="utf-8") as f:
            found: Dict[str, Any] = json.load(f)
            return found
    except FileNotFoundError:
        return {}


def check_python(metadata: Dict[str, Any]) -> None:
    """Check that this Python can load a pickled function.

    Raises:
        ModelDirectoryError: it has another version; the message names both.
    """
    recorded = metadata.get("python")
    if not recorded or metadata.get("kind") in _WITHOUT_CODE:
        return
    here = "%d.%d" % sys.version_info[:2]
    if ".".join(str(recorded).split(".")[:2]) != here:
        raise ModelDirectoryError(
            "the model was saved by Python %s, this container runs Python %s"
            % (recorded, here)
        )


def check_packages(path: str, metadata: Dict[str, Any]) -> None:
    """Check that packages have the versions that a function was saved with.

    The third number of a version may differ. A missing package passes: the
    import that needs it fails.

    Args:
        path: the model directory, whose own packages come first.
        metadata: see `read_metadata`.

    Raises:
        ModelDirectoryError: versions differ; the message names both of each
            package.
    """
    if metadata.get("kind") in _WITHOUT_CODE:
        return
    places = [os.path.join(path, PACKAGES_DIRECTORY)] + sys.path
    found = []
    for name, recorded in sorted(metadata.get("packages", {}).items()):
        if name == "cloudpickle":
            # It reads what its other versions wrote.
            continue
        for one in importlib.metadata.distributions(name=name, path=places):
            if _series(one.version) != _series(recorded):
                found.append((name, recorded, one.version))
            break
    if found:
        raise ModelDirectoryError(
            "%s. Name the versions in pkgs_to_install=[%s]"
            % (
                "; ".join(
                    "the model was saved with %s %s, this container has %s"
                    % one
                    for one in found
                ),
                ", ".join(
                    '"%s==%s"' % (name, recorded)
                    for name, recorded, _ in found
                ),
            )
        )


def _series(version: str) -> List[str]:
    return str(version).split(".")[:2]


def seal_of(path: str) -> str:
    """SHA-256 of a model directory (64 hexadecimal digits).

    Unlike `digest_of` it counts installed packages and compiled modules. A
    symbolic link counts by where it leads, not by what is there.
    """
    total = hashlib.sha256()
    for directory, subdirectories, names in os.walk(path):
        subdirectories.sort()
        for name in sorted(subdirectories + names):
            full = os.path.join(directory, name)
            where = os.path.relpath(full, path)
            if os.path.islink(full):
                kind, content = b"link", os.fsencode(os.readlink(full))
            elif name in subdirectories:
                continue
            else:
                digest = hashlib.sha256()
                _read_into(digest, full)
                kind, content = b"file", digest.digest()
            total.update(b"%s\0%s\0" % (kind, os.fsencode(where)))
            total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def check_seal(path: str, seal: str) -> None:
    """Check the files of a model directory before any of them is loaded.

    From then on this process and its children write no compiled modules, which
    would break the seal.

    Args:
        seal: what `seal_of` returned when the model was deployed.

    Raises:
        ModelDirectoryError: the files are others.
    """
    found = seal_of(path)
    if not hmac.compare_digest(found, seal.lower()):
        raise ModelDirectoryError(
            "the files in %s are not those that were deployed (SHA-256 %s, "
            "deployed %s). Nothing of them was loaded. If the change was "
            "meant, deploy the model again" % (path, found, seal)
        )
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def digest_of(path: str) -> bytes:
    """SHA-256 (32 bytes) of a model's own files and their relative names."""
    total = hashlib.sha256()
    for name, full in sorted(_files(path)):
        total.update(name.encode("utf-8", "surrogateescape") + b"\0")
        _read_into(total, full)
        total.update(b"\0")
    return total.digest()


def _read_into(digest: Any, path: str) -> None:
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            digest.update(block)


def _files(path: str) -> Iterator[Tuple[str, str]]:
    for directory, subdirectories, names in os.walk(path):
        if "__pycache__" in subdirectories:
            subdirectories.remove("__pycache__")
        if directory == path and PACKAGES_DIRECTORY in subdirectories:
            subdirectories.remove(PACKAGES_DIRECTORY)
        for name in names:
            full = os.path.join(directory, name)
            yield os.path.relpath(full, path), full


def _unpickle(path: str) -> Any:
    with open(path, "rb") as f:
        return pickle.load(f)


#: A function of a batch, and what it gets before the batch.
_Loaded = Tuple[Callable[[Any], Any], Tuple[Any, ...]]


def _function(path: str) -> Callable[..., Any]:
    func: Callable[..., Any] = _unpickle(os.path.join(path, FUNCTION_FILE))
    return func


def _closure(path: str) -> _Loaded:
    return _function(path), ()


def _noop(path: str) -> _Loaded:
    return lambda inputs: ["1.0"] * len(inputs), ()


def _sum(path: str) -> _Loaded:
    def total(inputs: Any) -> Any:
        if len(inputs) and isinstance(inputs[0], (str, bytes)):
            return [str(float(len(one))) for one in inputs]
        return [str(float(one.sum())) for one in inputs]

    return total, ()


def _with_model(
    load_model: Callable[[str], Tuple[Any, ...]]
) -> Callable[[str], _Loaded]:
    """A kind whose function gets the model before the inputs."""

    def loader(path: str) -> _Loaded:
        model = load_model(path)
        func = _function(path)
        return lambda inputs: func(*model, inputs), model

    return loader


_KINDS: Dict[str, Callable[[str], _Loaded]] = {
    "closure": _closure,
    "noop": _noop,
    "sum": _sum,
    **{
        kind: _with_model(load_model)
        for kind, load_model in frameworks.LOADERS.items()
    },
}

#: Kinds without pickled code.
_WITHOUT_CODE = ("noop", "sum")


def kinds() -> Tuple[str, ...]:
    """Names of the kinds of models that containers can run."""
    return tuple(_KINDS)

