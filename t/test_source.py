"""The sources keep the rules that tools can check."""

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
    """Catches a pattern that no longer matches anything."""
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
    """Catches a function that calls a function which needs a lock, but
    neither takes the lock nor ends in `_locked`."""
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


#: Longest file, longest header, and the headers that are longer, with reasons.
FILE, HEADER = 600, 120
LONG_HEADERS = {
    # inline for the loops over arrays: a call for each number costs more
    "src/json/clipper_number_lemire.h",
    # the whole state of one simulation, which its four files share
    "t/unit/sched.h",
}


def test_files_are_short():
    """Catches a file that has become several, a header that pulls everything,
    and an exception that is none any more."""
    lines = {str(path.relative_to(ROOT)): path.read_text().count("\n")
             for path in [*SOURCES, *ROOT.glob("t/**/*.[ch]"),
                          *ROOT.glob("t/**/*.py")]}
    assert [name for name, n in lines.items() if n > FILE] == []
    assert {name for name, n in lines.items()
            if name.endswith(".h") and n > HEADER} == LONG_HEADERS
    assert len(lines) > 400


def test_headers_of_tests_declare():
    """Catches code in a header of the tests: each program that includes it
    would compile it anew."""
    inline = re.compile(r"^(?!static inline).*\n\w+\([^;{]*\)\n\{", re.M)
    paths = [*ROOT.glob("t/**/*.h")]
    assert [path.name for path in paths
            if inline.search(path.read_text())] == []
    assert len(paths) > 20


def test_lines_fit():
    """Catches lines over 80 columns and tabs."""
    wrong = [f"{path.name}:{number}" for path in SOURCES
             for number, line in enumerate(path.read_text().split("\n"), 1)
             if len(line) > 80 or "\t" in line]
    assert wrong == []


def test_tests_share_through_the_harness():
    """Catches a test that imports from another one: shared code is in
    t/harness."""
    imports = [(path.name, line) for path in ROOT.glob("t/test_*.py")
               for line in path.read_text().splitlines()
               if re.match(r"\s*(?:from|import) ", line)]
    assert [found for found in imports
            if re.match(r"\s*(?:from|import) test_", found[1])] == []
    assert len(imports) > 200
