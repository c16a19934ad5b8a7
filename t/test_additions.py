"""Additions are complete: the steps of "What one adds, and where" in
docs/architecture.md that neither the compiler nor another test requires."""

import re
from pathlib import Path

from clipper_admin import names as admin_names
from clipper_admin.replay import policies
from clipper_container import input_types

ROOT = Path(__file__).resolve().parent.parent
RPC = (ROOT / "docs/rpc.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
WIRE = ROOT / "containers/python/clipper_container/wire.py"


def source(path):
    return (ROOT / "src" / path).read_text(encoding="utf-8")


def numbers(path, prefix):
    """The integers that a header defines with a prefix, by the rest."""
    return {name: int(value) for name, value in re.findall(
        rf"^#define {prefix}(\w+) +(\d+)", source(path), re.M)}


def function(text, name):
    """The body of a function."""
    return re.search(rf"^{name}\(.*?^}}", text, re.M | re.S).group(0)


def documented(column):
    """Number -> name in the table of messages and input types in rpc.md."""
    table = RPC[RPC.index("| number | message type |"):].split("\n\n")[0]
    found = {}
    for row in table.splitlines()[2:]:
        number, name = [c.strip() for c in row.split("|")][column:column + 2]
        if number:
            found[int(number)] = name.split(" ")[0]
    return found


def column(header, i):
    """A column of a table of the reference, which begins with this header."""
    table = REFERENCE[REFERENCE.index(header):].split("\n\n")[0]
    return [row.split("|")[i].strip() for row in table.splitlines()[2:]]


def test_policies_can_be_replayed():
    """Catches a policy that asks one model and that a log cannot be replayed
    with."""
    names = [name.strip("`") for name in column("| policy | asks |", 1)]
    assert policies.names() == [
        name for name, asked in zip(names, column("| policy | asks |", 2))
        if asked == "one"]


def test_input_types():
    """Catches an input type that a table of the scanner, the Python packages
    or the description of the protocol lacks."""
    types = source("json/clipper_input_type.c")
    assert set(admin_names.DIRECTIVE_TYPES) == set(input_types.CODES)
    names = re.findall(r'ngx_string\("(\w+)"\)', types)
    assert input_types.CODES == {n: i for i, n in enumerate(names)}
    codes = numbers("json/clipper_input_type.h", "CLIPPER_")
    count = codes.pop("INPUT_TYPES")
    assert sorted(codes.values()) == list(range(count))
    assert len(names) == count
    codec = re.search(r"clipper_input_codecs\[\w*\] =\s*\{(.*?)\n\};",
                      source("json/clipper_input_value.c"), re.S).group(1)
    assert len(re.findall(r"^ +\{ ", codec, re.M)) == count
    assert {code: input_types.canonical(name)
            for code, name in documented(4).items()} == input_types.NAMES
    assert set(input_types.ITEM_SIZES) == set(input_types.NAMES)
    assert set(re.findall(r"`(\w+)`", " ".join(
        column("| input type | an input is |", 1)))) \
        == set(admin_names.DIRECTIVE_TYPES.values())
    npy = source("json/clipper_npy.c")
    for what in ("native", "convertible"):
        assert set(re.findall(r"case CLIPPER_(\w+):", function(
            npy, f"clipper_npy_is_{what}"))) == {
                admin_names.DIRECTIVE_TYPES[input_types.NAMES[code]].upper()
                for code in input_types.DTYPES}


def test_messages():
    """Catches a message type that the codec, the Python runtime or the
    description of the protocol lacks."""
    types = numbers("proto/clipper_proto_codec.h", "CLIPPER_PROTO_")
    proto = source("proto/clipper_proto.c")
    assert set(documented(1)) == set(types.values())
    block = re.search(r"^# From the container\.\n(.*?)\n\n",
                      WIRE.read_text(encoding="utf-8"), re.M | re.S).group(1)
    assert set(types.values()) == {
        int(number) for number in re.findall(r"^\w+ = (\d+)$", block, re.M)}
    size = int(re.search(r"clipper_proto_u32\[(\d+)\]", proto).group(1))
    sent = re.findall(r"clipper_proto_begin\(frames,[^;]*?"
                      r"CLIPPER_PROTO_(\w+)\);", proto)
    assert len(sent) >= 4 and size > max(types[name] for name in sent)
    for name in types:
        assert f"CLIPPER_PROTO_{name}" in proto, name


def test_options_of_applications():
    """Catches an option of a location that is not inherited, or that may
    differ between two locations of one application."""
    header = source("conf/ngx_http_clipper_conf_opt.h")
    text = source("conf/ngx_http_clipper_conf_opt.c")
    fields = re.search(r"typedef struct \{\n([^}]*)\} "
                       r"ngx_http_clipper_conf_opt_t;", header).group(1)
    names = re.findall(r"^ +\w+ +(\w+);", fields, re.M)
    assert len(names) > 10
    merged = function(text, "ngx_http_clipper_conf_opt_merge")
    compared = function(text, "ngx_http_clipper_conf_opt_differs")
    for name in names:
        assert re.search(rf"\bprev->{name}\b", merged), name
        assert re.search(rf"\ba->{name}\b.*\bb->{name}\b", compared,
                         re.S), name


def test_directives_are_in_the_overview():
    """Catches a directive that the table at the top of the reference lacks."""
    overview = REFERENCE[:REFERENCE.index("\n### clipper_")]
    assert re.findall(r"^### (clipper_\w+)", REFERENCE, re.M)
    for name in re.findall(r"^### (clipper_\w+)", REFERENCE, re.M):
        assert f"[{name}](#{name})" in overview, name
