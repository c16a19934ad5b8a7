# The folders of src/ that know nothing of nginx's processes: unit tests and
# fuzz targets build them whole.

PURE_FOLDERS := base json learn proto batch

sources = $(sort $(foreach f,$(1),$(wildcard src/$(f)/*.c)))
