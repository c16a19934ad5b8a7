"""What models report: on a port of each container, and joined in the page of
the server."""

import urllib.request

from clipper_admin import ClipperConnection
from clipper_admin.metrics.joined import NAMES, SAMPLES, join, page_of
from clipper_container import metrics
from harness.cluster import unsanitized
from harness.local import deploy, predict
from harness.metrics import Scrape


def page(address, path="/metrics"):
    with urllib.request.urlopen("http://%s%s" % (address, path),
                                timeout=30) as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        return response.read().decode()


def counting(xs):
    from clipper_admin import metrics

    metrics.add_metric("inputs_seen", "Counter", "inputs")
    metrics.add_metric("length", "Histogram", "of an input", [1, 2])
    for one in xs:
        metrics.report_metric("inputs_seen", 1)
        metrics.report_metric("length", len(one))
    return [len(one) for one in xs]


@unsanitized
def test_metrics_of_models_are_joined(make_cluster):
    """Catches a variable that nothing reads, and a page without the server's
    own families."""
    conn = ClipperConnection(make_cluster("metrics", model_metrics=True))
    conn.start_clipper()
    deploy(conn, "m", 1, counting)
    conn.register_application("a", "doubles", "-1", 5000000)
    conn.link_model_to_app("a", "m")
    assert predict(conn, "a", [1.0, 2.0])["output"] == 2
    assert predict(conn, "a", [1.0])["output"] == 1
    labels = ('{clipper_model="m",clipper_replica="0",clipper_version="1"}')
    for address in conn.get_query_addr(), conn.get_metric_addr():
        text = page(address)
        assert "# TYPE inputs_seen_total counter\n" in text
        assert "inputs_seen_total%s 2.0\n" % labels in text
        assert "length_sum%s 3.0\n" % labels in text
        assert "# TYPE clipper_queries_total counter\n" in text
        assert "clipper_model_metrics_dropped 0\n" in text
        assert Scrape(text).types["length"] == "histogram"
    # A replica that is gone is left out, and the page goes on.
    conn.stop_models(["m"])
    assert "inputs_seen" not in page(conn.get_metric_addr())
    assert "inputs_seen" not in page(conn.get_metric_addr(),
                                     "/metrics/server")


def test_an_endpoint_of_one_container():
    port = metrics.serve(0, "127.0.0.1")
    metrics.add_metric("t_served", "Gauge", "of this test")
    metrics.report_metric("t_served", 4)
    assert "\nt_served 4.0\n" in page("127.0.0.1:%d" % port)
    # A port that somebody has is logged, and the model serves on.
    assert metrics.serve(port, "127.0.0.1") is None


def test_names_and_samples_are_bounded():
    """Catches a model that fills the memory of Prometheus, and a bound that
    says nothing."""
    many = "".join("# TYPE n%d gauge\nn%d 1\n" % (i, i)
                   for i in range(NAMES + 7))
    families, left_out = join([({"clipper_model": "m"}, many)])
    assert (len(families), left_out) == (NAMES, 7)
    wide = "# TYPE w gauge\n" + "".join(
        'w{i="%d"} 1\n' % i for i in range(SAMPLES + 1))
    assert join([({}, wide)])[1] == SAMPLES + 1
    assert b"clipper_model_metrics_dropped 3\n" in page_of([], 3)


def test_what_does_not_belong_to_models_is_left_out():
    text = ("# TYPE python_info gauge\npython_info 1\n"
            "# TYPE clipper_queries gauge\nclipper_queries 1\n"
            "# TYPE own gauge\nown 1\n")
    other = "# TYPE own summary\nown_sum 1\n"
    families, left_out = join([({}, text), ({}, other)])
    assert [one.name for one in families] == ["own"] and left_out == 1
