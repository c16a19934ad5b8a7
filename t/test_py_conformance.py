"""Cases of the original's suite that no other test covers, and their table."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from clipper_admin import CLIPPER_TEMP_DIR
from clipper_admin.client import Client
from harness.cluster import local_cluster

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs/conformance.md"

server = pytest.mark.skipif(
    bool(os.environ.get("CLIPPER_TEST_SANITIZER")),
    reason="the package starts nginx without the sanitizers' libraries")


@pytest.fixture(scope="module")
def conn(settings, tmp_path_factory):
    path = tmp_path_factory.mktemp("cluster") / "c"
    with local_cluster(settings, path, "conformance") as made:
        yield made


@server
def test_many_applications_and_models(conn):
    """B2, B3, C1: each application answers with each of its versions."""
    rng = np.random.default_rng(0)
    with Client(conn.get_query_addr()) as client:
        for app in ("one", "two"):
            conn.register_application(app, "doubles", "DEFAULT", 5000000)
            assert client.predict(app, [1.0]).output == "DEFAULT"
            for version in range(3):
                conn.deploy_model(app + "-model", version, "doubles",
                                  "noop-container")
                if version == 0:
                    conn.link_model_to_app(app, app + "-model")
                for _ in range(25):
                    answer = client.predict(app, rng.random(30))
                    assert (answer.output, answer.default) == (1, False)
        answers = client.predict_batch("one", rng.random((4, 30)))
    assert [one.output for one in answers] == [1] * 4


@server
def test_hundreds_of_applications(conn):
    """E13-E16: hundreds of applications, and no others."""
    before = set(conn.get_all_apps())

    def add(catalog):
        for i in range(500):
            catalog.add_application("n%d" % i, "ints", str(i), 5000000)

    def delete(catalog):
        for i in range(250):
            catalog.delete_application("n%d" % i)

    conn._change(add)
    assert len(set(conn.get_all_apps()) - before) == 500
    with Client(conn.get_query_addr()) as client:
        assert client.predict("n0", [1]).output == 0
        assert client.predict("n499", [1]).output == 499
        conn._change(delete)
        assert len(set(conn.get_all_apps()) - before) == 250
        with pytest.raises(Exception, match="code: 404"):
            client.predict("n249", [1])
        assert client.predict("n250", [1]).output == 250


@server
def test_log_files_as_the_original_asks(conn, tmp_path, monkeypatch):
    """A12, and without an argument: the default directory."""
    os.makedirs(CLIPPER_TEMP_DIR, exist_ok=True)
    directory = tempfile.mkdtemp(dir=CLIPPER_TEMP_DIR)
    try:
        files = conn.get_clipper_logs(logging_dir=directory)
        assert len(files) >= 1
        assert [one for one in files if not os.path.isfile(one)] == []
    finally:
        shutil.rmtree(directory)
    monkeypatch.chdir(tmp_path)
    files = conn.get_clipper_logs()
    assert files
    assert os.path.dirname(files[0]) == str(tmp_path / "clipper_logs")


@pytest.mark.parametrize("case, wanted", [
    ("A12", ["make behaviour ARGS=t/test_py_conformance.py::"
             "test_log_files_as_the_original_asks",
             "make test-docker ARGS=-k 'test_logs_and_addresses'"]),
    ("C7", ["make test-docker ARGS=-k 'test_arguments_that_are_refused'"]),
    ("C19", ["make test-models ARGS=-k "
             "'test_keras_as_the_original_has_it or test_keras'"]),
])
def test_a_case_names_its_commands(case, wanted):
    """Catches a case that `make case` does not run."""
    done = subprocess.run([sys.executable, ROOT / ".ci/case", "-n", case],
                          capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == wanted


def test_an_unknown_case_is_refused():
    done = subprocess.run([sys.executable, ROOT / ".ci/case", "-n", "A99"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "No case A99" in done.stderr


def cases():
    """Identifiers of all cases that the table must list."""
    numbers = {"A": 22, "B": 6, "C": 28, "D": 5, "E": 22, "F": 38}
    return {"%s%d" % (letter, number)
            for letter, count in numbers.items()
            for number in range(1, count + 1)}


def named(text):
    """Identifiers in a text; `A1-A3` (with a long dash) are three."""
    found = set(re.findall(r"\b[A-G]\d+\b", text))
    for letter, first, last in re.findall(
            r"\b([A-G])(\d+)–[A-G](\d+)\b", text):
        found |= {"%s%d" % (letter, number)
                  for number in range(int(first), int(last) + 1)}
    return found


def test_the_table_has_every_case():
    rows = [line.split("|")[1] for line in TABLE.read_text().splitlines()
            if line.startswith("|")]
    assert cases() - named("\n".join(rows)) == set()
    assert {"G%d" % i for i in range(1, 121)} - named(TABLE.read_text()) \
        == set()


def test_every_row_with_a_test_has_its_command():
    rows = [line.split("|") for line in TABLE.read_text().splitlines()
            if "::" in line and line.startswith("|")]
    assert len(rows) > 60
    for _, case, _, command, *_ in rows:
        shown, = re.findall(r"`make case C=(\w+)`", command)
        assert shown in named(case)


def test_the_tables_tests_exist():
    wanted = re.findall(r"`(test_\w+\.py)::(\w+)`", TABLE.read_text())
    assert len(wanted) > 60
    for name, function in wanted:
        text = (ROOT / "t" / name).read_text()
        assert re.search(r"^def %s\(" % function, text, re.M), \
            "%s has no %s" % (name, function)
