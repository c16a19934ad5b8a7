"""The sources keep the rules that tools can check."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parent.parent
MODULE = ("src/**/*.[ch]", "*.c")
TESTS = ("t/**/*.[ch]", "t/**/*.py")

FUNCTION = re.compile(r"^((?:ngx_http_)?clipper_\w+)\(([^)]*)\)\n\{\n(.*?)^\}",
                      re.M | re.S)


def texts(*patterns):
    """{path from the root: its text} of the files that match."""
    return {str(path.relative_to(ROOT)): path.read_text()
            for pattern in patterns for path in sorted(ROOT.glob(pattern))}


def functions(found=None):
    """(path, name, parameters, body) of each function of the module."""
    for path, text in (found or texts(*MODULE)).items():
        for match in FUNCTION.finditer(text):
            yield path, match.group(1), match.group(2), match.group(3)


def test_functions_are_found():
    """Catches a pattern that no longer matches anything."""
    assert len(list(functions())) > 500


#: How each mutex is asked for in the checked build, and how it is taken.
CHECK = re.compile(r"^    clipper_(?:zone|cache|record|state_table)_locked\(",
                   re.M)
TAKES = re.compile(r"\bclipper_(?:lock|zone_lock|cache_lock|journal_begin)\(")
GIVES = re.compile(r"\bclipper_(?:lock_release|zone_unlock|cache_unlock"
                   r"|journal_end)\(")


#: The mutexes themselves. Outside src/shm only the zone's is taken, by
#: clipper_zone_lock(), whose unlock rings the doorbells.
MUTEX = re.compile(r"\b(?:clipper_(?:lock|lock_release|cache_lock)"
                   r"|clipper_journal_begin|ngx_(?:shmtx|rwlock|spinlock)\w*"
                   r"|pthread_(?:mutex|rwlock|spin)_\w+)\(")
TAKERS = {
    # the key of the query ids is taken over from Redis, in one store
    "src/query/ngx_http_clipper_state_id.c: ngx_http_clipper_state_id_answered",
}


def unchecked(found=None):
    """The check has to be the first statement, behind the declarations."""
    return [name for _, name, _, body in functions(found)
            if name.endswith("_locked")
            and (not CHECK.search(body)
                 or re.search(r"[=(]", CHECK.split(body)[0]))]


def unlocked(found=None):
    return [name for _, name, _, body in functions(found)
            if re.search(r"_locked\(", body)
            and not name.endswith("_locked") and not TAKES.search(body)]


#: A section under a lock, and what a function has that may look at any row.
SECTION = re.compile(rf"{TAKES.pattern}.*?(?:{GIVES.pattern}|\Z)", re.S)
WHOLE = re.compile(r"\bclipper_(?:zone|state_table|record_area)_t \*"
                   r"|\bclipper_cache_ring\.|clipper_process\.zone\b")

#: What computes an address from what never changes needs no lock.
ADDRESSES = {
    "clipper_record_ring_bucket",
    "clipper_registry_bucket",
    "clipper_state_name_bucket",
}


def unnamed(found=None):
    """Functions that are called with a lock only, can look at any row, and do
    not end in `_locked`.  One that is handed a row leaves the lock to its
    caller."""
    bodies = {name: re.sub(r"/\*.*?\*/", "", body, flags=re.S)
              for _, name, _, body in functions(found)}
    whole = {name for _, name, parameters, _ in functions(found)
             if WHOLE.search(parameters + bodies[name])}
    calls = {name: set(re.findall(r"\w+", body)) & bodies.keys() - {name}
             for name, body in bodies.items()}
    free = {name: set(re.findall(r"\w+", SECTION.sub("", body)))
            for name, body in bodies.items()}
    called = set().union(*calls.values())
    under = {name for name in bodies if name.endswith("_locked")}
    while True:
        more = {name for name in called - under
                if not TAKES.search(bodies[name])
                and not any(name in free[caller]
                            for caller in bodies.keys() - under)}
        if not more:
            break
        under |= more
    return {name for name in under & whole
            if not name.endswith("_locked")
            and not GIVES.search(bodies[name])}


#: A loop over a table of the zone, and any loop with its body.
SCAN = re.compile(r"\bfor \([^{]*?< (?:zone->)?header->(\w+)\.n\b")
LOOP = re.compile(r"^( +)(?:for|while) \([^{]*\{\n(.*?)^\1\}", re.M | re.S)

#: Tables with a largest size, of which one may be searched in a hold, and what
#: only runs after a death with the lock held.
SMALL = {"workers", "apps", "models", "replicas"}
REBUILD = "clipper_rebuild_"


def held(found=None):
    """{function: what of its body runs under a lock}, the rebuild apart."""
    return {name: body if name.endswith("_locked")
            else "\n".join(part[0] for part in SECTION.finditer(body))
            for _, name, _, body in functions(found)
            if not name.startswith(REBUILD)}


def scanned(found=None):
    """Tables that are searched in a hold."""
    return {table for body in held(found).values()
            for table in SCAN.findall(body)}


def nested(found=None):
    """Loops under a lock whose body searches a table, itself or in what it
    calls; each is a search for each turn."""
    bodies = held(found)
    scans = {name for name, body in bodies.items()
             if name.endswith("_locked") and SCAN.search(body)}
    calls = {name: set(re.findall(r"\w+", body)) & bodies.keys()
             for name, body in bodies.items()}
    while True:
        more = {name for name in bodies.keys() - scans
                if name.endswith("_locked") and calls[name] & scans}
        if not more:
            break
        scans |= more
    return {name for name, body in bodies.items()
            for _, loop in LOOP.findall(body)
            if SCAN.search(loop) or scans & set(re.findall(r"\w+", loop))}


def takers(found=None):
    return {f"{path}: {name}" for path, name, _, body in functions(found)
            if not path.startswith("src/shm/") and MUTEX.search(body)}


def kept(found=None):
    """Functions that take the zone's mutex more or less often than they can
    give it back."""
    return [name for path, name, _, body in functions(found)
            if not path.startswith("src/shm/")
            and bool(re.search(r"\bclipper_zone_lock\(", body))
            != bool(re.search(r"\bclipper_zone_unlock\(", body))]


def long(found=None):
    return [f"{path}: {name}" for path, name, _, body in functions(found)
            if body.count("\n") > 98]


def test_locked_functions_ask_for_their_lock():
    """Catches a function that relies on a lock without the check of the
    checked build; which lock it asks for is known to test_lockcheck.c."""
    assert unchecked() == []
    assert sum(name.endswith("_locked") for _, name, _, _ in functions()) > 80


def test_callers_of_locked_functions_have_the_lock():
    """Catches a function that calls a function which needs a lock, but
    neither takes the lock nor ends in `_locked`."""
    assert unlocked() == []
    assert sum("_locked(" in body for _, _, _, body in functions()) > 80


def test_helpers_under_a_lock_say_so():
    """Catches a function that is called under a lock only, and has neither the
    suffix nor the check; and an exception that is no longer needed."""
    assert unnamed() == ADDRESSES


def test_searches_under_a_lock_are_bounded():
    """Catches a search of a table without a small largest size in a hold, and
    one search for each turn of a loop; t/bench/holds.c measures one."""
    assert scanned() == SMALL
    assert nested() == set()


def test_mutexes_are_taken_in_their_folder():
    """Catches a mutex that is taken outside src/shm other than by
    clipper_zone_lock(), a function that keeps the zone's mutex, and an
    exception that is no longer needed."""
    assert takers() == TAKERS
    assert kept() == []


def test_functions_are_short():
    """Catches a function of more than a hundred lines."""
    assert long() == []


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
    and an exception that is no longer needed."""
    lines = {path: text.count("\n")
             for path, text in texts(*MODULE, *TESTS).items()}
    assert [name for name, n in lines.items() if n > FILE] == []
    assert {name for name, n in lines.items()
            if name.endswith(".h") and n > HEADER} == LONG_HEADERS
    assert len(lines) > 400


#: Headers of the tests with code, and sources that are included.
CODE = {
    # the loops of simulations are made of it: a call for each number costs
    # more than the number
    "t/unit/splitmix.h",
}
PARTS = {
    # the same code again, compiled for machines without SSE2
    "t/unit/test_input_portable.c: json/clipper_input_array.c",
    "t/unit/test_input_portable.c: json/clipper_lex_scalar.c",
    "t/unit/test_input_portable.c: test_input_oracle.c",
}


def code_in_headers(found):
    """Headers with the body of a function, inline or not."""
    return {path for path, text in found.items() if path.endswith(".h")
            and re.search(r"^\{|^\w[^=;\n]*\)\s*\{", text, re.M)}


def included_sources(found):
    return {f"{path}: {name}" for path, text in found.items()
            for name in re.findall(
                r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', text, re.M)
            if name.endswith(".c") or name.split("/")[-1].startswith("test_")}


def wide(found):
    """Lines over 80 columns, and those with tabs."""
    return [f"{path}:{number}" for path, text in found.items()
            for number, line in enumerate(text.split("\n"), 1)
            if len(line) > 80 or "\t" in line]


def test_headers_of_tests_declare():
    """Catches code in a header of the tests: each program that includes it
    would compile it anew; and an exception that is no longer needed."""
    found = texts("t/**/*.h")
    assert code_in_headers(found) == CODE
    assert len(found) > 20


def test_sources_are_linked():
    """Catches a source or a test that is included instead of linked, and an
    exception that is no longer needed."""
    assert included_sources(texts(*MODULE, TESTS[0])) == PARTS


#: Tests with longer lines.
WIDE = {
    # the program of Clipper's own quickstart, as it stands there
    "t/harness/seed.py",
}


def test_lines_fit():
    """Catches lines over 80 columns and tabs, and an exception that is no
    longer needed."""
    found = texts(*MODULE, *TESTS)
    assert {line.split(":")[0] for line in wide(found)} == WIDE
    assert len(found) > 400


BROKEN = """\
#include "clipper_one.c"
#  include <../test_one.h>

ngx_int_t
clipper_one_locked(void)
{
    return NGX_OK;
}


void
clipper_one(void)
{
    clipper_one_locked();
    clipper_journal_begin(journal, base, pid);
}


void
clipper_late_locked(void)
{
    uint32_t  row;

    row = zone->free;

    clipper_zone_locked(zone);
}


void
clipper_two(void)
{
    clipper_one_locked();
    clipper_zone_lock(zone);
    clipper_held(zone);
    clipper_handed(row);
}


void
clipper_held(clipper_zone_t *zone)
{
    clipper_deeper(zone, 1);
}


void
clipper_deeper(clipper_zone_t *zone, int n)
{
    clipper_free(zone);
}


void
clipper_handed(clipper_flight_t *row)
{
    clipper_free(zone);
}


void
clipper_free(clipper_zone_t *zone)
{
    return;
}


void
clipper_three(void)
{
    clipper_one_locked();
    clipper_free(zone);
LONG}
""".replace("LONG", "    clipper_two();\n" * 100)


SEARCHES = """
void
clipper_scan_locked(void)
{
    for (i = 1; i < zone->header->flights.n; i++) {
        one();
    }
}


void
clipper_deep_locked(void)
{
    clipper_scan_locked();
}


void
clipper_nest_locked(void)
{
    while (more) {
        if (some) {
            clipper_deep_locked();
        }
    }
}


void
clipper_bites(void)
{
    for (i = 1; i < n; i++) {
        clipper_zone_lock(zone);
        clipper_deep_locked();
        clipper_zone_unlock(zone);
    }
}
"""


def test_the_checks_find_what_is_wrong():
    """Catches checks that no longer find anything, by a broken tree."""
    found = {"src/query/clipper_one.c": BROKEN}
    assert unchecked(found) == ["clipper_one_locked", "clipper_late_locked"]
    assert unlocked(found) == ["clipper_three"]
    assert unnamed(found) == {"clipper_held", "clipper_deeper"}
    assert scanned({"a.c": SEARCHES}) == {"flights"}
    assert nested({"a.c": SEARCHES}) == {"clipper_nest_locked"}
    assert takers(found) == {"src/query/clipper_one.c: clipper_one"}
    assert kept(found) == ["clipper_two"]
    assert takers({"src/shm/clipper_one.c": BROKEN}) == set()
    assert long(found) == ["src/query/clipper_one.c: clipper_three"]
    assert included_sources(found) == {
        "src/query/clipper_one.c: clipper_one.c",
        "src/query/clipper_one.c: ../test_one.h"}
    assert wide({"a.c": "x" * 80 + "\n" + "x" * 81 + "\n\tx\n"}) == [
        "a.c:2", "a.c:3"]
    for code in ("static inline int\none(void)\n{\n}\n",
                 "int\none(int a,\n    int b)\n{\n}\n",
                 "static int one(void) {\n}\n", "int one(void) { }\n"):
        assert code_in_headers({"a.h": code}) == {"a.h"}, code
    assert code_in_headers({
        "a.h": "typedef struct {\n    int  a;\n} a_t;\n\nint one(int a,\n"
               "    int b);\n#define x(a)  do { a; } while (0)\n"
    }) == set()


#: A name compared with that of an application, model or version of the
#: configuration.
LOOKUP = re.compile(r"\b(?:apps|models|versions)\[\w+\]->(?:name|version)"
                    r"(?:\.len\s*==|,\s*\S+\)\))")
LOOKUPS = "src/conf/ngx_http_clipper_conf_table.c"


def lookups(found):
    return {path for path, text in found.items() if LOOKUP.search(text)}


def test_names_are_looked_up_in_one_place():
    """Catches a second loop over the applications, models or versions of the
    configuration that looks for a name."""
    found = texts(*MODULE)
    assert lookups(found) == {LOOKUPS}
    assert lookups({"a.c": "if (models[i]->name.len == len\n"}) == {"a.c"}


def test_tests_share_through_the_harness():
    """Catches a test that imports from another one: shared code is in
    t/harness."""
    imports = [(path.name, line) for path in ROOT.glob("t/test_*.py")
               for line in path.read_text().splitlines()
               if re.match(r"\s*(?:from|import) ", line)]
    assert [found for found in imports
            if re.match(r"\s*(?:from|import) test_", found[1])] == []
    assert len(imports) > 200
