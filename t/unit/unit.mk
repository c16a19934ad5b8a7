# Unit tests, run by the Makefile under a lock (NAME is plain or san):
# the sources that use no object of nginx go into two archives, and every
# t/unit/test_*.c becomes a cmocka program linked with them.

DIR     := $(BUILD)/unit$(if $(filter san,$(NAME)),-san)

# Folders without objects of nginx.
include t/unit/folders.mk

PURE := $(call sources,$(PURE_FOLDERS))
SHM  := $(call sources,shm)

# Helpers of tests: every file in the folder that is not a test.  A test is
# linked with the helpers whose headers it includes, and from the archive with
# those that they need: two helpers may use the same names if no test has both.
HELPERS := $(filter-out t/unit/test_%,$(sort $(wildcard t/unit/*.c)))
TEST_SRCS := $(if $(T),$(T:%=t/unit/test_%.c), \
                       $(sort $(wildcard t/unit/test_*.c)))
BENCHES   := $(patsubst t/bench/%.c,$(DIR)/bench_%, \
                        $(sort $(wildcard t/bench/*.c)))
TESTS     := $(TEST_SRCS:t/unit/%.c=$(DIR)/%)

WARN    := -Wall -Wextra -Wno-unused-parameter -Werror
comma   := ,
OPT     := $(if $(filter san,$(NAME)),-O1 -fno-omit-frame-pointer \
             -fsanitize=address$(comma)undefined \
             -fno-sanitize-recover=undefined,-O2)
CFLAGS  := -std=gnu11 -g $(OPT) $(WARN) -D_GNU_SOURCE $(EXTRA_CFLAGS)
LIBS    := -lcmocka -ljansson -lz -lm -lpthread

PYTHON3 ?= /usr/bin/python3

# V=1 shows the commands.
Q   := $(if $(V),,@)
say  = $(if $(V),@:,@echo '  CC $(NAME)')

obj = $(1:%.c=$(DIR)/o/%.o)

# The helpers of an object, by the headers that it depends on.
helpers = $$(tr ' ' '\n' < $(1:.o=.d) \
            | sed -n 's|^t/\(bench/../\)\{0,1\}\(unit/.*\)\.h:*$$|\2|p' \
            | sort -u | while read h; do o=$(DIR)/o/t/$$h.o; \
                  [ ! -f t/$$h.c ] || echo $$o; done)

all: $(TESTS)

bench: $(BENCHES)

lib: $(DIR)/libclipper_pure.a $(DIR)/libclipper_shm.a

$(DIR)/libclipper_pure.a: $(call obj,$(PURE))
$(DIR)/libclipper_shm.a: $(call obj,$(SHM))
$(DIR)/libclipper_test.a: $(call obj,$(HELPERS))

# The archives are made from scratch, so a deleted source leaves them.
$(DIR)/%.a: $(DIR)/sources
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcsD $@ $$(ls $(filter %.o,$^) /dev/null | grep -v /dev/null)

# With T a source that does not compile is left out of the archives: a test
# that is being worked on need not wait for the other parts.
$(DIR)/o/src/%.o: src/%.c t/unit/unit.mk
	@mkdir -p $(@D)
	$(say) $<
	$(Q)$(CC) $(CFLAGS) $(INCS) -MMD -MP -c -o $@ $< || \
	    { rm -f $@; test -n "$(T)"; }

$(DIR)/o/t/%.o: t/%.c t/unit/unit.mk
	@mkdir -p $(@D)
	$(say) $<
	$(Q)$(CC) $(CFLAGS) $(INCS) -MMD -MP -c -o $@ $<

$(DIR)/test_%: $(DIR)/o/t/unit/test_%.o $(DIR)/libclipper_test.a \
               $(DIR)/libclipper_shm.a $(DIR)/libclipper_pure.a
	$(say) $@
	$(Q)$(CC) $(CFLAGS) -o $@ $(filter %.o,$^) \
	    $(call helpers,$<) $(filter %.a,$^) $(LIBS)

$(DIR)/bench_%: $(DIR)/o/t/bench/%.o $(DIR)/libclipper_test.a \
                $(DIR)/libclipper_shm.a $(DIR)/libclipper_pure.a
	$(say) $@
	$(Q)$(CC) $(CFLAGS) -o $@ $(filter %.o,$^) \
	    $(call helpers,$(filter %.o,$^)) $(filter %.a,$^) $(LIBS)

# A call of each function that needs a lock, and the sources of these functions.
$(DIR)/lockcheck.h: t/unit/lockcheck.py $(sort $(wildcard src/*.[ch] \
                      src/*/*.[ch])) $(DIR)/sources
	@mkdir -p $(@D)
	@$(PYTHON3) $< $(filter src/%,$^) > $@

$(DIR)/o/t/unit/test_lockcheck.o: $(DIR)/lockcheck.h
$(DIR)/o/t/unit/test_lockcheck.o: INCS += -iquote $(DIR)

# Some of these sources call nginx and its libraries, which the test is not
# linked with: what is called there is never reached.
$(DIR)/test_lockcheck: LIBS += -no-pie -Wl,--unresolved-symbols=ignore-all

$(DIR)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(PURE) $(SHM) $(HELPERS)' > $@.$$PPID
	@if cmp -s $@.$$PPID $@; then rm -f $@.$$PPID; else mv -f $@.$$PPID $@; fi

-include $(shell find $(DIR)/o -name '*.d' 2>/dev/null)

FORCE:
$(DIR)/test_zone_leave: LIBS += -Wl,--wrap=clipper_lock \
                                -Wl,--wrap=clipper_lock_release
$(DIR)/test_hold $(DIR)/test_hold_state: LIBS += -Wl,--wrap=clipper_lock

$(DIR)/test_zone_bounds: LIBS += -Wl,--wrap=clipper_batch_latency

# With the checks of the mutex, in the plain build, too.
$(DIR)/test_hold: $(DIR)/o/checked/clipper_lock.o

$(DIR)/o/checked/clipper_lock.o: src/shm/clipper_lock.c t/unit/unit.mk
	@mkdir -p $(@D)
	$(say) $<
	$(Q)$(CC) $(CFLAGS) -DCLIPPER_LOCK_CHECK=1 $(INCS) -MMD -MP -c -o $@ $<

# Counts its multiplications, and the calls of the C library.
$(DIR)/test_number_exact: $(DIR)/o/counted/clipper_number_exact.o
$(DIR)/test_number_exact: LIBS += -Wl,--wrap=strtod -Wl,--wrap=strtof

$(DIR)/o/counted/clipper_number_exact.o: src/json/clipper_number_exact.c \
                                         t/unit/unit.mk
	@mkdir -p $(@D)
	$(say) $<
	$(Q)$(CC) $(CFLAGS) -DCLIPPER_NUMBER_EXACT_COUNT=1 $(INCS) -MMD -MP \
	    -c -o $@ $<

$(DIR)/bench_locks: LIBS += -Wl,--wrap=clipper_lock \
                            -Wl,--wrap=clipper_lock_release

.PHONY: FORCE all bench lib
.DELETE_ON_ERROR:
.SECONDARY:
