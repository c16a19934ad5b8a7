"""Images of a local cluster: model directories that can run on this host.

A local image is a copy of a model directory in the cluster's directory.
Packages that this Python does not have are installed in the copy.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import List, Optional, Sequence

try:
    from packaging.requirements import InvalidRequirement, Requirement
except ImportError:
    # pip has it, and installs the requirements that are not met.
    from pip._vendor.packaging.requirements import (  # type: ignore[assignment]
        InvalidRequirement,
        Requirement,
    )

from clipper_container.errors import ModelDirectoryError
from clipper_container.loader import (
    FUNCTION_FILE,
    METADATA_FILE,
    PACKAGES_DIRECTORY,
    check_packages,
    check_python,
    read_metadata,
)

from ..containers import ImageSource
from ..exceptions import ClipperException
from .directory import IMAGES, ClusterDirectory

#: Bench images, which need no model: name -> kind of model.
_BUILT_IN = {"noop-container": "noop", "sum-container": "sum"}


def _place(directory: ClusterDirectory, image: str) -> str:
    """Path of an image's model directory.

    It has no colon, which separates the paths of lists such as `PYTHONPATH`.
    """
    return directory.file(IMAGES, image.replace(":", "@"))


def built_in_kind(image: str) -> Optional[str]:
    """Kind of model in a bench image; None for other images.

    Args:
        image: ``[registry/]name[:tag]``.
    """
    return _BUILT_IN.get(image.rpartition("/")[2].partition(":")[0])


def build(
    directory: ClusterDirectory, cluster_name: str, source: ImageSource
) -> str:
    """Build an image and return its name.

    Raises:
        ClipperException: a package cannot be installed, or another Python
            saved the model.
    """
    if not source.packages:
        # Packages that are installed below may be what the model needs.
        check_fits(source.model_data_path)
    image = source.image(cluster_name)
    kind = built_in_kind(source.base_image)
    images = directory.file(IMAGES)
    os.makedirs(images, exist_ok=True)
    building = tempfile.mkdtemp(dir=images, prefix=".building-")
    try:
        target = os.path.join(building, "model")
        shutil.copytree(source.model_data_path, target, symlinks=True)
        if kind is not None:
            _write_kind(target, kind)
        install(source.packages, os.path.join(target, PACKAGES_DIRECTORY))
        check_fits(target)
        final = _place(directory, image)
        if os.path.isdir(final):
            os.replace(final, os.path.join(building, "old"))
        os.replace(target, final)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return image


def find(directory: ClusterDirectory, image: str) -> str:
    """Path of an image's model directory.

    Args:
        image: name of a built image or a bench image, or the path of a
            model directory or of a directory with a program.

    Raises:
        ClipperException: it is none of them.
    """
    path = _place(directory, image)
    if os.path.isdir(path):
        return path
    kind = built_in_kind(image)
    if kind is not None:
        path = directory.file(IMAGES, "built-in-" + kind)
        os.makedirs(path, exist_ok=True)
        _write_kind(path, kind)
        return path
    if program(image):
        return os.path.abspath(image)
    if os.path.exists(os.path.join(image, FUNCTION_FILE)):
        check_fits(image)
        return os.path.abspath(image)
    raise ClipperException(
        "No image %s in this cluster. Without a container engine an image is "
        "what build_model returned, or the path of a model directory or of a "
        "directory with a program `main` or `main.py`" % image
    )


def program(path: str) -> List[str]:
    """The command of a container of one's own; empty if there is none.

    Args:
        path: the directory of an image.
    """
    main = os.path.join(path, "main")
    if os.path.isfile(main) and os.access(main, os.X_OK):
        return [os.path.abspath(main)]
    main += ".py"
    if os.path.isfile(main):
        return [sys.executable, "-u", os.path.abspath(main)]
    return []


def check_fits(path: str) -> None:
    """Check that this Python and its packages can run a model directory.

    Raises:
        ClipperException: they cannot; the message names both versions.
    """
    try:
        metadata = read_metadata(path)
        check_python(metadata)
        check_packages(path, metadata)
    except ModelDirectoryError as error:
        raise ClipperException(str(error)) from None


def _write_kind(path: str, kind: str) -> None:
    with open(os.path.join(path, METADATA_FILE), "w", encoding="utf-8") as f:
        json.dump({"kind": kind}, f)


def install(packages: Sequence[str], target: str) -> None:
    """Install the requirements that this Python does not meet.

    Args:
        packages: pip's requirement strings.
        target: directory to install them in.

    Raises:
        ClipperException: pip failed (with its last lines).
    """
    missing = [one for one in packages if not is_met(one)]
    if not missing:
        return
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--target", target]
        + ["--disable-pip-version-check", "--no-input", "--quiet"]
        + ["--"] + missing,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        raise ClipperException(
            "Could not install %s:\n%s"
            % (", ".join(missing), "\n".join(lines[-20:]))
        )


def is_met(requirement: str) -> bool:
    """Whether a requirement (`name>=1.0`) is installed.

    False for a URL, a path, or one with extras: pip decides.
    """
    try:
        wanted = Requirement(requirement)
    except InvalidRequirement:
        return False
    if wanted.url or wanted.extras:
        return False
    if wanted.marker is not None and not wanted.marker.evaluate():
        return True
    try:
        installed = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return wanted.specifier.contains(installed, prereleases=True)
