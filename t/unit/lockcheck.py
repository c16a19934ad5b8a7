#!/usr/bin/env python3
"""Writes what test_lockcheck.c needs of the sources that are its arguments:
an include of each and, for every function that says it needs a lock, a call
with arguments that mean nothing: it must not come to use them."""

import pathlib
import re
import sys

FUNCTION = re.compile(r"^(clipper_\w+_locked)\(([^)]*)\)\n\{", re.M)

#: The test's own objects; other pointers go to zeroes, numbers are zero.
OBJECTS = {"clipper_zone_t *": "&zone", "clipper_state_table_t *": "&table"}


def argument(parameter):
    for kind, value in OBJECTS.items():
        if parameter.startswith(kind):
            return value
    return "(void *) zeroes" if re.search(r"[*\[]", parameter) else "0"


def main(paths):
    calls = []
    for path in paths:
        print(f'#include "{path.relative_to("src")}"')
        for name, parameters in FUNCTION.findall(path.read_text()):
            arguments = [] if parameters == "void" else [
                argument(" ".join(p.split())) for p in parameters.split(",")]
            calls.append((name, ", ".join(arguments)))
    print("\n#define lockcheck_calls(call) \\")
    for name, arguments in calls:
        print(f"    call({name}, ({arguments})) \\")
    print()


main([pathlib.Path(name) for name in sys.argv[1:]])
