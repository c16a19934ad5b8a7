"""Servers whose calls into the C library are intercepted."""

import copy
import subprocess


def library(directory, source, *options):
    """Compiles C code that defines functions of the C library anew.

    Args:
        directory: a path for the library.
        source: the code.
        options: further arguments of the compiler, such as ``-DNAME=1``.

    Returns:
        The path of the library, a str.
    """
    code, made = directory / "preload.c", directory / "preload.so"
    code.write_text("#define _GNU_SOURCE\n" + source, encoding="utf-8")
    subprocess.run(["gcc", "-shared", "-fPIC", *options, str(code), "-o",
                    str(made), "-ldl"], check=True)
    return str(made)


def preload(server, directory, source, *options):
    """Compiles C code and loads it into a server that is not started yet.

    Args:
        server: an `Nginx`.
        directory, source, options: see `library`.
    """
    load(server, library(directory, source, *options))


def load(server, made):
    """Loads what `library` has made into a server that is not started yet."""
    server.settings = copy.copy(server.settings)
    plain = server.settings.environment

    def environment(where):
        env = plain(where)
        env["LD_PRELOAD"] = f"{env.get('LD_PRELOAD', '')} {made}".strip()
        return env

    server.settings.environment = environment
