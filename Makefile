# The Clipper module for nginx.
#
#   make             build/ngx_http_clipper_module.so for the installed nginx
#   make deps        install what all tests need from the distribution
#   make venv        .venv with containers/python and the tests' requirements
#   make quickstart  builds; then serves a real model on real data; KEEP=1
#                    leaves the server up
#   make check       unit and behaviour tests
#   make test        everything that CI runs
#   make unit        unit tests; SAN=1 with sanitizers, T=hash one of them
#   make behaviour   behaviour tests; WORKERS=N, ARGS='-k name'
#   make asan        the module with sanitizers and lock checks
#   make analyze     clang's static analyzer on the module
#   make fuzz        fuzz targets; fuzz-short runs each for FUZZ_SECONDS (20)
#   make fuzz-long   each for ten minutes, two at a time; keeps new inputs
#   make storm       reloads and deaths under load, for a minute each, and
#                    100 000 feedbacks; ARGS='-k add_up' for these alone
#   make soak        random calls of the Python package from two programs under
#                    load, for 30 minutes (SOAK_SECONDS)
#   make soak-server nginx under mixed load and random faults, for an hour
#                    (SECONDS), the first third checked; ARGS='--seed 7'
#   make bench       the benchmarks in t/bench; B=spine for one part
#   make sweep       the tables of docs/learning.md: policies in simulation
#   make grid        docs/scheduling.md, in virtual time
#   make figures     docs/figures.md and its plots; B=--quick takes two minutes
#   make image       a container image, with docker or podman (ENGINE, IMAGE);
#                    .ci/podman if neither answers (root, sudo)
#   make images      the same and the base image of models, with the names that
#                    the Python package uses (REGISTRY, BASE)
#   make case        the tests of a case of docs/conformance.md: C=A12
#   make test-docker the Python package on podman's Docker API (root)
#   make test-models deployers of PyTorch, TensorFlow, Keras and Spark; installs
#                    the libraries (root, sudo)
#   make test-image  builds the image with podman, runs and queries it (root)
#   make test-fresh  the READMEs' commands and each target's first run, on fresh
#                    Debian 12 roots (root); ARGS='-k one_root' in minutes, as
#                    in "make test"
#   make test-builds Debian 13, clang, and the module compiled into nginx (root)
#   make deb         Debian packages in build/dist; make wheel, the Python
#                    package; make dist, all of them with checksums
#   make test-packages  installs them on a fresh root (root)
#   make test-versions  this version beside the release before, both ways
#   make test-long   test-fresh, test-packages, test-builds, test-versions,
#                    storm, soak and soak-server: three hours
#   make docs        docs/python-api.md, from the Python package's docstrings
#   make install     into nginx's modules directory (DESTDIR, MODULES_DIR)
#   make clean       remove build/; distclean removes .venv too
#
# Each target but "make" and "make clean" first installs what it needs and
# lacks from the distribution, as root or with sudo. "make" names what it lacks.
#
# BUILD, NGINX_BIN, NGINX_SRC and CC can be set (NGINX is a variable of nginx
# itself: the sockets that it inherits).

BUILD       ?= build
NGINX_SRC   ?= /usr/share/nginx/src
MODULES_DIR ?= /usr/lib/nginx/modules
FUZZ_CC     ?= clang
# Looked for when it is used: the first step of a target may install it.
ifeq ($(NGINX_BIN),)
NGINX_BIN    = $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v nginx)
endif
CSTD        := -std=gnu11
SANOPT      := -fsanitize=address,undefined
PYTHON3     ?= /usr/bin/python3
VENV        ?= .venv
PY          := $(VENV)/bin/python

# Docker if it answers; else the project's podman if it is set up; else the
# user's podman; else the project's, which is then set up.
PODMAN      := $(or $(CLIPPER_PODMAN),build/podman)/storage.conf
ENGINE      ?= $(shell for engine in docker \
                   $(if $(wildcard $(PODMAN)),.ci/podman,podman); do \
                   $$engine info > /dev/null 2>&1 && echo $$engine && exit; \
                   done; echo .ci/podman)
IMAGE       ?= clipper-nginx

KEEP         ?=
FUZZ_SECONDS ?= 20
STORM_SECONDS ?= 60
STORM_FEEDBACKS ?= 100000
STORM_CALLS ?= 100
SOAK_SECONDS ?= 1800
SECONDS      ?= 3600
WORKERS      ?= 2
ARGS         ?=
JOBS         ?= $(shell nproc)
T            ?=
SAN          ?=

# Names of the package's own images.
REGISTRY   ?= $(or $(CLIPPER_REGISTRY),clipper)
BASE       ?=
PY_VERSION  = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' \
                  containers/python/clipper_admin/version.py)

export BUILD NGINX_BIN NGINX_SRC FUZZ_CC CC

MODULE  := $(BUILD)/ngx_http_clipper_module.so
SANDIR  := $(BUILD)/asan
UNIT    := $(if $(SAN),san,plain)
UNITDIR := $(BUILD)/unit$(if $(SAN),-san)

# Several makes in one tree wait for each other instead of mixing objects.
locked   = @mkdir -p $(BUILD) && exec flock $(BUILD)/.lock-$(1) \
           $(MAKE) --no-print-directory $(jobs)
jobs     = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))
variant  = $(call locked,$(1)) -f .ci/module.mk VARIANT=$(1) OUT=$(2)


# What targets need of the distribution, in groups of .ci/deps. A target that
# only runs others has theirs.
NEEDS_quickstart         := build python ask
NEEDS_venv               := python
NEEDS_docs               := python
NEEDS_install            := build
NEEDS_headers            := build
NEEDS_asan               := build san
NEEDS_unit-build         := build unit $(if $(SAN),san)
NEEDS_unit               := $(NEEDS_unit-build)
NEEDS_behaviour          := build python server
NEEDS_behaviour-asan     := build python server san
NEEDS_storm              := build python server
NEEDS_soak               := build python server
NEEDS_soak-server        := build python server san
NEEDS_analyze            := build analyze
NEEDS_fuzz               := build fuzz
NEEDS_fuzz-short         := build fuzz
NEEDS_fuzz-long          := build fuzz
NEEDS_bench              := build python unit server bench
NEEDS_figures            := build python unit server bench
NEEDS_case               := build python server
NEEDS_venv-bench         := python
NEEDS_sweep              := build unit
NEEDS_grid               := build unit
NEEDS_venv-models        := python models
NEEDS_test-models        := build python server models
NEEDS_test-image         := python image
NEEDS_test-docker        := python server image
NEEDS_test-fresh         := python fresh
NEEDS_test-builds        := python fresh
NEEDS_test-versions      := build python server
NEEDS_deb                := build python package
NEEDS_wheel              := python
NEEDS_dist               := build python package
NEEDS_test-packages      := build python package fresh
NEEDS_test-long          := build python server san package fresh

NEEDS := $(sort $(foreach goal,$(MAKECMDGOALS),$(NEEDS_$(goal))))

all: module

needs:
	@$(if $(NEEDS),.ci/deps -t $(NEEDS),:)

module: | needs
	+$(call variant,nginx,$(MODULE)) CC_OPT="$(CSTD)" $(MODULE)

# The results of configure about the system, for programs without nginx.
headers: $(BUILD)/include/ngx_auto_config.h

$(BUILD)/include/ngx_auto_config.h: $(wildcard $(NGINX_BIN)) | needs
	+$(call variant,nginx,$(MODULE)) CC_OPT="$(CSTD)" headers

asan: | needs
	+$(call variant,asan,$(SANDIR)/ngx_http_clipper_module.so) SANITIZE=1 \
	    CC_OPT="$(CSTD) $(SANOPT) -fno-omit-frame-pointer \
	            -DCLIPPER_LOCK_CHECK=1" \
	    LD_OPT="$(SANOPT)" \
	    $(SANDIR)/ngx_http_clipper_module.so

install: module
	install -d $(DESTDIR)$(MODULES_DIR)
	install -m 644 $(MODULE) $(DESTDIR)$(MODULES_DIR)/.clipper.new
	mv -f $(DESTDIR)$(MODULES_DIR)/.clipper.new \
	    $(DESTDIR)$(MODULES_DIR)/ngx_http_clipper_module.so


deps:
	@.ci/deps

venv: $(VENV)/.stamp

PYTHON_META := $(wildcard containers/python/pyproject.toml)

$(VENV)/.stamp: t/requirements.txt $(PYTHON_META) | needs
	@exec flock $(CURDIR)/.venv.lock .ci/venv $(PYTHON3) $(VENV) $<

# What the quickstart needs is there sooner.
$(VENV)/.quick: $(PYTHON_META) | needs
	@test -e $(VENV)/.stamp || STAMP=.quick exec flock $(CURDIR)/.venv.lock \
	    .ci/venv $(PYTHON3) $(VENV) /dev/null

# The large libraries; PyTorch comes from the distribution.
venv-models: $(VENV)-models/.stamp

$(VENV)-models/.stamp: t/requirements-models.txt $(PYTHON_META) | needs
	@exec flock $(CURDIR)/.venv.lock .ci/venv $(PYTHON3) $(VENV)-models $< \
	    --system-site-packages

quickstart: $(VENV)/.quick module
	@$(PY) containers/python/examples/quickstart.py $(if $(KEEP),--keep)


unit-build: headers
	+$(call locked,unit-$(UNIT)) -f t/unit/unit.mk NAME=$(UNIT) T="$(T)" all

unit: unit-build
	@t/unit/run $(UNITDIR) $(T)

behaviour: venv module
	CLIPPER_TEST_WORKERS=$(WORKERS) $(PY) -m pytest $(if $(findstring \
	    ::,$(ARGS)),,t) $(ARGS)

behaviour-asan: venv asan
	CLIPPER_TEST_SANITIZER=1 CLIPPER_TEST_WORKERS=$(WORKERS) \
	    $(PY) -m pytest t $(ARGS)

engine:
	@$(if $(filter .ci/podman,$(ENGINE)),.ci/podman setup,:)

# In Docker's format: podman's own has no health check.
SERVER_IMAGE = $(ENGINE) build \
    $(if $(findstring podman,$(ENGINE)),--format docker)

image: engine
	$(SERVER_IMAGE) -t $(IMAGE) .
	@echo "run it: $(ENGINE)$(if $(filter .ci/podman,$(ENGINE)), run)" \
	    "run -d --read-only --tmpfs /tmp --cap-drop ALL" \
	    "-v ./clipper.d:/etc/nginx/clipper.d:ro -p 1337:1337 $(IMAGE)"

# The full names keep engines from asking a registry first.
images:
	$(MAKE) --no-print-directory image \
	    IMAGE=docker.io/$(REGISTRY)/nginx:$(PY_VERSION)
	$(SERVER_IMAGE) -f containers/python/Dockerfile.frontend \
	    --build-arg BASE=docker.io/$(REGISTRY)/nginx:$(PY_VERSION) \
	    -t docker.io/$(REGISTRY)/query_frontend:$(PY_VERSION) \
	    containers/python
	$(ENGINE) build $(if $(BASE),--build-arg BASE=$(BASE)) \
	    -t docker.io/$(REGISTRY)/python-closure-container:$(PY_VERSION) \
	    containers/python
	$(ENGINE) build --target py-rpc $(if $(BASE),--build-arg BASE=$(BASE)) \
	    -t docker.io/$(REGISTRY)/py-rpc:$(PY_VERSION) containers/python
	for kind in noop sum; do \
	    printf 'FROM %s\nRUN mkdir /model && echo %s > %s\n' \
	        docker.io/$(REGISTRY)/python-closure-container:$(PY_VERSION) \
	        "'{\"kind\": \"$$kind\"}'" /model/clipper_model.json \
	    | $(ENGINE) build \
	        -t docker.io/$(REGISTRY)/$$kind-container:$(PY_VERSION) - \
	    || exit 1; \
	done

case: venv module
	@$(PY) .ci/case $(C)

test-docker: venv
	@.ci/podman setup
	CLIPPER_TEST_DOCKER=1 $(PY) -m pytest t/test_docker.py \
	    t/test_docker_curve.py t/test_py_managers.py -k "not Local" $(ARGS)

# No Java process here lives long enough to profit from the full compiler.
test-models: venv-models module
	JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1 CLIPPER_TEST_MODELS=1 \
	    $(VENV)-models/bin/python -m pytest t/test_py_frameworks.py $(ARGS)

test-image: venv
	@.ci/podman setup
	CLIPPER_TEST_IMAGE=1 $(PY) -m pytest t/test_image.py $(ARGS)

test-fresh: venv
	CLIPPER_TEST_FRESH=1 $(PY) -m pytest -s t/test_fresh.py $(ARGS)

test-builds: venv
	CLIPPER_TEST_FRESH=1 $(PY) -m pytest -s t/test_builds.py $(ARGS)

# Builds the release before this one, from the history, for the other side.
test-versions: venv module
	CLIPPER_TEST_VERSIONS=1 $(PY) -m pytest -s t/test_versions.py $(ARGS)

deb: | needs
	.ci/package deb $(BUILD)/dist

wheel: venv
	PYTHON=$(abspath $(PY)) .ci/package wheel $(BUILD)/dist

dist: deb wheel
	.ci/package sums $(BUILD)/dist

test-packages: dist
	CLIPPER_TEST_FRESH=1 $(PY) -m pytest -s t/test_packages.py $(ARGS)

# What takes too long for "make test".
test-long:
	$(MAKE) --no-print-directory test-fresh
	$(MAKE) --no-print-directory test-packages
	$(MAKE) --no-print-directory test-builds
	$(MAKE) --no-print-directory test-versions
	$(MAKE) --no-print-directory storm
	$(MAKE) --no-print-directory soak
	$(MAKE) --no-print-directory soak-server

docs: venv
	$(PY) .ci/api-reference > docs/python-api.md.new
	mv docs/python-api.md.new docs/python-api.md

# Paths through a function that end in a fault, by clang's analyzer.
analyze: headers
	+$(call locked,analyze) -k -f .ci/analyze.mk all

fuzz: headers
	+$(call locked,fuzz) -f t/fuzz/fuzz.mk all

fuzz-short: fuzz
	@t/fuzz/run $(BUILD)/fuzz $(FUZZ_SECONDS)

fuzz-long: FUZZ_SECONDS = 600
fuzz-long: fuzz
	@t/fuzz/run $(BUILD)/fuzz $(FUZZ_SECONDS) keep

check:
	+@$(MAKE) --no-print-directory unit
	+@$(MAKE) --no-print-directory behaviour

test:
	@.ci/test

# Takes minutes: reloads and deaths of workers and Redis under load.
storm: venv module
	CLIPPER_STORM_SECONDS=$(STORM_SECONDS) CLIPPER_TEST_WORKERS=$(WORKERS) \
	    CLIPPER_STORM_FEEDBACKS=$(STORM_FEEDBACKS) \
	    CLIPPER_STORM_CALLS=$(STORM_CALLS) \
	    $(PY) -m pytest -s t/test_storm.py t/test_redis_storm.py \
	    t/test_py_interrupt.py $(ARGS)

soak: venv module
	CLIPPER_SOAK_SECONDS=$(SOAK_SECONDS) CLIPPER_TEST_WORKERS=$(WORKERS) \
	    $(PY) -m pytest -s t/test_py_soak.py $(ARGS)

soak-server: venv module asan
	PYTHONPATH=t $(PY) -m soak.run --seconds $(SECONDS) $(ARGS)

# B="spine c1" runs only these parts; by default all but the figures.
bench: venv-bench module headers
	+$(call locked,unit-plain) -f t/unit/unit.mk NAME=plain bench
	$(PY) t/bench/bench.py $(B)

grid: headers
	+$(call locked,unit-plain) -f t/unit/unit.mk NAME=plain bench
	$(BUILD)/unit/bench_grid > docs/scheduling.md.new
	mv docs/scheduling.md.new docs/scheduling.md

figures: venv-bench module headers
	+$(call locked,unit-plain) -f t/unit/unit.mk NAME=plain bench
	$(PY) t/bench/paper.py $(B)

# The text above the mark in the file stays.
sweep: headers
	+$(call locked,unit-plain) -f t/unit/unit.mk NAME=plain \
	    $(BUILD)/unit/bench_sweep
	@sed '/^<!-- make sweep -->$$/q' docs/learning.md > docs/learning.md.new
	@{ echo; $(BUILD)/unit/bench_sweep; } >> docs/learning.md.new
	@mv docs/learning.md.new docs/learning.md

venv-bench: venv
	@$(PY) -c 'import matplotlib' 2> /dev/null \
	    || $(PY) -m pip --disable-pip-version-check install -q \
	       -r t/requirements-bench.txt < /dev/null


clean:
	rm -rf $(BUILD)

distclean: clean
	rm -rf $(VENV) $(VENV)-models .venv.lock

.PHONY: needs all module headers asan install deps venv venv-models \
        quickstart unit-build unit behaviour behaviour-asan \
        analyze fuzz fuzz-short fuzz-long engine image images docs \
        case deb wheel dist test-docker test-fresh test-image test-models \
        test-builds test-packages test-versions test-long check test storm \
        soak soak-server bench sweep grid figures venv-bench clean distclean
