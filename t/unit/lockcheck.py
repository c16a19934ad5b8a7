#!/usr/bin/env python3
"""Writes the table of test_lockcheck.c for the sources in its arguments: an
include of each source and, for every `_locked` function, a call with
meaningless arguments, which the function must not use."""

import pathlib
import re
import sys

FUNCTION = re.compile(r"^(clipper_\w+_locked)\(([^)]*)\)\n\{", re.M)

#: The test's own objects; other pointers point to zeroes, numbers are zero.
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
