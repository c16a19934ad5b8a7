"""Keys of CURVE for the server and its containers.

    clipper-keys make NAME [--directory DIR]     a new pair
    clipper-keys show FILE…                      the public keys in files
    clipper-keys rotate NAME [--directory DIR]   a new pair, the old one kept
    clipper-keys forget NAME [--directory DIR]   the old pair goes

A pair is NAME.key, which may be given away, and NAME.key_secret. The server
takes its own secret key with `curve_key` and a directory of the containers'
public keys with `curve_clients`. A container takes its own secret key with
CLIPPER_CURVE_KEY and the server's public key, or a directory of several, with
CLIPPER_CURVE_SERVER.

A rotation keeps the old pair as NAME-old.key and NAME-old.key_secret, so that
both are admitted until everybody has the new one.
"""

import argparse
import os
import sys
from typing import List, Optional

import zmq.auth

from .exceptions import ClipperException

_PUBLIC = ".key"
_SECRET = ".key_secret"
_OLD = "-old"


def make(name: str, directory: str = ".") -> str:
    """Write a new pair of keys.

    Args:
        name: of the files.
        directory: where they are written; made with the mode 0700 if it does
            not exist.

    Returns:
        The path of the secret key's file, whose mode is 0600.

    Raises:
        ClipperException: the name is not that of a file, or it has keys.
    """
    _check(name)
    for kind in (_PUBLIC, _SECRET):
        if os.path.exists(os.path.join(directory, name + kind)):
            raise ClipperException(
                "%s exists: clipper-keys rotate replaces it"
                % os.path.join(directory, name + kind)
            )
    return _write(name, directory)


def show(file: str) -> str:
    """The public key in a file, 40 characters.

    Raises:
        ClipperException: the file has none.
    """
    try:
        return zmq.auth.load_certificate(file)[0].decode("ascii")
    except (OSError, ValueError) as error:
        raise ClipperException("%s: %s" % (file, error)) from None


def rotate(name: str, directory: str = ".") -> str:
    """Replace a pair by a new one and keep the old one beside it.

    Returns:
        The path of the secret key's file.

    Raises:
        ClipperException: there is no such pair, or that of the rotation
            before is still kept.
    """
    _check(name)
    old = os.path.join(directory, name + _OLD)
    if os.path.exists(old + _PUBLIC):
        raise ClipperException(
            "%s is still kept: once nobody uses it, clipper-keys forget %s "
            "removes it" % (old + _PUBLIC, name)
        )
    path = os.path.join(directory, name)
    for kind in (_PUBLIC, _SECRET):
        if not os.path.exists(path + kind):
            raise ClipperException("%s does not exist" % (path + kind))
    # A reader finds one of both under each name, at any time.
    for kind in (_SECRET, _PUBLIC):
        os.link(path + kind, old + kind)
    return _write(name, directory)


def forget(name: str, directory: str = ".") -> None:
    """Remove the pair that a rotation has kept.

    Raises:
        ClipperException: there is none.
    """
    _check(name)
    old = os.path.join(directory, name + _OLD)
    if not os.path.exists(old + _PUBLIC):
        raise ClipperException("%s does not exist" % (old + _PUBLIC))
    for kind in (_PUBLIC, _SECRET):
        if os.path.exists(old + kind):
            os.remove(old + kind)


def _check(name: str) -> None:
    if not name or name.startswith(".") or os.path.basename(name) != name:
        raise ClipperException("%r is not a valid name for keys" % name)


def _write(name: str, directory: str) -> str:
    """Write a pair beside the present one and replace it."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    before = os.umask(0o077)
    try:
        new = ".%s-new" % name
        files = zmq.auth.create_certificates(directory, new)
    finally:
        os.umask(before)
    os.chmod(files[0], 0o644)
    path = os.path.join(directory, name)
    for kind, file in zip((_PUBLIC, _SECRET), files):
        os.replace(file, path + kind)
    return path + _SECRET


def _parse(arguments: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="clipper-keys",
        description="CURVE keys of the server and its containers.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("make", "write a new pair of keys"),
        ("rotate", "write a new pair and keep the old one"),
        ("forget", "remove the pair that a rotation has kept"),
    ):
        one = commands.add_parser(name, help=text)
        one.add_argument("name", metavar="NAME")
        one.add_argument("--directory", metavar="DIR", default=".")
    one = commands.add_parser("show", help="print the public keys in files")
    one.add_argument("files", metavar="FILE", nargs="+")
    return parser.parse_args(arguments)


def main(arguments: Optional[List[str]] = None) -> int:
    """`clipper-keys`; returns the exit code."""
    given = _parse(arguments)
    try:
        if given.command == "show":
            for file in given.files:
                print(show(file))
        elif given.command == "forget":
            forget(given.name, given.directory)
        else:
            command = make if given.command == "make" else rotate
            print(command(given.name, given.directory))
    except (ClipperException, OSError) as error:
        print("clipper-keys: %s" % error, file=sys.stderr)
        return 1
    return 0

