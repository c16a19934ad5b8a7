"""Applications, models and links: the rules, their texts, the fragments."""

import re

import pytest

from clipper_admin.catalog import Catalog
from clipper_admin.exceptions import ClipperException
from clipper_admin.selection import make_selection


def refused(text):
    return pytest.raises(
        ClipperException,
        match="^" + re.escape(
            "Received error status code: 400 and message: " + text))


@pytest.fixture
def catalog():
    catalog = Catalog()
    catalog.add_application("app", "doubles", "-1.0", 100000)
    catalog.add_version("m", "1", "doubles")
    return catalog


def reread(catalog):
    return Catalog.read(catalog.write())


def test_golden_fragments():
    catalog = Catalog()
    catalog.add_application("hello-world", "ints", "-1.0", 100000)
    catalog.add_version("sum-model", "1", "ints", "image:1", ["a b", "c"], 64,
                        {"batch_wait": "2ms", "queue": 9, "hedge": None})
    catalog.add_version("sum-model", "2", "integers")
    catalog.link("hello-world", ["sum-model"])
    assert catalog.write() == {
        "apps/hello-world.conf":
            "location /hello-world {\n"
            "    clipper_app hello-world;\n"
            "    clipper_input ints;\n"
            "    clipper_slo 100ms;\n"
            "    clipper_default -1.0;\n"
            "    clipper_link sum-model;\n"
            "}\n",
        "models/sum-model.conf":
            "clipper_model sum-model {\n"
            "    version 2;\n"
            "    queue 9;\n"
            "}\n"
            "clipper_model sum-model:1 {\n"
            "    input ints;\n"
            "    batch 64;\n"
            "    batch_wait 2ms;\n"
            '    label "a b,c";\n'
            "    image image:1;\n"
            "}\n"
            "clipper_model sum-model:2 {\n"
            "    input ints;\n"
            "    batch adaptive;\n"
            "    image NO_CONTAINER;\n"
            "}\n",
    }


def test_fragments_are_the_whole_truth():
    catalog = Catalog()
    for name, kind in (("b", "bytes"), ("s", "string"), ("f", "float")):
        catalog.add_application(name, kind, '{"x": "a;b\\n"}', 20000)
    catalog.add_version("m", "v.1_x", "strs", "registry:5000/i:1",
                        ["l{}", "$x"], 7, {"queue": 5, "queue_size": "1m"})
    catalog.add_version("m", "2", "s")
    catalog.set_current("m", "v.1_x")
    catalog.link("s", ["m"])
    again = reread(catalog)
    assert again.write() == catalog.write()
    for name, app in catalog.applications.items():
        assert again.applications[name].describe() == app.describe()
    for version in catalog.models["m"].versions.values():
        assert again.models["m"].describe(
            again.find_version("m", version.name)) \
            == catalog.models["m"].describe(version)
    assert again.find_version("m", "v.1_x").batch_size == 7


def test_directives_by_hand_are_kept():
    text = ("location /a {\n"
            "    clipper_app a;\n"
            "    clipper_input doubles;\n"
            "    clipper_slo 2s;\n"
            "    clipper_default 0;\n"
            "    clipper_link m:3;\n"
            "    clipper_link n weight=3;\n"
            "    clipper_select exp4 eta=0.1;\n"
            "    allow 127.0.0.1;\n"
            "}\n")
    catalog = Catalog.read({"apps/a.conf": text})
    assert catalog.applications["a"].slo_micros == 2000000
    assert catalog.application("a").linked_models() == ["m", "n"]
    assert catalog.write()["apps/a.conf"] == text.replace("2s", "2000ms")

    text = ("clipper_model m:1 {\n"
            "    input doubles;\n"
            "    batch aimd;\n"
            "    image i;\n"
            "}\n")
    assert "".join(Catalog.read({"models/m.conf": text}).write().values()
                   ).endswith(text)


@pytest.mark.parametrize("path, text", [
    ("apps/a.conf", "location /a { }"),
    ("apps/a.conf", "location /a { clipper_app a; clipper_slo 5x; }"),
    ("models/m.conf", "clipper_model a b { }"),
    ("models/m.conf", "clipper_zone 1m;"),
    ("models/m.conf", "clipper_model m {"),
])
def test_unreadable_fragments_are_named(path, text):
    with pytest.raises(ClipperException, match=path):
        Catalog.read({path: text})


def test_application_as_reported(catalog):
    assert catalog.applications["app"].describe() == {
        "input_type": "doubles", "default_output": "-1.0",
        "latency_slo_micros": 100000, "name": "app", "linked_models": []}
    catalog.link("app", ["m"])
    assert reread(catalog).applications["app"].describe()[
        "linked_models"] == ["m"]


def test_add_application_refuses(catalog):
    with refused("application 'app' already exists"):
        catalog.add_application("app", "doubles", "0", 1000)
    with refused("complex is not a valid input string"):
        catalog.add_application("a", "complex", "0", 1000)
    for name in ("", "a/b", "é", "-a", "a b", "x" * 256, None, "a\n"):
        with refused("Invalid application name supplied: "):
            catalog.add_application(name, "doubles", "0", 1000)
    for slo in (0, -1):
        with refused("latency_slo_micros must be positive"):
            catalog.add_application("a", "doubles", "0", slo)
    for slo in (1000.5, "1000", True, None, 2**31):
        with refused("PredictionData of type Number is not of type int"):
            catalog.add_application("a", "doubles", "0", slo)
    with refused("Type mismatch! JSON key default_output expected"):
        catalog.add_application("a", "doubles", -1.0, 1000)
    assert list(catalog.applications) == ["app"]


@pytest.mark.parametrize("asked, got", [
    (1000, 1000), (1001, 2000), (1500, 2000), (20000.0, 20000)])
def test_slo_is_rounded_up_to_milliseconds(asked, got):
    catalog = Catalog()
    catalog.add_application("a", "doubles", "0", asked)
    assert reread(catalog).applications["a"].slo_micros == got


def test_delete_application_removes_its_links(catalog):
    catalog.link("app", ["m"])
    catalog.delete_application("app")
    assert "apps/app.conf" not in catalog.write()
    with refused("Application 'app' does not exist"):
        catalog.delete_application("app")
    catalog.add_application("app", "ints", "0", 5000)
    assert catalog.application("app").linked_models() == []


def test_model_as_reported(catalog):
    catalog.add_version("m", "2", "double", "img", ["l"], 3)
    assert catalog.models["m"].describe(catalog.find_version("m", "2")) == {
        "model_name": "m", "model_version": "2", "input_type": "doubles",
        "labels": ["l"], "container_name": "img",
        "model_data_path": "DEPRECATED", "is_current_version": True,
        "batch_size": 3}
    first = catalog.models["m"].describe(catalog.find_version("m", "1"))
    assert first["labels"] == []
    assert first["container_name"] == "NO_CONTAINER"
    assert first["is_current_version"] is False


def test_add_version_refuses(catalog):
    for size in (0, -2, True, 1.5, "1", None):
        with refused("The batch size must be positive or DEFAULT_BATCH_SIZE,"
                     " which is -1"):
            catalog.add_version("m", "2", "doubles", batch_size=size)
    with refused("Invalid model name supplied: a:b. Contains one of: ',', "
                 "':'"):
        catalog.add_version("a:b", "2", "doubles")
    with refused("Invalid model version supplied: 1,2. Contains one of"):
        catalog.add_version("m", "1,2", "doubles")
    with refused("Invalid label supplied: a,b. Contains one of"):
        catalog.add_version("m", "2", "doubles", labels=["x", "a,b"])
    with refused("Invalid model name supplied: a b."):
        catalog.add_version("a b", "2", "doubles")
    with refused("Invalid model version supplied: ."):
        catalog.add_version("m", "", "doubles")
    with refused("Type mismatch! JSON key labels"):
        catalog.add_version("m", "2", "doubles", labels="abc")
    with refused("model with name 'm' and version '1' already exists"):
        catalog.add_version("m", "1", "doubles")
    with refused("x is not a valid input string"):
        catalog.add_version("m", "2", "x")
    assert list(catalog.models["m"].versions) == ["1"]
    assert catalog.models["m"].current == "1"


def test_incompatible_versions_of_a_linked_model(catalog):
    catalog.link("app", ["m"])
    text = ("Model with name 'm' is already linked to app 'app' using input "
            "type 'doubles'. The input type you provided for a new version "
            "of the model, 'integers', is not compatible.")
    with refused(text):
        catalog.add_version("m", "2", "ints")
    catalog.add_version("m", "2", "double")
    catalog.unlink("app", ["m"])
    catalog.add_version("m", "3", "ints")
    catalog.set_current("m", "1")
    catalog.link("app", ["m"])
    with refused(text):
        catalog.set_current("m", "3")
    assert catalog.models["m"].current == "1"


def test_set_current(catalog):
    catalog.add_version("m", "2", "doubles")
    assert catalog.models["m"].current == "2"
    catalog.set_current("m", "1")
    assert reread(catalog).models["m"].current == "1"
    with refused("Cannot set version for nonexistent model 'x'"):
        catalog.set_current("x", "1")
    with refused("Cannot set non-existent version '9' for model with name "
                 "'m'"):
        catalog.set_current("m", "9")
    assert catalog.models["m"].current == "1"


def test_delete_version(catalog):
    catalog.add_version("m", "2", "doubles")
    catalog.delete_version("m", "2")
    # The pointer stays: no query silently gets another version's answers.
    assert reread(catalog).models["m"].current == "2"
    assert catalog.models["m"].current_version() is None
    with refused("No model with name 'm' exists."):
        catalog.link("app", ["m"])
    text = "model with name 'm' and version '2' does not exist"
    with refused(text):
        catalog.delete_version("m", "2")
    catalog.delete_version("m", "1")
    assert list(catalog.write()) == ["apps/app.conf"]
    with refused("No model with name 'm' exists."):
        catalog.link("app", ["m"])


def test_link_refuses(catalog):
    catalog.add_version("n", "1", "doubles")
    catalog.add_version("i", "1", "ints")
    with refused("No app with name 'x' exists."):
        catalog.link("x", ["m"])
    with refused("No model with name 'x' exists."):
        catalog.link("app", ["x"])
    with refused("Model with name 'i' has incompatible input_type "
                 "'integers'. Requested app to link to has input_type "
                 "'doubles'."):
        catalog.link("app", ["i"])
    with refused("Please provide the name of the model that you want to link "
                 "to the application 'app'"):
        catalog.link("app", [])
    with refused("Applications must be linked with at most one model. "
                 "Attempted to add links to 2 models."):
        catalog.link("app", ["m", "n"])
    with refused("'app' has no selection policy, so it takes one model and no "
                 "weight. Register it with selection_policy=\"split\""):
        catalog.link("app", ["m"], "1", 95)
    assert catalog.application("app").linked_models() == []
    catalog.link("app", ["m"])
    with refused("The model with name 'm' is already linked to 'app'"):
        catalog.link("app", ["m"])
    with refused("A model with name m is already linked to 'app'."):
        catalog.link("app", ["n"])


def test_unlink(catalog):
    catalog.link("app", ["m"])
    with refused("No app with name x exists."):
        catalog.unlink("x", ["m"])
    with refused("Cannot remove nonexistent link between app app and model "
                 "y"):
        catalog.unlink("app", ["m", "y"])
    assert catalog.application("app").linked_models() == ["m"]
    catalog.unlink("app", ["m"])
    assert reread(catalog).application("app").linked_models() == []
    with refused("No application with name 'x' exists."):
        catalog.application("x").linked_models()


# Several models.


@pytest.fixture
def ensemble(catalog):
    catalog.add_application(
        "e", "doubles", "0", 20000,
        make_selection("exp4 eta=0.1", "absolute range=0:10", 0.5, "$arg_u"))
    catalog.add_version("n", "1", "doubles")
    catalog.add_version("n", "2", "doubles")
    return catalog


def test_a_policy_takes_several_models(ensemble):
    ensemble.link("e", ["m"])
    waiting = ensemble.write()["apps/e.conf"]
    # With one model there is no choice; the server would refuse the policy.
    assert "\n    #clipper_select exp4 eta=0.1;\n" in waiting
    ensemble = reread(ensemble)
    ensemble.link("e", ["n"], 1, 3)
    ensemble.link("e", ["n"])
    assert ensemble.write()["apps/e.conf"] == (
        "location /e {\n"
        "    clipper_app e;\n"
        "    clipper_input doubles nulls=nan;\n"
        "    clipper_slo 20ms;\n"
        "    clipper_default 0;\n"
        "    clipper_link m;\n"
        "    clipper_link n:1 weight=3;\n"
        "    clipper_link n;\n"
        "    clipper_select exp4 eta=0.1;\n"
        "    clipper_loss absolute range=0:10;\n"
        "    clipper_confidence 0.5;\n"
        '    clipper_uid "$arg_u";\n'
        "}\n")
    app = reread(ensemble).applications["e"].describe()
    assert app["linked_models"] == ["m", "n"]
    assert app["selection_policy"] == "exp4 eta=0.1"
    assert app["links"] == ["m", "n:1 weight=3", "n"]
    assert "links" not in ensemble.applications["app"].describe()


def test_links_of_several_models(ensemble):
    ensemble.link("e", ["m", "n"])
    ensemble.link("e", ["n"], "1")
    with refused("The model with name 'n:1' is already linked to 'e'"):
        ensemble.link("e", ["n"], 1)
    with refused("No model with name 'n:3' exists."):
        ensemble.link("e", ["n"], 3)
    with refused("The weight of a link must be a positive integer, not 0"):
        ensemble.link("e", ["n"], 2, 0)
    with refused("Cannot remove nonexistent link between app e and model m"):
        ensemble.unlink("e", ["m"], 1)
    ensemble.unlink("e", ["n"], 1)
    assert [one.text for one in ensemble.applications["e"].links] \
        == ["m", "n"]
    ensemble.link("e", ["n"], 1)
    ensemble.unlink("e", ["n"])
    assert ensemble.application("e").linked_models() == ["m"]
    # A version that no link follows may have another type.
    ensemble.add_application("x", "doubles", "0", 1000,
                             make_selection("first"))
    ensemble.link("x", ["n"], 1)
    ensemble.add_version("n", "ints", "ints")
    with refused("Model with name 'm' is already linked to app 'e'"):
        ensemble.add_version("m", "ints", "ints")


@pytest.mark.parametrize("given, text", [
    ({"policy": "best"}, "Unknown selection policy 'best'"),
    ({"policy": ""}, "Unknown selection policy ''"),
    ({"loss": "cubic"}, "Unknown loss 'cubic'"),
    ({"confidence": 2}, "The confidence must be between 0 and 1"),
])
def test_selections_that_are_none(given, text):
    with refused(text):
        make_selection(**given)


def test_a_comment_about_us_stays_a_comment():
    text = ("location /a { # clipper_select x;\n"
            "    #clipper_link without an end\n"
            "    clipper_app a; #clipper_slo 5x; or so\n}\n")
    app = Catalog.read({"apps/a.conf": text}).applications["a"]
    assert app.selection.policy is None and app.others == []


@pytest.mark.parametrize("cache, line", [
    (False, "off"), (0.25, "on valid=250ms"), (60, "on valid=60000ms")])
def test_cache(catalog, cache, line):
    catalog.add_application("c", "doubles", "0", 100000, cache=cache)
    assert "    clipper_cache %s;\n" % line in catalog.write()["apps/c.conf"]
    assert catalog.applications["c"].describe()["cache"] == line
    assert reread(catalog).write() == catalog.write()


@pytest.mark.parametrize("given, lines", [
    ({}, "    clipper_input doubles nulls=nan;\n"),
    ({"nulls": False}, "    clipper_input doubles;\n"),
    ({"binary": True}, "    clipper_binary on;\n"),
    ({"decompress": True}, "    clipper_decompress on;\n"),
    ({"decompress": "64m"}, "    clipper_decompress 67108864;\n"),
    ({"decompress": False, "binary": False},
     "    clipper_decompress off;\n    clipper_binary off;\n"),
])
def test_settings(catalog, given, lines):
    """Catches a setting that is lost on its way to the fragment and back."""
    catalog.add_application("c", "doubles", "0", 100000, **given)
    written = catalog.write()["apps/c.conf"]
    assert lines in written
    assert reread(catalog).write()["apps/c.conf"] == written
    for name in given:
        if name != "nulls":
            assert name in reread(catalog).applications["c"].describe()


def test_settings_that_are_none(catalog):
    """Catches an argument that only nginx refuses, or another type's."""
    for given, said in (
            ({"nulls": 1}, "nulls must be True or False, not 1"),
            ({"binary": "on"}, "binary must be True or False, not 'on'"),
            ({"decompress": 0}, "decompress must be False, True, or a size"),
            ({"decompress": "2g"}, "decompress must be False, True, or a"),
            ({"decompress": "big"}, "decompress must be False, True, or a")):
        with refused(said):
            catalog.add_application("c", "doubles", "0", 100000, **given)
    with refused("nulls=True needs the input type doubles or floats"):
        catalog.add_application("c", "ints", "0", 100000, nulls=True)
    catalog.add_application("c", "ints", "0", 100000)
    assert "    clipper_input ints;\n" in catalog.write()["apps/c.conf"]


def test_options_of_the_input_that_an_operator_wrote(catalog):
    """Catches a second clipper_input beside one with another option."""
    texts = catalog.write()
    texts["apps/app.conf"] = texts["apps/app.conf"].replace(
        "nulls=nan", "strict nulls=nan")
    again = Catalog.read(texts).write()["apps/app.conf"]
    assert again == texts["apps/app.conf"]
    assert again.count("clipper_input") == 1


@pytest.mark.parametrize("cache", [None, True])
def test_cache_of_the_server(catalog, cache):
    catalog.add_application("c", "doubles", "0", 100000, cache=cache)
    assert "clipper_cache" not in catalog.write()["apps/c.conf"]
    assert "cache" not in catalog.applications["c"].describe()


@pytest.mark.parametrize("cache", [
    0, -1, 0.0001, float("nan"), float("inf"), "60s", "off; }", 10 ** 9])
def test_cache_that_is_none(catalog, cache):
    with refused("cache must be False, True or a number of seconds"):
        catalog.add_application("c", "doubles", "0", 100000, cache=cache)
    assert "c" not in catalog.applications


def test_a_link_gets_another_weight(catalog):
    catalog.add_application("c", "doubles", "0", 100000,
                            make_selection("split"))
    catalog.add_version("m", "2", "doubles", set_current=False)
    catalog.link("c", ["m"], "1", 95)
    catalog.link("c", ["m"], "2", 5)
    catalog.link("c", ["m"], "2", 50)
    assert [one.describe() for one in catalog.applications["c"].links] \
        == ["m:1 weight=95", "m:2 weight=50"]
    for weight in (50, None):
        with refused("The model with name 'm:2' is already linked to 'c'"):
            catalog.link("c", ["m"], "2", weight)


def test_a_version_that_is_not_current(catalog):
    catalog.add_version("m", "2", "doubles", set_current=False)
    assert catalog.models["m"].current == "1"
    catalog.add_version("n", "1", "doubles", set_current=False)
    assert catalog.models["n"].current is None
    assert reread(catalog).write() == catalog.write()
    with refused("No model with name 'n' exists. It has the versions 1, and "
                 "none is current"):
        catalog.link("app", ["n"])
    catalog.link("app", ["n"], "1")
    assert catalog.linked_by("n", "1") == ["app"]
    assert catalog.linked_by("m", "1") == []


def test_the_first_weight_stays_a_link_without(catalog):
    """Catches a link that follows the current version and gets the weight of
    one to a fixed version."""
    catalog.add_application("c", "doubles", "0", 100000,
                            make_selection("split"))
    catalog.link("c", ["m"])
    catalog.link("c", ["m"], "1", 3)
    assert [one.describe() for one in catalog.applications["c"].links] \
        == ["m", "m:1 weight=3"]


def test_a_shorter_slo_becomes_a_millisecond(caplog):
    catalog = Catalog()
    catalog.add_application("a", "doubles", "0", 1)
    assert catalog.applications["a"].slo_micros == 1000
    assert "becomes 1000: the shortest SLO" in caplog.text
