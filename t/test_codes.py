"""Return codes: what a function can return, its comment names, and each code
has one meaning there.  The comment of a public function is in its header.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

CODE = re.compile(r"\bNGX_(?:AGAIN|BUSY|DONE|DECLINED|ABORT)\b")

DEFINED = re.compile(
    r"^(?!static)[\w ]+\**\n(\w+)\([^;{]*\)\n\{\n(.*?)^\}", re.M | re.S)

STATIC = re.compile(
    r"(?:/\*((?:(?!\*/).)*)\*/\n\n)?^static [\w ]+\**\n(\w+)\([^;{]*\)\n"
    r"\{\n(.*?)^\}", re.M | re.S)

COMMENT = re.compile(r"/\*((?:(?!\*/).)*)\*/", re.S)

#: What a comment says of a code, up to the end of the clause.
MEANING = re.compile(r"\b(NGX_(?:OK|ERROR|AGAIN|BUSY|DONE|DECLINED|ABORT)):\s"
                     r"((?:(?![;.](?:\s|$)|NGX_[A-Z]+:).)*)")

EXCEPT = {
    "ngx_http_clipper_predict_handler": "returns what nginx asks of a handler",
    "clipper_inflate": "returns its rc only if it is none of these",
}


def returned(body):
    """The codes of a function, without those that pass through from others."""
    given = re.findall(r"\breturn\b([^;]*);", body)
    for name in re.findall(r"\breturn (\w+);", body):
        given += re.findall(rf"\b{name} = ([^;]*);", body)
    return {code for text in given
            for code in CODE.findall(re.sub(r"[!=]= NGX_\w+", "", text))}


def declared(header, name):
    """The comment over a declaration, and the one at the head of the file."""
    found = re.search(
        rf"(?:/\*((?:(?!\*/).)*)\*/\n\n?)?^(?:[\w ]+\**\s*\**){name}\(", header,
        re.M | re.S)
    return found and (found.group(1) or "") + header.split("#ifndef")[0]


def unnamed(source, header):
    """(function, code) of what the header does not name."""
    for name, body in DEFINED.findall(source):
        words = declared(header, name)
        if words is not None and name not in EXCEPT:
            for code in sorted(returned(body)):
                if code not in words:
                    yield name, code


def unnamed_static(source):
    """The same of functions that only their source has."""
    for comment, name, body in STATIC.findall(source):
        for code in sorted(returned(body)):
            if code not in comment:
                yield name, code


def ambiguous(text):
    """(code, what it means) of comments that give a code two meanings."""
    for comment in COMMENT.findall(text):
        words = re.sub(r"\s*\n\s*\*?\s*", " ", comment).strip()
        for code, meaning in MEANING.findall(words):
            if re.search(r"\bor\b(?!\s*$)", meaning):
                yield code, meaning.strip()


def test_headers_name_the_codes():
    """Catches a code that a caller has to look up in the source; NGX_OK and
    NGX_ERROR need no word."""
    found, functions = [], 0
    for path in sorted(ROOT.glob("src/**/*.c")):
        if path.with_suffix(".h").exists():
            source = path.read_text()
            functions += sum(bool(returned(body))
                             for _, body in DEFINED.findall(source))
            found += unnamed(source, path.with_suffix(".h").read_text())
    assert functions > 50
    assert found == []


def test_sources_name_the_codes():
    """Catches the same of a function that is not public."""
    found, functions = [], 0
    for path in sorted(ROOT.glob("src/**/*.c")):
        source = path.read_text()
        functions += sum(bool(returned(body))
                         for _, _, body in STATIC.findall(source))
        found += unnamed_static(source)
    assert functions > 30
    assert found == []


def test_a_code_has_one_meaning():
    """Catches a code whose comment says that it means this or that: a caller
    cannot tell which."""
    found, codes = [], 0
    for path in sorted(ROOT.glob("src/**/*.[ch]")):
        text = path.read_text()
        codes += sum(len(MEANING.findall(comment))
                     for comment in COMMENT.findall(text))
        found += [(path.name, *what) for what in ambiguous(text)]
    assert codes > 140
    assert found == []


def test_a_code_without_a_name_is_seen():
    source = ("ngx_int_t\na_take(a_t *a)\n{\n    if (a->n) {\n"
              "        return NGX_DONE;\n    }\n\n    rc = a->m ? NGX_BUSY"
              " : NGX_OK;\n\n    return rc;\n}\n")
    header = "/* NGX_DONE: {} */\nngx_int_t a_take(a_t *a);\n"
    assert list(unnamed(source, header)) == [("a_take", "NGX_BUSY")]
    assert list(unnamed(source, header.replace("{}", "; NGX_BUSY:"))) == []


def test_a_static_code_without_a_name_is_seen():
    source = ("/* NGX_DONE: {} */\n\nstatic ngx_int_t\na_take(a_t *a)\n{\n"
              "    return a->n ? NGX_DONE : NGX_AGAIN;\n}\n\n\n"
              "static ngx_int_t\na_put(a_t *a)\n{\n    return NGX_BUSY;\n}\n")
    assert list(unnamed_static(source)) == [("a_take", "NGX_AGAIN"),
                                            ("a_put", "NGX_BUSY")]
    named = source.replace("{}", "; NGX_AGAIN:").replace(
        "\n\n\nstatic", "\n\n\n/* NGX_BUSY: */\n\nstatic")
    assert list(unnamed_static(named)) == []


def test_two_meanings_are_seen():
    text = ("/*\n * This or that.  NGX_OK: done, or NGX_AGAIN: late;\n"
            " * NGX_DONE: it is here, or\n * never was.  NGX_BUSY: one. */")
    assert list(ambiguous(text)) == [("NGX_DONE", "it is here, or never was")]
    assert list(ambiguous(text.replace(", or\n * never was", ""))) == []
