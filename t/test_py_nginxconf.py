"""Reading and writing nginx's configuration language."""

import random

import pytest

from clipper_admin.exceptions import ClipperException
from clipper_admin.nginxconf import directive, quote, read, write


@pytest.mark.parametrize("value, text", [
    ("plain-1.0_x/y:z", "plain-1.0_x/y:z"),
    ("", '""'),
    ("two words", '"two words"'),
    ('say "hi"', '"say \\"hi\\""'),
    ("back\\slash", '"back\\\\slash"'),
    ("a;b", '"a;b"'),
    ("{}", '"{}"'),
    ("#no", '"#no"'),
    ("$x", '"$x"'),
    ("it's", '"it\'s"'),
    ("a\nb\tc\rd", '"a\\nb\\tc\\rd"'),
    ("\\n", '"\\\\n"'),
    ("é", '"é"'),
])
def test_quote(value, text):
    assert quote(value) == text
    assert read("x %s;" % text) == [directive("x", value)]


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_quote_refuses_what_nginx_cannot_hold(value):
    with pytest.raises(ClipperException):
        quote(value)


def test_whatever_is_written_is_read_back():
    rng = random.Random(7)
    alphabet = "ab \t\n\r\\\"'{};#$é/:0"
    for _ in range(500):
        args = ["".join(rng.choices(alphabet, k=rng.randrange(12)))
                for _ in range(rng.randrange(4))]
        tree = [
            directive("one", *args),
            directive("two", *args, block=[
                directive("in", *args),
                directive("deep", block=[directive("x", *args)]),
            ]),
        ]
        assert read(write(tree)) == tree


def test_write_indents_blocks():
    assert write([
        directive("a", 1, block=[directive("b", "x y"),
                                 directive("c", block=[])]),
    ]) == 'a 1 {\n    b "x y";\n    c {\n    }\n}\n'


def test_read_takes_what_people_write():
    assert read("""
        # comment; { with marks
        a  1   'single quoted' ;
        location /x{ b; c ${d}e; }  # trailing
    """) == [
        directive("a", "1", "single quoted"),
        directive("location", "/x",
                  block=[directive("b"), directive("c", "${d}e")]),
    ]


@pytest.mark.parametrize("text, line", [
    ("a;\nb", 2), ("a {\nb;\n", 3), ("a;\n}", 2), ("a;\n;", 2),
    ("a;\n\n{ b; }", 3), ('a "x;\n', 2), ("a { b }", 1),
])
def test_read_says_where_the_mistake_is(text, line):
    with pytest.raises(ClipperException, match=r"conf:(%d|%d):"
                       % (line, line - 1)):
        read(text, "conf")
