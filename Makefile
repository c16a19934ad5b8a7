# The Clipper module for nginx.
#
#   make             build/ngx_http_clipper_module.so for the installed nginx
#   make deps        install what is missing from the distribution (root, sudo)
#   make venv        .venv with containers/python and the tests' requirements
#   make quickstart  deps, venv, build; then serves a real model on real data
#   make check       unit and behaviour tests
#   make test        everything that CI runs
#   make unit        unit tests; SAN=1 with sanitizers, T=hash one of them
#   make behaviour   behaviour tests; WORKERS=N, ARGS='-k name'
#   make asan        the module with sanitizers; make lockcheck, with lock checks
#   make fuzz        fuzz targets; fuzz-short runs each for FUZZ_SECONDS (20)
#   make fuzz-long   each for ten minutes, two at a time; keeps new inputs
#   make storm       reloads and deaths under load, for a minute each, and
#                    100 000 feedbacks; ARGS='-k add_up' for these alone
#   make soak        random calls of the Python package from two programs under
#                    load, for 30 minutes (SOAK_SECONDS)
#   make bench       the benchmarks in t/bench; B=spine for one part
#   make sweep       the tables of docs/learning.md: policies in simulation
#   make grid        docs/scheduling.md, in virtual time
#   make figures     docs/figures.md and its plots; B=--quick takes two minutes
#   make image       a container image, with docker or podman (ENGINE, IMAGE);
#                    .ci/podman if neither answers (root, sudo)
#   make images      the same and the base image of models, with the names that
#                    the Python package uses (REGISTRY, BASE)
#   make test-docker the Python package on podman's Docker API (root)
#   make test-models deployers of PyTorch, TensorFlow, Keras and Spark; installs
#                    the libraries (root, sudo)
#   make test-image  builds the image with podman, runs and queries it (root)
#   make docs        docs/python-api.md, from the Python package's docstrings
#   make install     into nginx's modules directory (DESTDIR, MODULES_DIR)
#   make clean       remove build/; distclean removes .venv too
#
# BUILD, NGINX_BIN, NGINX_SRC and CC can be set (NGINX is a variable of nginx
# itself: the sockets that it inherits).

BUILD       ?= build
NGINX_SRC   ?= /usr/share/nginx/src
MODULES_DIR ?= /usr/lib/nginx/modules
FUZZ_CC     ?= clang
# Empty while nginx is not installed; sub-makes after "deps" look again.
ifeq ($(NGINX_BIN),)
NGINX_BIN   := $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v nginx)
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

FUZZ_SECONDS ?= 20
STORM_SECONDS ?= 60
STORM_FEEDBACKS ?= 100000
STORM_CALLS ?= 100
SOAK_SECONDS ?= 1800
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


all: module

module:
	+$(call variant,nginx,$(MODULE)) CC_OPT="$(CSTD)" $(MODULE)

# The results of configure about the system, for programs without nginx.
headers: $(BUILD)/include/ngx_auto_config.h

$(BUILD)/include/ngx_auto_config.h: $(wildcard $(NGINX_BIN))
	+$(call variant,nginx,$(MODULE)) CC_OPT="$(CSTD)" headers

asan:
	+$(call variant,asan,$(SANDIR)/ngx_http_clipper_module.so) SANITIZE=1 \
	    CC_OPT="$(CSTD) $(SANOPT) -fno-omit-frame-pointer" \
	    LD_OPT="$(SANOPT)" \
	    $(SANDIR)/ngx_http_clipper_module.so

lockcheck:
	+$(call variant,lockcheck,$(BUILD)/lockcheck/ngx_http_clipper_module.so) \
	    CC_OPT="$(CSTD) -DCLIPPER_LOCK_CHECK=1" \
	    $(BUILD)/lockcheck/ngx_http_clipper_module.so

install: module
	install -d $(DESTDIR)$(MODULES_DIR)
	install -m 644 $(MODULE) $(DESTDIR)$(MODULES_DIR)/.clipper.new
	mv -f $(DESTDIR)$(MODULES_DIR)/.clipper.new \
	    $(DESTDIR)$(MODULES_DIR)/ngx_http_clipper_module.so


deps:
	@.ci/deps build test

venv: $(VENV)/.stamp

PYTHON_META := $(wildcard containers/python/pyproject.toml)

$(VENV)/.stamp: t/requirements.txt $(PYTHON_META)
	@exec flock $(CURDIR)/.venv.lock .ci/venv $(PYTHON3) $(VENV) $<

# The large libraries; PyTorch comes from the distribution.
venv-models: $(VENV)-models/.stamp

$(VENV)-models/.stamp: t/requirements-models.txt $(PYTHON_META)
	@.ci/deps build models
	@exec flock $(CURDIR)/.venv.lock .ci/venv $(PYTHON3) $(VENV)-models $< \
	    --system-site-packages

quickstart:
	@.ci/deps build
	+@$(MAKE) --no-print-directory venv module
	$(PY) containers/python/examples/quickstart.py


unit-build: headers
	+$(call locked,unit-$(UNIT)) -f t/unit/unit.mk NAME=$(UNIT) T="$(T)" all

unit: unit-build
	@t/unit/run $(UNITDIR) $(T)

behaviour: venv module
	CLIPPER_TEST_WORKERS=$(WORKERS) $(PY) -m pytest t $(ARGS)

behaviour-asan: venv asan
	CLIPPER_TEST_SANITIZER=1 CLIPPER_TEST_WORKERS=$(WORKERS) \
	    $(PY) -m pytest t $(ARGS)

behaviour-lockcheck: venv lockcheck
	CLIPPER_TEST_MODULE=$(BUILD)/lockcheck/ngx_http_clipper_module.so \
	    CLIPPER_TEST_WORKERS=$(WORKERS) $(PY) -m pytest t $(ARGS)

engine:
	@$(if $(filter .ci/podman,$(ENGINE)),.ci/podman setup,:)

# In Docker's format: podman's own has no health check.
image: engine
	$(ENGINE) build $(if $(findstring podman,$(ENGINE)),--format docker) \
	    -t $(IMAGE) .

# The full names keep engines from asking a registry first.
images:
	$(MAKE) --no-print-directory image \
	    IMAGE=docker.io/$(REGISTRY)/query_frontend:$(PY_VERSION)
	$(ENGINE) build $(if $(BASE),--build-arg BASE=$(BASE)) \
	    -t docker.io/$(REGISTRY)/python-closure-container:$(PY_VERSION) \
	    containers/python
	for kind in noop sum; do \
	    printf 'FROM %s\nRUN mkdir /model && echo %s > %s\n' \
	        docker.io/$(REGISTRY)/python-closure-container:$(PY_VERSION) \
	        "'{\"kind\": \"$$kind\"}'" /model/clipper_model.json \
	    | $(ENGINE) build \
	        -t docker.io/$(REGISTRY)/$$kind-container:$(PY_VERSION) - \
	    || exit 1; \
	done

test-docker: venv
	@.ci/podman setup
	CLIPPER_TEST_DOCKER=1 $(PY) -m pytest t/test_docker.py $(ARGS)

# No Java process here lives long enough to profit from the full compiler.
test-models: venv-models module
	JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1 CLIPPER_TEST_MODELS=1 \
	    $(VENV)-models/bin/python -m pytest t/test_py_frameworks.py $(ARGS)

test-image: venv
	@.ci/podman setup
	CLIPPER_TEST_IMAGE=1 $(PY) -m pytest t/test_image.py $(ARGS)

docs: venv
	$(PY) .ci/api-reference > docs/python-api.md.new
	mv docs/python-api.md.new docs/python-api.md

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
	@.ci/deps build bench
	@$(PY) -c 'import matplotlib' 2> /dev/null \
	    || $(PY) -m pip --disable-pip-version-check install -q \
	       -r t/requirements-bench.txt < /dev/null


clean:
	rm -rf $(BUILD)

distclean: clean
	rm -rf $(VENV) $(VENV)-models .venv.lock

.PHONY: all module headers asan lockcheck install deps venv venv-models \
        quickstart unit-build unit behaviour behaviour-asan \
        behaviour-lockcheck fuzz fuzz-short fuzz-long engine image images docs \
        test-docker test-image test-models check test storm soak bench sweep \
        grid figures venv-bench clean distclean
