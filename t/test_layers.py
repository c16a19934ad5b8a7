"""The layers of the sources: includes and uses.

All of it is derived from the tree: the files of src/, their "#include" lines,
what they define, and where those names stand. Names are unique over the tree,
so that a name tells its file. The ranks of the folders are the table of
docs/architecture.md; a file outside of all folders is above them.
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent

#: Circles between files of one folder that stay, and why.
CIRCLES = {
    # one tokenizer: skipping a value reads scalars, which move its cursor
    frozenset({"lex", "lex_scalar"}),
    # the table is flushed at its end, and hands over what was not sent
    frozenset({"state", "state_flush"}),
}

#: Circles that appear when a source and its header count as one, exactly, and
#: why: a part includes the header of its whole for the types of that, and the
#: whole calls the part.  None of them is a circle of calls but those above.
#: Elsewhere those types have a header of their own.
WHOLES = {
    # a number has its middle compared where its first 64 bits do not decide
    frozenset({"number", "number_exact", "number_lemire"}),
    frozenset({"lex", "lex_scalar"}),
    # a scan with its values and their inline loops
    frozenset({"input", "input_array", "input_value"}),
    # a row of the table begins in the file of its policy
    frozenset({"policy_table", *re.findall(
        r"^extern const clipper_policy_t +clipper_(\w+);", (
            ROOT / "src/learn/clipper_policy_table.h").read_text(), re.M)}),
    # the records, who has them, and the ring that they are in
    frozenset({"record", "record_claim", "record_ring"}),
    frozenset({"state", "state_flush"}),
}

#: The only public name of these sources is a row of this header's table: a
#: header for each would declare one line for one reader.
ROWS = {
    "policy_table": re.compile(r"policy_\w+"),
    "proto_codec": re.compile(r"proto_v\d_codec"),
}

#: nginx names the module's object, and every file may use it.
MODULE = "ngx_http_clipper_module"

COMMENT = re.compile(r"/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
                     re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)
NAME = re.compile(r"\b(?:ngx_http_)?clipper_\w+\b")
FUNCTION = re.compile(r"^(.*)\n((?:ngx_http_)?clipper_\w+)\([^;{]*\)\n\{",
                      re.M)
#: Code of a header: the bodies of inline functions, and macros.
BODY = re.compile(r"^\{\n.*?^\}|^#[ \t]*define(?:\\\n|[^\n])*", re.M | re.S)
MACRO = re.compile(r"^#[ \t]*define[ \t]+((?:ngx_http_)?clipper_\w+)\(", re.M)
VARIABLE = re.compile(
    r"^(?!static|typedef|extern|struct|enum|#)[A-Za-z_][\w ]*?[ *]+"
    r"((?:ngx_http_)?clipper_\w+)(?:\[[^\]]*\])*(?: = |;)", re.M)


def folder(path):
    """src/shm/clipper_queue.c is in shm; a file outside of all folders in
    ""."""
    parts = path.split("/")
    return parts[1] if len(parts) == 3 else ""


def bare(name):
    """A name without the prefix; of a path, its stem without the prefix."""
    name = name.rsplit("/", 1)[-1].removesuffix(".c").removesuffix(".h")
    return re.sub(r"^(ngx_http_clipper|clipper)_?", "", name)


class Tree:
    """Sources, {"src/base/clipper_hash.c": text}, and the folders' ranks.

    `owner` has the file of each public name, `inline` that of each function
    with its body in a header, `macro` that of each macro with arguments.
    """

    def __init__(self, texts, ranks):
        self.texts, self.ranks = texts, ranks
        self.code = {path: COMMENT.sub(" ", text)
                     for path, text in texts.items()}
        self.owner, self.inline, self.macro = {}, {}, {}
        for path, text in self.code.items():
            if path.endswith(".h"):
                for _, name in FUNCTION.findall(text):
                    self.inline[name] = path
                for name in MACRO.findall(text):
                    self.macro[name] = path
            if path.endswith(".c"):
                for kind, name in FUNCTION.findall(text):
                    if "static" not in kind.split():
                        self.owner[name] = path
                for name in VARIABLE.findall(text):
                    self.owner.setdefault(name, path)
        self.owner.pop(MODULE, None)

    def rank(self, path):
        return self.ranks[folder(path)] if folder(path) \
            else 1 + max(self.ranks.values())

    def arrows(self):
        """(file, what it includes or uses, the file of that)."""
        for path, text in self.texts.items():
            for _, name in INCLUDE.findall(text):
                if "src/" + name in self.texts:
                    yield path, "src/" + name, "src/" + name
        yield from self.uses()

    def uses(self):
        """What a source uses of another file, and what the inline functions
        and macros of a header do; its declarations are no uses."""
        defined = self.owner | self.inline | self.macro
        for path, text in self.code.items():
            if path.endswith(".h"):
                text = "\n".join(BODY.findall(text))
            for name in sorted(set(NAME.findall(text))):
                if defined.get(name, path) != path:
                    yield path, name, defined[name]

    def unquoted(self):
        """Includes of the tree's own headers that are not written as such:
        in <>, or without the folder."""
        own = {path.rsplit("/", 1)[-1] for path in self.texts}
        return [f"{path}: {name}" for path, text in self.texts.items()
                for mark, name in INCLUDE.findall(text)
                if name.rsplit("/", 1)[-1] in own
                and (mark == "<" or "src/" + name not in self.texts)]

    def upward(self):
        return [f"{path}: {what}" for path, what, other in self.arrows()
                if folder(path) != folder(other)
                and self.rank(other) >= self.rank(path)]

    def circles(self):
        """Sets of files that use each other, directly or not; a source and
        its header are one."""
        pairs = ((path.removesuffix(".h").removesuffix(".c"),
                  other.removesuffix(".h").removesuffix(".c"))
                 for path, _, other in self.uses())
        return self.rings(pair for pair in pairs if pair[0] != pair[1])

    def wholes(self):
        """The same of stems, by what they include and use."""
        pairs = ((bare(path), bare(other))
                 for path, _, other in self.arrows())
        return self.rings(pair for pair in pairs if pair[0] != pair[1])

    @staticmethod
    def rings(pairs):
        edges = {}
        for path, other in pairs:
            edges.setdefault(path, set()).add(other)

        def reached(start):
            seen, todo = set(), [start]
            while todo:
                for other in edges.get(todo.pop(), set()) - seen:
                    seen.add(other)
                    todo.append(other)
            return seen

        reach = {path: reached(path) for path in edges}
        return {frozenset(other for other in reach[path]
                          if path in reach.get(other, ()))
                for path in edges if path in reach[path]}

    def misnamed(self):
        """Public names that do not begin with their file's stem, or with a
        longer stem of another file, and macros that do not begin with its
        first word; the check of a mutex is named for what the mutex guards.
        """
        stems = sorted({bare(path) for path in self.texts}, key=len)
        macros = [f"{path}: {name}" for name, path in self.macro.items()
                  if not bare(name).startswith(bare(path).split("_")[0])
                  and not name.endswith("_locked")]
        return macros + [
            f"{path}: {name}"
            for name, path in (self.owner | self.inline).items()
            if [stem for stem in stems
                if re.match(rf"{stem}(s|\d+)?(_|$)", bare(name))][-1:]
            != [bare(path)]]

    def undeclared(self):
        """Public names that their file's own header does not declare."""
        wrong = []
        for name, path in self.owner.items():
            header = path[:-2] + ".h"
            if name not in NAME.findall(self.code.get(header, "")) and not any(
                    rule.fullmatch(bare(name)) and name in NAME.findall(
                        self.code[f"{path.rsplit('/', 1)[0]}/clipper_{h}.h"])
                    for h, rule in ROWS.items()):
                wrong.append(f"{path}: {name}")
        return wrong


def documented_ranks():
    text = (ROOT / "docs/architecture.md").read_text()
    return {name: int(rank) for rank, name in re.findall(
        r"^\| (\d) \| `(\w+)` \|", text, re.M)}


def documented_neighbours():
    text = (ROOT / "docs/architecture.md").read_text()
    return {name: set(re.findall(r"`(\w+)`", below))
            for name, below in re.findall(
                r"^\| \d \| `(\w+)` \|[^|]*\|([^|]*)\|", text, re.M)}


def tree():
    files = [*ROOT.glob("src/**/*.[ch]"), ROOT / f"{MODULE}.c"]
    return Tree({str(path.relative_to(ROOT)): path.read_text()
                 for path in files}, documented_ranks())


def test_something_is_checked():
    """Catches patterns that no longer match anything."""
    it = tree()
    assert len(it.inline) > 20 and len(it.macro) > 10
    assert any(path.endswith(".h") for path, _, _ in it.uses())
    assert len(it.texts) > 150 and len(it.owner) > 400
    assert len(list(it.arrows())) > 1000
    assert set(it.ranks) == {folder(path) for path in it.texts} - {""}


def test_nothing_points_up_or_aside():
    """Catches an include or a use of a higher folder, or of another folder of
    the same rank: the query half and the replica half never see each other."""
    assert tree().upward() == []


def test_own_headers_are_written_as_such():
    """Catches an include of a header of ours in <>, or without its folder,
    which the other checks would not follow."""
    assert tree().unquoted() == []


def test_pure_folders_are_those_below_the_zone():
    """Catches a folder that unit tests and fuzzers do not build whole, though
    it stands below shared memory, or the other way round."""
    ranks = documented_ranks()
    pure, = re.findall(r"^PURE_FOLDERS := (.*)",
                       (ROOT / "t/unit/folders.mk").read_text(), re.M)
    assert set(pure.split()) == {name for name, rank in ranks.items()
                                 if rank < ranks["shm"]}


def test_neighbours_are_documented():
    """Catches a folder whose neighbours are others than the docs say."""
    it = tree()
    found = {name: set() for name in it.ranks}
    for path, _, other in it.arrows():
        if folder(path) and folder(path) != folder(other):
            found[folder(path)].add(folder(other))
    assert found == documented_neighbours()


def test_a_query_goes_down_once_and_up_once():
    """Catches a POST /predict that enters the query by more than its three
    steps, a step of the query that calls another than the next, and a second
    place from which the request is told."""
    it = tree()

    def used(path, *owners):
        return {bare(name) for user, name, owner in it.uses()
                if bare(user) == path and bare(owner) in owners}

    assert {name for name in used("predict", *map(bare, it.texts))
            if folder(it.owner.get("ngx_http_clipper_" + name, "")) == "query"
            } == {"query_create", "query_resolve", "query_start"}
    assert used("query", "select", "ask", "select_merge") == {
        "select_init", "select_choose", "select_cancel", "ask_start",
        "ask_deliver", "ask_leave", "select_merge", "select_release"}
    for step in ("select", "ask", "select_merge", "lineup"):
        assert used(step, "query") == set(), step
    assert {bare(path) for path, text in it.code.items()
            if "query->handler(" in text} == {"query"}


def test_circles_are_few():
    """Catches a circle between folders, and one inside a folder that is not
    named above with its reason."""
    assert {frozenset(map(bare, circle)) for circle in tree().circles()} \
        == CIRCLES


def test_parts_include_their_whole_only():
    """Catches a circle of sources with their headers that is not one of those
    that are named above with their reasons, and a name for none."""
    assert tree().wholes() == WHOLES


def test_a_name_tells_its_file():
    """Catches a public name that does not begin with its file's stem, or that
    belongs to another file by a longer one."""
    assert tree().misnamed() == []


def test_every_file_has_its_header():
    """Catches a public name that is declared in another file's header."""
    assert tree().undeclared() == []


def test_the_checks_find_what_is_wrong():
    """Catches checks that no longer find anything, by a broken tree."""
    low, high = "src/base/clipper_low.c", "src/query/clipper_high.c"
    broken = Tree({
        low: '#include "query/clipper_high.h"\n\nvoid\n'
             "clipper_low_run(void)\n{\n    clipper_high_run();\n}\n",
        high: "void\nclipper_high_run(void)\n{\n    clipper_low_run();\n}\n\n"
              "void\nclipper_other(void)\n{\n}\n\n"
              "void\nclipper_high_deep_run(void)\n{\n}\n",
        "src/query/clipper_high_deep.h": "",
        "src/query/clipper_high.h": "void clipper_high_run(void);\n",
        "src/replica/clipper_side.c":
            "static void\nclipper_side_run(void)\n{\n"
            "    clipper_high_run();\n}\n",
    }, {"base": 0, "query": 6, "replica": 6})
    assert len(broken.upward()) == 3
    assert broken.circles() == {frozenset({low[:-2], high[:-2]})}
    assert broken.wholes() == {frozenset({"low", "high"})}
    assert broken.misnamed() == [f"{high}: clipper_other",
                                 f"{high}: clipper_high_deep_run"]
    assert len(broken.undeclared()) == 3


def test_the_checks_read_headers():
    """Catches checks that read sources only, by a broken tree: its headers
    include in <>, call upwards from an inline function and from a macro, and
    have names of another file."""
    low, high = "src/base/clipper_low.h", "src/query/clipper_high.h"
    broken = Tree({
        low: "#include <query/clipper_high.h>\n\n"
             "#define clipper_low_macro(x)  \\\n    clipper_high_run(x)\n\n"
             "#define clipper_other_macro(x)  (x)\n\n"
             "static ngx_inline void\nclipper_low_run(void)\n{\n"
             "    clipper_high_inline();\n}\n\n"
             "static ngx_inline void\nclipper_other(void)\n{\n}\n\n"
             "#define clipper_low_locked(x)  (x)\n",
        "src/base/clipper_low.c": '#  include "clipper_low.h"\n',
        high: "static ngx_inline void\nclipper_high_inline(void)\n{\n"
              "    clipper_low_macro(1);\n}\n\n"
              "void clipper_high_run(void);\n",
        "src/query/clipper_high.c": "void\nclipper_high_run(void)\n{\n}\n",
    }, {"base": 0, "query": 6})
    assert broken.unquoted() == [f"{low}: query/clipper_high.h",
                                 "src/base/clipper_low.c: clipper_low.h"]
    assert broken.upward() == [
        f"{low}: {name}" for name in (high, "clipper_high_inline",
                                      "clipper_high_run")]
    assert broken.circles() == {frozenset({low[:-2], high[:-2]})}
    assert broken.misnamed() == [f"{low}: clipper_other_macro",
                                 f"{low}: clipper_other"]
