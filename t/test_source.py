"""The sources keep the rules that tools can see."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("src/**/*.[ch]"), *ROOT.glob("*.c")])

FUNCTION = re.compile(r"^((?:ngx_http_)?clipper_\w+)\(([^)]*)\)\n\{\n(.*?)^\}",
                      re.M | re.S)


def functions():
    for path in SOURCES:
        for match in FUNCTION.finditer(path.read_text()):
            yield path.name, match.group(1), match.group(2), match.group(3)


def test_functions_are_found():
    """Catches a pattern that matches nothing any more."""
    assert len(list(functions())) > 500


def test_locked_functions_ask_for_their_lock():
    """Catches a function that relies on the zone's lock without the check
    of the checked build."""
    missing = [f"{file}: {name}" for file, name, args, body in functions()
               if name.endswith("_locked")
               and "clipper_zone_t *zone" in args
               and "clipper_zone_locked(" not in body]
    assert missing == []


def test_functions_are_short():
    """Catches a function of more than a hundred lines."""
    long = [f"{file}: {name}" for file, name, _, body in functions()
            if body.count("\n") > 98]
    assert long == []


def test_lines_fit():
    """Catches lines over 80 columns and tabs."""
    wrong = [f"{path.name}:{number}" for path in SOURCES
             for number, line in enumerate(path.read_text().split("\n"), 1)
             if len(line) > 80 or "\t" in line]
    assert wrong == []
