"""Images of a local cluster: model directories, made ready to run here.

A local image is a copy of what a deployer wrote, below the cluster's
directory. Packages that this Python lacks are installed beside the model.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import List, Optional

from clipper_container.loader import (
    FUNCTION_FILE,
    METADATA_FILE,
    PACKAGES_DIRECTORY,
    ModelDirectoryError,
    check_packages,
    check_python,
    read_metadata,
)

from ..exceptions import ClipperException
from .directory import IMAGES, ClusterDirectory

#: Images that need no model: what they are called -> kind.
_BUILT_IN = {"noop-container": "noop", "sum-container": "sum"}


def image_name(cluster: str, name: str, version: str) -> str:
    """Name of the image of a version."""
    return "%s-%s:%s" % (cluster, name, version)


def _place(directory: ClusterDirectory, image: str) -> str:
    """Where the model directory of an image is.

    A colon has a meaning of its own to many that are given the path.
    """
    return directory.file(IMAGES, image.replace(":", "@"))


def built_in_kind(image: str) -> Optional[str]:
    """Kind of model in one of Clipper's bench images, else None.

    Args:
        image: ``[registry/]name[:tag]``.
    """
    return _BUILT_IN.get(image.rpartition("/")[2].partition(":")[0])


def build(
    directory: ClusterDirectory,
    image: str,
    model_data_path: str,
    base_image: str,
    packages: Optional[List[str]],
) -> None:
    """Make an image out of a model directory.

    Raises:
        ClipperException: no such directory, packages that cannot be
            installed, or a model saved by another Python.
    """
    if not os.path.isdir(model_data_path):
        raise ClipperException("No model directory %s" % model_data_path)
    if not packages:
        # Those that are installed below may be what the model needs.
        check_fits(model_data_path)
    kind = built_in_kind(base_image)
    images = directory.file(IMAGES)
    os.makedirs(images, exist_ok=True)
    building = tempfile.mkdtemp(dir=images, prefix=".building-")
    try:
        target = os.path.join(building, "model")
        shutil.copytree(model_data_path, target, symlinks=True)
        if kind is not None:
            _write_kind(target, kind)
        install(packages or [], os.path.join(target, PACKAGES_DIRECTORY))
        check_fits(target)
        final = _place(directory, image)
        if os.path.isdir(final):
            os.replace(final, os.path.join(building, "old"))
        os.replace(target, final)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def find(directory: ClusterDirectory, image: str) -> str:
    """Path of the model directory that an image's name stands for.

    It is an image that was built, one of Clipper's bench images, or the
    path of a model directory.

    Raises:
        ClipperException: when it is none of them.
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
    if os.path.exists(os.path.join(image, FUNCTION_FILE)):
        check_fits(image)
        return os.path.abspath(image)
    raise ClipperException(
        "No image %s in this cluster. Without a container engine an image is "
        "what build_model returned, or the path of a model directory" % image
    )


def check_fits(path: str) -> None:
    """Check that a model directory can be run here.

    Raises:
        ClipperException: with both versions.
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


def install(packages: List[str], target: str) -> None:
    """Install requirements that this Python does not meet already.

    Args:
        packages: pip's requirement strings.
        target: directory for those that are missing.

    Raises:
        ClipperException: with pip's last lines.
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
    """Whether a plain requirement (`name`, `name==1.0`) is installed.

    Anything more complicated is left to pip.
    """
    name, equals, version = requirement.partition("==")
    name = name.strip()
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        return False
    try:
        installed = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return not equals or installed == version.strip()
