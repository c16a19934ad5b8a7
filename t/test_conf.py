"""Configuration: `nginx -t` finds every mistake, and its line."""

import re
import socket

import pytest

from harness import application

APP = "location /a { clipper_app a; %s }"

#: where, text with the mistake marked by «», what the message must name
MISTAKES = [
    ("server", APP % "«clipper_input numbers;»", "numbers"),
    ("server", APP % "«clipper_input doubles lax;»", "lax"),
    ("server", APP % "«clipper_slo 0ms;»", "clipper_slo|SLO|slo"),
    ("server", APP % "«clipper_slo 0;»", "unit|clipper_slo"),
    ("server", APP % "«clipper_slo 100;»", "unit"),
    ("server", APP % "«clipper_slo soon;»", "soon|invalid"),
    ("server", APP % "«clipper_slo -5ms;»", "-5ms|invalid"),
    ("server", APP % "«clipper_slo 100us;»", "100us|invalid"),
    ("server", APP % "clipper_slo 5ms; «clipper_slo 5ms;»", "duplicate"),
    ("server", APP % "«clipper_link m weight=0;»", "weight"),
    ("server", APP % "«clipper_link m weight=x;»", "weight"),
    ("server", APP % "«clipper_link m n weight=2;»", "weight"),
    ("server", APP % "«clipper_link m m;»", "m"),
    ("server", APP % "clipper_link m:1; «clipper_link m:1;»", "m"),
    ("server", APP % "«clipper_link -m;»", "-m"),
    ("server", APP % "«clipper_link m:;»", "m:"),
    ("server", APP % "«clipper_link :1;»", ":1"),
    ("server", APP % "«clipper_link m:1:2;»", "m:1:2"),
    ("server", APP % "«clipper_link a/b;»", "a/b"),
    ("server", APP % "«clipper_limits batch=0;»", "batch"),
    ("server", APP % "«clipper_limits elements=x;»", "elements"),
    ("server", APP % "«clipper_limits depth=-1;»", "depth"),
    ("server", APP % "«clipper_limits width=3;»", "width"),
    ("server", APP % "«clipper_cache maybe;»", "maybe|clipper_cache"),
    ("server", "location /a { «clipper_app .a;» }", ".a"),
    ("server", "location /a { «clipper_app a/b;» }", "a/b"),
    ("server", 'location /a { «clipper_app "";» }', "invalid.*name"),
    ("server", "location /a { «clipper_app " + "n" * 300 + ";» }", "n"),
    ("server", "location /a { clipper_app a; «clipper_app b;» }",
     "duplicate"),
    ("server", "location = /a { «clipper_app a;» }", "clipper_app"),
    ("server", "location ~ /a { «clipper_app a;» }", "clipper_app"),
    ("server", "location @a { «clipper_app a;» }", "clipper_app"),
    ("server", "location /a { if ($args) { «clipper_app a;» } }",
     "clipper_app"),
    ("server", "«clipper_app a;»", "clipper_app"),
    ("server", "«clipper_link m;»", "clipper_link"),
    ("server", "«clipper_zone 64m;»", "clipper_zone"),
    ("http", "«clipper_cache_zone 1k;»", "small|1k"),
    ("http", "«clipper_cache_zone never;»", "never|clipper_cache_zone"),
    ("http", "«clipper_rpc nowhere;»", "nowhere|port"),
    ("http", "«clipper_rpc 127.0.0.1:0;»", "port|127.0.0.1:0"),
    ("http", "«clipper_rpc 127.0.0.1:99999;»", "port|99999"),
    ("http", "«clipper_rpc unix:;»", "unix:"),
    ("http", "«clipper_rpc 127.0.0.1:19999 max_message=0;»", "max_message"),
    ("http", "«clipper_rpc 127.0.0.1:19999 size=1k;»", "size"),
    ("http", "«clipper_rpc 127.0.0.1:19999 mode=0600;»", "unix:"),
    ("http", "«clipper_rpc unix:DIR/x.sock mode=0680;»", "mode=0680"),
    ("http", "«clipper_rpc unix:DIR/x.sock mode=0;»", "mode=0"),
    ("http", "«clipper_rpc unix:DIR/x.sock mode=07777;»", "mode=07777"),
    ("http", "«clipper_rpc unix:DIR/x.sock mode=;»", "mode="),
    ("http", "«clipper_rpc 127.0.0.1:19999 allow=10.0.0.0/99;»", "10.0.0.0"),
    ("http", "«clipper_rpc 127.0.0.1:19999 allow=::1;»", "family"),
    ("http", "«clipper_rpc [::1]:19999 allow=127.0.0.1;»", "family"),
    ("http", "«clipper_rpc 192.0.2.1:19999;»", "192.0.2.1"),
    ("http", "«clipper_generation a b;»", "clipper_generation"),
    ("http", "«clipper_model m;»", "clipper_model"),
    ("http", "«clipper_model -m { }»", "-m"),
    ("http", "«clipper_model m:1:2 { }»", "m:1:2"),
    ("http", "clipper_model m { «batch 0;» }", "batch"),
    ("http", "clipper_model m { «batch some;» }", "batch|some"),
    ("http", "clipper_model m { batch aimd; «batch aimd;» }", "duplicate"),
    ("http", "clipper_model m { batch 4; «batch aimd;» }", "duplicate"),
    ("http", "clipper_model m { batch aimd; «batch 4;» }", "duplicate"),
    ("http", "clipper_model m { «batch_max 0;» }", "batch_max"),
    ("http", "clipper_model m { «batch_wait 5;» }", "batch_wait|unit|5"),
    ("http", "clipper_model m { «queue 0;» }", "queue"),
    ("http", "clipper_model m { «queue many;» }", "queue|many"),
    ("http", "clipper_model m { «queue_size 0;» }", "queue_size"),
    ("http", "clipper_model m { «batch_timeout 0s;» }", "batch_timeout"),
    ("http", "clipper_model m { «batch_timeout never;» }", "never|invalid"),
    ("http", "clipper_model m { batch_timeout 5s; «batch_timeout auto;» }",
     "duplicate"),
    ("http", "clipper_model m { «replica_timeout 0s;» }", "replica_timeout"),
    ("http", "clipper_model m { «replica_timeout x;» }",
     "replica_timeout|x"),
    ("http", "clipper_model m { «color blue;» }", "color"),
    ("http", "clipper_model m { «input doubles;» }", "input"),
    ("http", "clipper_model m { «label x;» }", "label"),
    ("http", "clipper_model m { «version;» }", "version"),
    ("http", "clipper_model m { version 1; «version 2;» }", "version"),
    ("http", "clipper_model m { «version a:b;» }", "a:b"),
    ("http", "clipper_model m:1 { «version 1;» }", "version"),
    ("http", "clipper_model m:1 { «input numbers;» }", "numbers"),
    ("http", "clipper_model m:1 { «queue 5;» }", "queue"),
    ("http", "clipper_model m { }\n«clipper_model m { }»", "m|duplicate"),
    ("http", "clipper_model m:1 { }\n«clipper_model m:1 { }»",
     "m:1|duplicate"),
    ("server", "location /a { «clipper_link m;» }", "needs a .*clipper_app"),
    ("server", "location /b { «clipper_link m;» location /b/c { "
               "clipper_app c; clipper_link n; } }", "needs a .*clipper_app"),
    ("server", "location /a { «clipper_app a;» "
               "proxy_pass http://127.0.0.1:1; }", "instead of the clipper"),
    ("server", "location /a { proxy_pass http://127.0.0.1:1; "
               "«clipper_app a;» }", "conflicts"),
    ("server", "location = /a { «clipper_status;» "
               "proxy_pass http://127.0.0.1:1; }", "instead of the clipper"),
    ("server", "location = /a { stub_status; «clipper_health;» }",
     "conflicts"),
]


def names(mistake):
    where, text, _ = mistake
    marked = re.search("«(.*?)»", text).group(1)
    return f"{where}-{marked}"[:50]


@pytest.mark.parametrize("mistake", MISTAKES, ids=names)
def test_mistakes(check, mistake):
    """Catches a mistake that is accepted, or reported without its line."""
    where, text, wanted = mistake
    marked = re.search("«(.*?)»", text).group(1)
    message = check(**{where: "\n" + text.replace("«", "\n")
                       .replace("»", "\n")})
    assert message, "accepted"
    line = max(i for i, t in enumerate(check.text.splitlines(), 1)
               if t == marked)
    place = re.search(r" in (\S+):(\d+)$", message)
    assert place, message
    assert place.group(1) == str(check.path), message
    # A block may be told at its opening line.
    assert int(place.group(2)) in (line - 1, line, line + 1), message
    assert re.search(wanted, message.split("[emerg]")[1]), message


#: mistakes that nginx reports at one of their ends only
GENERAL = {
    "a zone too small": dict(zone="64k"),
    "a zone that is no size": dict(zone="large"),
    "the zone twice": dict(http="clipper_zone 32m;"),
    "link and declared type differ": dict(
        server=application("a", "m:1", "doubles"),
        http="clipper_model m:1 { input ints; }"),
    "current version's type differs": dict(
        server=application("a", "m", "doubles"),
        http="clipper_model m { version 2; } "
             "clipper_model m:1 { input doubles; } "
             "clipper_model m:2 { input ints; }"),
    "an application twice with another SLO": dict(
        server=application("a", slo="5s"),
        http="server { listen 127.0.0.1:14999; "
             + application("a", slo="6s") + " }"),
    "an application twice with another link": dict(
        server=application("a", "m"),
        http="server { listen 127.0.0.1:14999; "
             + application("a", "n") + " }"),
    "an application twice with another default": dict(
        server=application("a", default="1"),
        http="server { listen 127.0.0.1:14999; "
             + application("a", default="2") + " }"),
    "two applications of one name in one server": dict(
        server=application("a") + application("a", slo="1s").replace(
            "/a", "/b")),
}


@pytest.mark.parametrize("case", GENERAL)
def test_contradictions(check, case):
    """Catches parts of a configuration that contradict each other."""
    message = check(**GENERAL[case])
    assert message, "accepted"
    assert re.search(r" in \S+:\d+$", message), message


FINE = {
    "nothing": {},
    "no application": dict(rpc=""),
    "an application alone": dict(server=application("a")),
    "a synonym": dict(server=application("a", input_type="strs")),
    "an upper case synonym": dict(server=application("a",
                                                     input_type="Doubles")),
    "strict": dict(server=application("a").replace(
        "doubles;", "doubles strict;")),
    "inherited links": dict(server="location /a { clipper_link m; "
                                   "location /a/b { clipper_app b; } }"),
    "an application with an error page and an alias": dict(
        server="location /a { clipper_app a; error_page 404 /x; root /x; "
               "limit_except POST { deny all; } if ($args) { set $x 1; } }"),
    "inherited parameters": dict(
        http="clipper_input ints; clipper_slo 7ms; clipper_default x; "
             "clipper_limits batch=5 elements=1k depth=3 output=1k;",
        server="location /a { clipper_app a; clipper_link m:1; }"),
    "the same application twice": dict(
        server=application("a", "m"),
        http="server { listen 127.0.0.1:14999; " + application("a", "m")
             + " }"),
    "a block before its link": dict(
        http="clipper_model m { version 2; batch adaptive; batch_max 99; "
             "batch_wait 1ms; queue 9; queue_size 1m; replica_timeout 9s; "
             "batch_timeout 70s; }"
             "clipper_model m:2 { input doubles; batch 4; label x; "
             'image "registry/x:1"; }',
        server=application("a", "m")),
    "additive increase alone, and a version without": dict(
        http="clipper_model m { batch aimd; batch_max 9; } "
             "clipper_model m:2 { batch adaptive; }",
        server=application("a", "m")),
    "an absolute Unix path": dict(rpc="clipper_rpc unix:DIR/x.sock;"),
    "limits of a message": dict(
        rpc="clipper_rpc unix:DIR/x.sock max_message=1m;"),
    "names of all kinds": dict(server="location /x { clipper_app A-b_c.1; "
                                      "clipper_link 9.m-X_:v1.2-rc_3; }"),
    "a nested location": dict(
        server="location /x { " + application("x/a").replace(
            "clipper_app x/a", "clipper_app a") + " }"),
}


@pytest.mark.parametrize("case", FINE)
def test_accepted(check, case):
    """Catches a correct configuration that is refused."""
    message = check(**FINE[case])
    assert message is None, message
    assert "[warn]" not in check.printed, check.printed


def test_reachable_port_is_warned_of(check):
    """Catches a port open to strangers without a warning."""
    assert check(rpc="clipper_rpc 0.0.0.0:14998;") is None
    assert "[warn]" in check.printed and "allow" in check.printed
    assert check(rpc="clipper_rpc 0.0.0.0:14998 allow=10.0.0.0/8;") is None
    assert "[warn]" not in check.printed


def test_timer_resolution_is_warned_of(check):
    """Catches coarse deadlines without a warning."""
    assert check(application("a"), main="timer_resolution 100ms;") is None
    assert "[warn]" in check.printed and "timer_resolution" in check.printed


def test_applications_without_a_port_are_warned_of(check):
    """Catches a server that no container can connect to, without a word."""
    assert check(application("a", "m"), rpc="") is None
    assert "[warn]" in check.printed and "clipper_rpc" in check.printed


def test_address_in_use(check):
    """Catches an address in use that is found only at the start."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = check(rpc=f"clipper_rpc 127.0.0.1:{port};")
    assert message and str(port) in message


def test_address_that_is_not_ours(check):
    """Catches an address that is accepted but cannot be bound."""
    message = check(rpc="clipper_rpc 192.0.2.1:14998;")
    assert message and "192.0.2.1" in message


def test_the_test_starts_nothing(check, make_nginx):
    """Catches `nginx -t` that leaves a socket file or a process."""
    made = make_nginx(rpc="clipper_rpc unix:DIR/t.sock;")
    accepted, printed = made.test(made.render())
    assert accepted, printed
    assert not (made.dir / "t.sock").exists()


def test_more_applications_than_the_zone_holds(check):
    """Catches applications or versions without a row in the zone: they would
    be served without counters, or not at all."""
    many = "".join(application(f"a{i}") for i in range(40))
    assert "has room for 31 applications" in check(many, zone="2m")
    links = " ".join(f"m:{i}" for i in range(40))
    assert "40 are configured" in check(
        application("a", links, extra="clipper_select split;"), zone="2m")
    assert check(many, zone="16m") is None


@pytest.mark.parametrize("links, warned", [(28, False), (29, True)])
def test_more_names_than_learned_states_keep(make_nginx, links, warned):
    """Catches an application that can never learn, as the zone has no room
    for the names of its members, unsaid by the check."""
    server = make_nginx(
        "location /a { clipper_app a; clipper_select exp4; clipper_link "
        + " ".join(f"m{i}" for i in range(links)) + "; }\n", zone="2m")
    server.write()
    accepted, text = server.test()
    assert accepted
    assert ("some will not learn" in text) == warned, text
