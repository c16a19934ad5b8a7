# clang's static analyzer on the sources of the module, run by the Makefile
# under a lock, after nginx has been configured: each source alone, with
# nginx's own include folders. A finding is an error.

TREE   := $(BUILD)/nginx
DIR    := $(BUILD)/analyze
SRCS   := $(sort $(wildcard ngx_http_clipper_module.c src/*.c src/*/*.c))
HDRS   := $(wildcard src/*.h src/*/*.h)
INCS   := $(shell sed -n '/^ALL_INCS/,/^$$/s/.*-I \(.*[^ \\]\).*/-I \1/p' \
                  $(TREE)/objs/Makefile)
FLAGS  := --analyze --analyzer-output text -Xanalyzer -analyzer-werror \
          -std=gnu11 -D_GNU_SOURCE

all: $(SRCS:%.c=$(DIR)/%.ok)

$(DIR)/%.ok: %.c $(HDRS) .ci/analyze.mk
	@mkdir -p $(@D)
	@echo "  analyze $<"
	@cd $(TREE) && $(FUZZ_CC) $(FLAGS) $(INCS) $(CURDIR)/$<
	@touch $@

.PHONY: all
