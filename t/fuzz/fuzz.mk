# Fuzz targets, run by the Makefile under a lock: every t/fuzz/fuzz_*.c with
# clang's libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer, linked
# with the pure sources built the same way, with the helpers of the unit tests
# whose headers it includes, directly or not, and with the sources of other
# folders whose headers it includes itself.

DIR     := $(BUILD)/fuzz
include t/unit/folders.mk

PURE    := $(call sources,$(PURE_FOLDERS))
TARGETS := $(patsubst t/fuzz/%.c,$(DIR)/%,$(sort $(wildcard t/fuzz/fuzz_*.c)))

CHECKS  := address,undefined
CFLAGS  := -std=gnu11 -g -O1 -fno-omit-frame-pointer -D_GNU_SOURCE \
           -Wall -Wextra -Wno-unused-parameter -Werror \
           -fno-sanitize-recover=undefined

# The sources in $(1), with the helpers whose headers they include.
include = ^.include "\(../unit/\)\{0,1\}\([a-z0-9_]*\.h\)"$$
headers = $(shell sed -n 's|$(include)|t/unit/\2|p' \
            $(1) $(wildcard $(1:.c=.h)))
next    = $(sort $(1) $(wildcard $(patsubst %.h,%.c,$(call headers,$(1)))))
closure = $(if $(filter-out $(1),$(call next,$(1))), \
               $(call closure,$(call next,$(1))),$(1))

# The sources of folders that are not pure whose headers the target $(1)
# includes.
parts   = $(filter-out $(PURE),$(wildcard $(shell \
            sed -n 's|^.include "\([a-z]*/[a-z0-9_]*\)\.h"$$|src/\1.c|p' $(1))))

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

$(foreach t,$(TARGETS:$(DIR)/%=t/fuzz/%.c),$(eval $(t:t/fuzz/%.c=$(DIR)/%): \
    $(patsubst %.c,$(DIR)/o/%.o,$(call closure,$(t)) $(call parts,$(t)))))

$(TARGETS): $(DIR)/libpure.a
	$(say) $@
	$(Q)$(FUZZ_CC) $(CFLAGS) -fsanitize=fuzzer,$(CHECKS) -o $@ \
	    $(filter %.o,$^) $(filter %.a,$^) -ljansson -lhiredis -lz -lm

$(DIR)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(PURE)' > $@.$$PPID
	@if cmp -s $@.$$PPID $@; then rm -f $@.$$PPID; else mv -f $@.$$PPID $@; fi

-include $(shell find $(DIR)/o -name '*.d' 2>/dev/null)

FORCE:
.PHONY: FORCE all
.DELETE_ON_ERROR:
.SECONDARY:
