#!/usr/bin/env python3
"""Writes the table of test_lockcheck.c for the sources in its arguments: an
include of each source of src/shm and of each other one with a `_locked`
function, and for every such function a call with meaningless arguments, which
the function must not use.  Macros are called by functions of their names.  It
fails if a name that ends in `_locked` is none of these nor the check of a
mutex."""

import pathlib
import re
import sys

MACRO = re.compile(r"^#define (clipper_\w+_locked)\(([^)]*)\)", re.M)
FUNCTION = re.compile(r"^(\w+_locked)\(([^)]*)\)\n\{", re.M)
NAME = re.compile(r"\b(?:ngx_http_)?clipper_\w+_locked\b")

#: The checks themselves.
CHECKS = {f"clipper_{name}_locked"
          for name in ("zone", "cache", "journal", "record", "state_table")}

#: The test's own objects; other pointers point to zeroes, numbers are zero.
OBJECTS = {"clipper_zone_t *": "&zone", "clipper_state_table_t *": "&table"}

#: Macros have parameters of these names.
ARGUMENTS = {"zone": "&zone", "table": "waiters", "row": "row"}


def argument(parameter):
    for kind, value in OBJECTS.items():
        if parameter.startswith(kind):
            return value
    return "(void *) zeroes" if re.search(r"[*\[]", parameter) else "0"


def call(name, parameters):
    arguments = [] if parameters == "void" else [
        argument(" ".join(p.split())) for p in parameters.split(",")]
    return f"call({name}, ({', '.join(arguments)}))"


def wrapper(name, parameters):
    """A function for a macro, whose check names that one."""
    arguments = ", ".join(ARGUMENTS[p.strip()] for p in parameters.split(","))
    return f"""
static void
lockcheck_{name}(void)
{{
    uint32_t  row = 0;

    {name}({arguments});
    (void) row;
}}"""


def main(paths):
    found, macros, named = {}, {}, set()
    for path in paths:
        text = path.read_text()
        functions = FUNCTION.findall(text)
        macros.update((name, parameters)
                      for name, parameters in MACRO.findall(text)
                      if name not in CHECKS)
        named |= set(NAME.findall(text))
        found.update(functions)
        if path.suffix == ".c" and (functions or path.parent.name == "shm"):
            print(f'#include "{path.relative_to("src")}"')
    missing = named - CHECKS - set(found) - set(macros)
    if missing:
        sys.exit(f"not a function that can be called: {sorted(missing)}")
    print("\nstatic clipper_zone_t  zone;")
    for name, parameters in macros.items():
        print(wrapper(name, parameters))
    print("\n#define lockcheck_calls(call) \\")
    for name in macros:
        print(f"    {call('lockcheck_' + name, 'void')} \\")
    for name, parameters in found.items():
        print(f"    {call(name, parameters)} \\")
    print()


main([pathlib.Path(name) for name in sys.argv[1:]])
