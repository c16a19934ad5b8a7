"""Read and write nginx's configuration language.

A configuration is a list of directives; a directive has arguments and may
have a block of directives. `quote` writes every argument, so no value can
end its own argument.
"""

import re
from typing import Iterable, Iterator, List, NamedTuple, Optional, Tuple

from .exceptions import ClipperException

#: A directive that is turned off: nginx reads it as a comment.
_SWITCHED_OFF = re.compile(r"#clipper_[a-z_]+ [^\n]*;[ \t\r]*(?:\n|\Z)")
_PLAIN = re.compile(r"[A-Za-z0-9_./:=*@%+,~-]+\Z")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_LITERAL = "\"'\\"


class Directive(NamedTuple):
    """One directive.

    Attributes:
        name: the first word.
        args: the arguments without quotes.
        block: directives between braces; None when it ends with `;`.
    """

    name: str
    args: Tuple[str, ...]
    block: Optional[List["Directive"]] = None


def directive(
    name: str, *args: object, block: Optional[List[Directive]] = None
) -> Directive:
    """Make a directive; arguments are written as their `str`."""
    return Directive(name, tuple(str(arg) for arg in args), block)


#: Characters of one argument: nginx reads no argument of more than 4 kB, in
#: UTF-8 and with its escapes.
_PIECE = 1000


def pieces(value: str) -> List[str]:
    """A text as arguments that nginx can read; some directives join them."""
    return [
        value[i:i + _PIECE] for i in range(0, len(value), _PIECE)
    ] or [""]


def quote(value: str) -> str:
    """Write one argument so that nginx reads exactly `value`.

    Raises:
        ClipperException: it has a NUL or is not valid Unicode.
    """
    if _PLAIN.match(value):
        return value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ClipperException("%r is not valid Unicode" % value) from None
    if "\0" in value:
        raise ClipperException("%r has a NUL character" % value)
    # Inside quotes nginx keeps a backslash only before some letters, so
    # every one is doubled.
    return '"%s"' % "".join(_ESCAPES.get(char, char) for char in value)


def write(directives: Iterable[Directive], indent: int = 0) -> str:
    """Write one directive on each line, blocks indented by four spaces."""
    return "".join(_lines(directives, " " * indent))


def _lines(directives: Iterable[Directive], indent: str) -> Iterator[str]:
    for one in directives:
        words = " ".join([one.name] + [quote(arg) for arg in one.args])
        if one.block is None:
            yield "%s%s;\n" % (indent, words)
            continue
        yield "%s%s {\n" % (indent, words)
        yield from _lines(one.block, indent + "    ")
        yield "%s}\n" % indent


def read(text: str, where: str = "configuration") -> List[Directive]:
    """Read directives.

    Args:
        text: in nginx's language.
        where: names the text in messages.

    Raises:
        ClipperException: a syntax error (with its line).
    """
    reader = _Reader(text, where)
    return reader.directives(top=True)


class _Reader:
    """Parses tokens; each call of `directives` reads one block."""

    def __init__(self, text: str, where: str) -> None:
        self._tokens = list(_tokens(text, where))
        self._at = 0
        self._where = where

    def _fail(self, line: int, why: str) -> ClipperException:
        return ClipperException("%s:%d: %s" % (self._where, line, why))

    def directives(self, top: bool) -> List[Directive]:
        found: List[Directive] = []
        words: List[str] = []
        line = 0
        while self._at < len(self._tokens):
            kind, word, line = self._tokens[self._at]
            self._at += 1
            if kind == "word":
                words.append(word)
                continue
            if word == "}":
                if words or top:
                    raise self._fail(line, 'unexpected "}"')
                return found
            if not words:
                raise self._fail(line, 'unexpected "%s"' % word)
            block = self.directives(top=False) if word == "{" else None
            found.append(Directive(words[0], tuple(words[1:]), block))
            words = []
        if words or not top:
            raise self._fail(line, "unexpected end of file")
        return found


_BLANK = " \t\r\n"


def _tokens(text: str, where: str) -> Iterator[Tuple[str, str, int]]:
    """(kind, text, line); kind is "word" or "mark" (one of ``;{}``)."""
    at = 0
    line = 1
    while at < len(text):
        char = text[at]
        if char in _BLANK:
            line += char == "\n"
            at += 1
        elif char == "#" and not _SWITCHED_OFF.match(text, at):
            while at < len(text) and text[at] != "\n":
                at += 1
        elif char in ";{}":
            yield "mark", char, line
            at += 1
        elif char in "\"'":
            start = line
            word, at, line = _quoted(text, at + 1, char, line, where)
            yield "word", word, start
        else:
            word, at = _bare(text, at)
            yield "word", word, line


def _quoted(
    text: str, at: int, mark: str, line: int, where: str
) -> Tuple[str, int, int]:
    word = ""
    while at < len(text):
        char = text[at]
        if char == mark:
            return word, at + 1, line
        if char == "\\" and at + 1 < len(text):
            word += _unescape(text[at + 1])
            at += 2
            continue
        line += char == "\n"
        word += char
        at += 1
    raise ClipperException("%s:%d: unexpected end of file" % (where, line))


def _bare(text: str, at: int) -> Tuple[str, int]:
    word = ""
    while at < len(text) and text[at] not in _BLANK + ";{":
        if text[at] == "\\" and at + 1 < len(text):
            word += _unescape(text[at + 1])
            at += 2
            continue
        if text[at] == "$" and text[at + 1:at + 2] == "{":
            word += "$"
            at += 1
        word += text[at]
        at += 1
    return word, at


def _unescape(char: str) -> str:
    if char in _LITERAL:
        return char
    return _UNESCAPES.get(char, "\\" + char)
