"""Random API calls from two programs under a load of queries.

`make soak` runs this for SOAK_SECONDS, 30 minutes unless set; elsewhere it is
skipped. `make test` runs it for two minutes.
"""

import os
import subprocess
import sys

import pytest

from clipper_admin.deployers import python as python_deployer
from clipper_admin.local.control import ask
from harness.cluster import Questions, local_cluster
from harness.util import session_pids, wait_until

SECONDS = float(os.environ.get("CLIPPER_SOAK_SECONDS", "0"))

pytestmark = [
    pytest.mark.skipif(not SECONDS, reason="make soak"),
    pytest.mark.timeout(SECONDS + 180),
]


@pytest.fixture
def cluster(settings, tmp_path):
    with local_cluster(settings, tmp_path / "soak", "soak") as conn:
        yield conn


def test_random_calls_from_two_programs(cluster, tmp_path):
    python_deployer.create_endpoint(
        cluster, "stable", "doubles", lambda xs: [str(x[0]) for x in xs],
        version="0", slo_micros=3000000, num_replicas=2)
    session = ask(cluster.cm.directory.path, "state")["pid"]
    threads = [Questions(cluster, "stable", 1e9 * i, pause=0.002)
               for i in range(3)]
    script = os.path.join(os.path.dirname(__file__), "py_soak.py")
    programs = []
    for seed in (1, 2):
        log = open(tmp_path / ("program%d.log" % seed), "w+")
        programs.append((log, subprocess.Popen(
            [sys.executable, script, "soak", cluster.cm.directory.path,
             str(seed), str(SECONDS)], stdout=log, stderr=log)))
    codes = [process.wait(SECONDS + 120) for _, process in programs]
    for one in threads:
        one.stop()
    for code, (log, _) in zip(codes, programs):
        log.seek(0)
        printed = log.read()
        log.close()
        assert code == 0, printed
        print(printed.splitlines()[-1])
    asked = sum(one.asked for one in threads)
    wrong = [each for one in threads for each in one.wrong]
    print(f"{asked} queries, {len(wrong)} failed", *wrong[:10], sep="\n")
    assert asked > 20 * SECONDS
    assert wrong == []

    # Configuration, server and processes agree.
    def agree():
        registered = set(cluster.get_all_models())
        running = {":".join(one["id"].rpartition("-")[0].split("_"))
                   for one in ask(cluster.cm.directory.path,
                                  "state")["replicas"]}
        connected = {one.rpartition(":")[0]
                     for one in cluster.get_all_model_replicas()}
        assert running == connected and running <= registered
        status = cluster.inspect_instance()
        assert {one["name"] for one in status["applications"]} \
            == set(cluster.get_all_apps())
        return True

    wait_until(agree)
    cluster.stop_all()
    assert session_pids(session) == []
