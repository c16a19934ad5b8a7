"""Return codes: what a public function can return, its header names."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

CODE = re.compile(r"\bNGX_(?:AGAIN|BUSY|DONE|DECLINED|ABORT)\b")

DEFINED = re.compile(
    r"^(?!static)[\w ]+\**\n(\w+)\([^;{]*\)\n\{\n(.*?)^\}", re.M | re.S)

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


def test_a_code_without_a_name_is_seen():
    source = ("ngx_int_t\na_take(a_t *a)\n{\n    if (a->n) {\n"
              "        return NGX_DONE;\n    }\n\n    rc = a->m ? NGX_BUSY"
              " : NGX_OK;\n\n    return rc;\n}\n")
    header = "/* NGX_DONE: {} */\nngx_int_t a_take(a_t *a);\n"
    assert list(unnamed(source, header)) == [("a_take", "NGX_BUSY")]
    assert list(unnamed(source, header.replace("{}", "; NGX_BUSY:"))) == []
