# Fuzz targets, run by the Makefile under a lock: every t/fuzz/fuzz_*.c with
# clang's libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer, linked
# with the pure sources built the same way.

DIR     := $(BUILD)/fuzz
include t/unit/folders.mk

PURE    := $(call sources,$(PURE_FOLDERS))
TARGETS := $(patsubst t/fuzz/%.c,$(DIR)/%,$(sort $(wildcard t/fuzz/fuzz_*.c)))

SRC_DIR := $(NGINX_SRC)/src
INCS    := -Isrc $(foreach d,core event event/modules os/unix http \
             http/modules http/v2,-isystem $(SRC_DIR)/$(d)) \
           -isystem $(BUILD)/include
CHECKS  := address,undefined
CFLAGS  := -std=gnu11 -g -O1 -fno-omit-frame-pointer -D_GNU_SOURCE \
           -Wall -Wextra -Wno-unused-parameter -Werror \
           -fno-sanitize-recover=undefined

# V=1 shows the commands.
Q   := $(if $(V),,@)
say  = $(if $(V),@:,@echo '  CC fuzz')

all: $(TARGETS)

$(DIR)/libpure.a: $(PURE:%.c=$(DIR)/o/%.o) $(DIR)/sources
	@rm -f $@
	@ar rcsD $@ $(filter %.o,$^)

$(DIR)/o/%.o: %.c t/fuzz/fuzz.mk
	@mkdir -p $(@D)
	$(say) $<
	$(Q)$(FUZZ_CC) $(CFLAGS) -fsanitize=fuzzer-no-link,$(CHECKS) $(INCS) -MMD -MP \
	    -c -o $@ $<

$(DIR)/fuzz_%: $(DIR)/o/t/fuzz/fuzz_%.o $(DIR)/libpure.a
	$(say) $@
	$(Q)$(FUZZ_CC) $(CFLAGS) -fsanitize=fuzzer,$(CHECKS) -o $@ $^ -ljansson -lm

$(DIR)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(PURE)' > $@.$$PPID
	@if cmp -s $@.$$PPID $@; then rm -f $@.$$PPID; else mv -f $@.$$PPID $@; fi

-include $(shell find $(DIR)/o -name '*.d' 2>/dev/null)

FORCE:
.PHONY: FORCE all
.DELETE_ON_ERROR:
.SECONDARY:
