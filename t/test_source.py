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


#: How each mutex is asked for in the checked build, and how it is taken.
CHECK = re.compile(r"^    clipper_(?:zone|cache|record|state_table)_locked\(",
                   re.M)
TAKES = re.compile(r"\bclipper_(?:lock|zone_lock|cache_lock|journal_begin)\(")


def test_locked_functions_ask_for_their_lock():
    """Catches a function that relies on a lock without the check of the
    checked build; which lock it asks for is known to test_lockcheck.c."""
    asked = {name: bool(CHECK.search(body))
             for _, name, _, body in functions() if name.endswith("_locked")}
    assert [name for name, asks in asked.items() if not asks] == []
    assert len(asked) > 80


def test_callers_of_locked_functions_have_the_lock():
    """Catches a function that calls what needs a lock, neither takes it nor
    says by its name that its caller has."""
    callers = [(name, body) for _, name, _, body in functions()
               if re.search(r"_locked\(", body)]
    assert [name for name, body in callers
            if not name.endswith("_locked") and not TAKES.search(body)] == []
    assert len(callers) > 80


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


def test_tests_share_through_the_harness():
    """Catches a test that imports from another one: what several need is in
    t/harness."""
    imports = [(path.name, line) for path in ROOT.glob("t/test_*.py")
               for line in path.read_text().splitlines()
               if re.match(r"\s*(?:from|import) ", line)]
    assert [found for found in imports
            if re.match(r"\s*(?:from|import) test_", found[1])] == []
    assert len(imports) > 200
