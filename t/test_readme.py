"""The README and the reference are true: compared with the sources and a
server."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import Sim4, application, wait_until
from harness.util import free_port

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
PAGES = ["README.md", *sorted(str(path.relative_to(ROOT))
                              for path in ROOT.glob("docs/*.md"))]

CONTEXTS = {
    "NGX_HTTP_MAIN_CONF": {"http"},
    "NGX_HTTP_SRV_CONF": {"server"},
    "NGX_HTTP_LOC_CONF": {"location"},
    "NGX_HTTP_CLIPPER_ANY_CONF": {"http", "server", "location"},
}

DIRECTIVE = re.compile(
    r"^### (clipper_\w+)\n\*\*syntax:\*\* \*(.+)\*\n\n"
    r"\*\*default:\*\* \*(.+)\*\n\n\*\*context:\*\* \*(.+)\*$", re.M)


def source(name):
    return (ROOT / name).read_text(encoding="utf-8")


def section(title, text=REFERENCE):
    """The text below a heading, up to the next of its level."""
    level = title.split(" ")[0]
    found = re.search(
        rf"^{re.escape(title)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)",
        text, re.M | re.S)
    assert found, title
    return found.group(1)


def cells(text, header):
    """The rows of the table with this header, as lists of cells."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(header):
            break
    else:
        raise AssertionError(header)
    assert set(next(lines)) <= set("|- ")
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("\\|", "|")
                     for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def code(cell):
    return re.findall(r"`([^`]+)`", cell)


def strings(text):
    return re.findall(r'ngx_string\("([^"]+)"\)', text)


@pytest.fixture(scope="module")
def directives():
    return {name: (syntax, default, context) for
            name, syntax, default, context in DIRECTIVE.findall(REFERENCE)}


def test_directives(directives):
    """Catches a directive that is missing, gone, or for another context."""
    table = {}
    for name, flags in re.findall(
            r'\{ ngx_string\("(clipper_\w+)"\),\s*([A-Z0-9_|]+),',
            source("ngx_http_clipper_module.c")):
        table[name] = set().union(*(CONTEXTS.get(flag, set())
                                    for flag in flags.split("|")))

    documented = {name: set(context.split(", "))
                  for name, (_, _, context) in directives.items()}
    assert documented == table
    assert len(re.findall(r"^### clipper_", REFERENCE, re.M)) == len(table)

    for name, (syntax, default, _) in directives.items():
        assert syntax.split(" ")[0] == name
        assert default == "-" or default.split(" ")[0] == name


def test_defaults_of_applications(directives, check):
    """Catches a wrong default: an application may be declared twice only when
    all parameters agree."""
    links = "clipper_app a; clipper_link m:1 n:1 o:1;"
    bare = f"location /a {{ {links} }}"
    written = " ".join(
        default + ";" for _, default, context in directives.values()
        if default != "-" and "location" in context)
    assert written.count(";") >= 7
    both = "{} }} server {{ listen 127.0.0.1:{}; location /a {{ {} {} }}"
    assert check(both.format(bare, free_port(), links, written)) is None
    other = written.replace("100ms", "99ms")
    assert 'clipper_slo' in check(both.format(bare, free_port(), links,
                                              other))


def test_defaults_of_zones(directives):
    """Catches a wrong default size of a zone."""
    text = source("src/conf/ngx_http_clipper_conf.c")
    for name, constant in (("clipper_zone", "NGX_HTTP_CLIPPER_ZONE_SIZE"),
                           ("clipper_cache_zone",
                            "NGX_HTTP_CLIPPER_CACHE_SIZE")):
        size = re.search(rf"{constant} +\((\d+) \* 1024 \* 1024\)", text)
        assert directives[name][1] == f"{name} {size.group(1)}m"


def test_block_of_a_model(check):
    """Catches a directive of clipper_model that is missing, gone, allowed
    elsewhere, or has a default that is not accepted."""
    allowed = {"NGX_HTTP_CLIPPER_OF_MODEL": "model",
               "NGX_HTTP_CLIPPER_OF_VERSION": "version",
               "NGX_HTTP_CLIPPER_OF_BOTH": "both"}
    table = {name: allowed[flag] for name, flag in re.findall(
        r'\{ ngx_string\("(\w+)"\),\s*(NGX_HTTP_CLIPPER_OF_\w+),',
        source("src/conf/ngx_http_clipper_conf_model.c"))}

    documented, lines = {}, []
    for syntax, of, default, _ in cells(section("### clipper_model"),
                                        "| in the block "):
        for text in code(syntax):
            documented[text.split(" ")[0]] = of
            if default and default[0].isalnum() and " " not in default \
                    and default != "any":
                lines.append(f"{text.split(' ')[0]} {default};")
    assert documented == table
    assert len(lines) >= 6
    assert check(http=f"clipper_model m {{ {' '.join(lines)} }}") is None


def test_policies(check):
    """Catches a policy or a parameter that is missing, gone or has another
    default."""
    def number(text):
        time, bar, feedbacks = text.partition("|")
        return (float({"1d": 86400}[time]), float(feedbacks)) if bar \
            else float(text)

    documented = {}
    for name, _, _, parameters in cells(section("### clipper_select"),
                                        "| policy "):
        values = dict(text.split("=") for text in code(parameters))
        documented[code(name)[0]] = {
            key: number(value) for key, value in values.items()}
        line = " ".join(code(name) + code(parameters))
        assert check(application("a", "m n o",
                                 extra=f"clipper_select {line};")) is None

    table = {}
    for path in ROOT.glob("src/learn/clipper_policy_*.c"):
        text = path.read_text()
        for name in re.findall(r'\.name = ngx_string\("(\w+)"\)', text):
            table[name] = {
                key: (float(value), float(feedbacks))
                if kind == "HALF_LIFE" else float(value)
                for key, kind, value, feedbacks in re.findall(
                    r'\{ ngx_string\("(\w+)"\), CLIPPER_POLICY_(\w+),'
                    r'\s*([\d.]+),[^}]*, (\d+) \}', text)}
    assert documented == table


def test_reasons_and_outcomes():
    """Catches a reason or an outcome that is not explained."""
    text = source("src/query/ngx_http_clipper_query.c")
    names = {kind: strings(re.search(
        rf"ngx_http_clipper_query_{kind}s\[\] = \{{(.*?)\n\}};", text,
        re.S).group(1)) for kind in ("reason", "outcome")}
    assert names["reason"][0] == "-"
    assert [code(row[0])[0] for row in cells(
        section("### Answers"), "| `default_reason`")] == names["reason"][1:]
    outcome = [row for row in cells(section("## Variables"), "| variable ")
               if row[0] == "`$clipper_outcome`"][0]
    assert code(outcome[1])[:6] == names["outcome"]


def test_variables():
    """Catches a variable that is missing or gone."""
    documented = [code(row[0])[0] for row in cells(section("## Variables"),
                                                   "| variable ")]
    table = strings(source("src/http/ngx_http_clipper_variables.c"))
    assert sorted(documented) == sorted(
        "$" + name for name in table if name.startswith("clipper_"))


def test_metrics(nginx):
    """Catches a family that is missing, gone, or has another type."""
    server = nginx(application("a", "m:1"),
                   operator_extra="location = /metrics { clipper_metrics; }")
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$",
                            server.get("/metrics").body.decode(), re.M))
    documented = {code(name)[0]: kind for name, kind, _ in cells(
        section("## Metrics"), "| family ")}
    assert documented == types


def members(value, path=""):
    """The paths of all scalars and empty values of a document."""
    if isinstance(value, dict) and value:
        return set().union(*(members(v, f"{path}.{k}" if path else k)
                             for k, v in value.items()))
    if isinstance(value, list) and value:
        return set().union(*(members(v, path + "[]") for v in value))
    return {path}


def test_status(nginx):
    """Catches a member of the status that is not explained, or that no longer
    exists."""
    server = nginx(application("a", "m:1"))
    sim = Sim4(server, "m")
    server.containers.append(sim)
    sim.wait_registered()
    server.wait_replicas("m")

    present = {re.sub(r"\b(queries)\.\w+$", r"\1.OUTCOME",
                      re.sub(r"\b(defaults|dropped)\.\w+$", r"\1.REASON",
                             path))
               for path in members(server.status())}
    documented = {path for row in cells(section("## Status"), "| member ")
                  for path in code(row[0])}
    assert documented - {"cache"} == present


def test_no_cache_is_null(nginx):
    """Catches a status that shows a cache without a cache zone."""
    server = nginx(http="clipper_cache_zone off;")
    assert server.status()["cache"] is None


def synopsis(module, directory, ports):
    text = source("conf/nginx.conf").replace(
        "modules/ngx_http_clipper_module.so", str(module))
    for name, port in ports.items():
        assert re.search(rf"\b{name}\b", text)
        text = re.sub(rf"\b{name}\b", str(port), text)
    # Use temporary directories that this user may write.
    text = text.replace("http {", "error_log error.log notice;\n"
                        "pid nginx.pid;\nhttp {\n    access_log off;\n" +
                        "".join(f"    {kind}_temp_path tmp-{kind};\n"
                                for kind in ("client_body", "proxy",
                                             "fastcgi", "uwsgi", "scgi")))
    path = Path(directory) / "nginx.conf"
    path.write_text(text)
    return path


def test_synopsis_is_the_example():
    """Catches a synopsis that differs from conf/nginx.conf."""
    quoted = re.search(r"```nginx\n(load_module.*?)\n```", README, re.S)
    example = source("conf/nginx.conf")
    assert quoted.group(1) == example[example.index("load_module"):].rstrip()


def test_synopsis_runs(settings, tmp_path):
    """Catches an example that nginx refuses or that does not answer what
    the README shows."""
    ports = {name: free_port() for name in ("1337", "1338", "7000")}
    conf = synopsis(settings.module, tmp_path, ports)
    command = [settings.nginx, "-p", str(tmp_path), "-c", str(conf),
               "-e", str(tmp_path / "error.log")]
    env = settings.environment(tmp_path)

    done = subprocess.run([*command, "-t"], capture_output=True, text=True,
                          env=env, timeout=60)
    assert done.returncode == 0 and "[warn]" not in done.stderr, done.stderr

    text = section("## Getting started", README)
    program = re.search(r"\$ cat > (sum\w+\.py) << END\n(.*?)END\n", text,
                        re.S)
    script = tmp_path / program.group(1)
    script.write_text(program.group(2).replace("7000", str(ports["7000"])))
    asked = re.findall(
        r"curl -d '(.*?)' 127.0.0.1:1337(\S+)\n(\{.*\})", text)
    asked = [one for one in asked if one[1].startswith("/hello-world/")]
    assert len(asked) == 3

    server = subprocess.Popen([*command, "-g", "daemon off;"], env=env,
                              stdin=subprocess.DEVNULL)
    model = subprocess.Popen([sys.executable, str(script)],
                             stdin=subprocess.DEVNULL)

    def answered(body, path, shown):
        answer = json.loads(subprocess.run(
            ["curl", "-s", "-d", body,
             f"http://127.0.0.1:{ports['1337']}{path}"], timeout=20,
            capture_output=True, text=True).stdout or "{}")
        wanted = json.loads(shown)
        return list(answer) == list(wanted) and {
            **answer, "query_id": 0} == {**wanted, "query_id": 0}

    try:
        wait_until(lambda: answered(*asked[0]), 20, "the README's answer")
        # Its last answer would be cached, and no default would follow.
        model.terminate()
        model.wait(20)
        for one in asked[1:]:
            wait_until(lambda one=one: answered(*one), 20, f"{one}")
        for path in ("status", "metrics", "health"):
            assert subprocess.run(
                ["curl", "-sf", "-o", "/dev/null",
                 f"http://127.0.0.1:{ports['1338']}/{path}"],
                timeout=20).returncode == 0
    finally:
        for process in (model, server):
            process.terminate()
            process.wait(20)


def test_server_of_a_user(settings, tmp_path):
    """Catches a directive in conf/user.conf that needs root or an installed
    module, and a file outside of its directory."""
    text = source("conf/user.conf")
    run = tmp_path / "checkout/run"
    run.mkdir(parents=True)
    for name in ("1337", "1338", "7000"):
        text = text.replace(name, str(free_port()))
    text = text.replace("../build/ngx_http_clipper_module.so",
                        str(settings.module))
    conf = tmp_path / "user.conf"
    conf.write_text(text)
    done = subprocess.run(
        [settings.nginx, "-p", run, "-c", conf, "-e", "error.log", "-t"],
        env=settings.environment(tmp_path), timeout=60, text=True,
        capture_output=True)
    assert done.returncode == 0 and "[warn]" not in done.stderr, done.stderr
    assert {"client_body", "proxy", "nginx.pid"} \
        <= {path.name for path in run.iterdir()}


def test_layers_have_all_folders():
    """Catches a folder of sources that the architecture does not list."""
    table = cells(source("docs/architecture.md"), "| rank ")
    folders = [path.name for path in (ROOT / "src").iterdir()
               if path.is_dir()]
    assert sorted(row[1].strip("`") for row in table) == sorted(folders)


def test_examples_are_python():
    """Catches an example with a syntax error."""
    blocks = [block for name in [*PAGES, "containers/python/README.md"]
              for block in re.findall(r"```python\n(.*?)```", source(name),
                                      re.S)]
    assert len(blocks) >= 8
    for block in blocks:
        ast.parse(block)


def test_log_format(check):
    """Catches a variable in the example that nginx does not know."""
    block = re.search(r"```nginx\n(log_format.*?)\n```", REFERENCE, re.S)
    assert check(http=block.group(1)
                 + "\naccess_log access.log clipper_text;") is None


def test_log_formats_have_names_of_their_own(check, tmp_path):
    """Catches two formats of one name: nginx refuses who includes both."""
    block = re.search(r"```nginx\n(log_format.*?)\n```", REFERENCE, re.S)
    assert check(http=f"include {ROOT / 'conf/clipper_log.conf'};\n"
                 + block.group(1)) is None


def test_mounts_of_the_image():
    """Catches commands that mount different directories at one place."""
    found = {path: set(re.findall(r"-v (\S+?):/etc/nginx/clipper\.d",
                                  source(path)))
             for path in ("docs/installation.md", "Dockerfile")}
    assert found == dict.fromkeys(found, {"./clipper.d"})


def test_image_says_how_it_is_run():
    """Catches an image that was made without docker, and a page that knows
    only docker."""
    done = subprocess.run(
        ["make", "-n", "image", "ENGINE=.ci/podman"], cwd=ROOT, text=True,
        capture_output=True, timeout=60)
    assert re.search(r"echo .*\.ci/podman run.*run .*clipper\.d.*clipper-nginx",
                     done.stdout, re.S)


def anchors(text):
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
            for title in re.findall(r"^#+ (.+)$", text, re.M)}


#: Pages without links.
WITHOUT_LINKS = {"docs/conformance.md"}


@pytest.mark.parametrize("name", [*PAGES, "containers/python/README.md"])
def test_links(name):
    """Catches a link to a missing heading or file, and a page in which no
    link is found."""
    targets = [target for target in
               re.findall(r"\]\(([^)\s]+)\)", source(name))
               if "://" not in target]
    assert (not targets) == (name in WITHOUT_LINKS)

    for target in targets:
        path, _, anchor = target.partition("#")
        page = (ROOT / name).parent / path if path else ROOT / name
        assert page.exists(), target
        if anchor:
            assert anchor in anchors(page.read_text("utf-8")), target


def test_every_page_is_reached():
    """Catches a page of the docs that cannot be reached from the README."""
    linked = set(re.findall(r"\]\(([^)#\s]+)", README))
    assert set(PAGES) - {"README.md"} <= linked


def test_readme_is_short():
    """Catches reference material that moves into the README."""
    assert README.count("\n") < 300
