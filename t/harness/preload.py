"""Servers whose calls into the C library are intercepted."""

import copy
import subprocess


def preload(server, directory, source, *options):
    """Compiles C code and loads it into a server that is not started yet.

    Args:
        server: an `Nginx`.
        directory: a path for the library.
        source: C code that defines functions of the C library anew.
        options: further arguments of the compiler, such as ``-DNAME=1``.
    """
    code, library = directory / "preload.c", directory / "preload.so"
    code.write_text("#define _GNU_SOURCE\n" + source, encoding="utf-8")
    subprocess.run(["gcc", "-shared", "-fPIC", *options, str(code), "-o",
                    str(library), "-ldl"], check=True)
    server.settings = copy.copy(server.settings)
    plain = server.settings.environment

    def environment(where):
        env = plain(where)
        env["LD_PRELOAD"] = f"{env.get('LD_PRELOAD', '')} {library}".strip()
        return env

    server.settings.environment = environment
