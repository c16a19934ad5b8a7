# One build of the module, run by the Makefile under a lock:
#
#   VARIANT   name of the directory below BUILD
#   OUT       where the finished module goes
#   CC_OPT    more compiler options, LD_OPT more linker options
#
# nginx's own build does the work. A rename puts the module at OUT, so a
# running nginx keeps the old one mapped.

TREE    := $(BUILD)/$(VARIANT)
OBJS    := $(TREE)/objs
MODULE  := ngx_http_clipper_module.so
HERE    := $(CURDIR)

SOURCES := $(sort $(wildcard ngx_http_clipper_module.c src/*.[ch] src/*/*.[ch]))

$(OUT): $(OBJS)/$(MODULE)
	@mkdir -p $(@D)
	@cp $< $@.new && mv -f $@.new $@
	@echo "built $@"

# The sub-make knows the objects and their dependencies.
$(OBJS)/$(MODULE): $(OBJS)/Makefile $(SOURCES)
	@test -f ngx_http_clipper_module.c || \
	    { echo "ngx_http_clipper_module.c is missing" >&2; exit 1; }
	+@cd $(TREE) && $(MAKE) --no-print-directory $(if $(V),,-s) \
	    -f objs/Makefile modules

$(OBJS)/Makefile: config .ci/configure-nginx .ci/module.mk $(TREE)/inputs
	@echo "configuring $(TREE)"
	@CC="$(CC)" .ci/configure-nginx $(abspath $(TREE)) $(HERE) \
	    "$(CC_OPT)" "$(LD_OPT)" || { .ci/deps -m build; exit 1; }

# A copy that stays while configure runs again; unit tests read it.
headers: $(OBJS)/Makefile
	@mkdir -p $(BUILD)/include
	@for f in ngx_auto_headers.h ngx_auto_config.h; do \
	    cp $(OBJS)/$$f $(BUILD)/include/$$f.new && \
	    mv -f $(BUILD)/include/$$f.new $(BUILD)/include/$$f; \
	done

# Changes only when a file is added or removed, or when an option or nginx
# changes.
$(TREE)/inputs: FORCE
	@test -n "$(NGINX_BIN)" || { echo "no nginx is installed: run" \
	    "\"make deps\" as root or with sudo, or set NGINX_BIN" >&2; \
	    .ci/deps -m build; exit 1; }
	@mkdir -p $(@D)
	@{ echo '$(SOURCES)'; echo '$(CC) $(CC_OPT) $(LD_OPT) $(HERE)'; \
	   "$(NGINX_BIN)" -V 2>&1; } > $@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi

FORCE:
.PHONY: FORCE headers
.DELETE_ON_ERROR:
