# What unit tests and fuzz targets share: the folders of src/ that know nothing
# of nginx's processes, which they build whole, and the headers of nginx.

PURE_FOLDERS := base json learn proto batch

sources = $(sort $(foreach f,$(1),$(wildcard src/$(f)/*.c)))

# nginx's folders of headers; a version has not all of them.
SRC_DIR := $(NGINX_SRC)/src
INCS    := -iquote src -isystem $(BUILD)/include \
           $(foreach d,core event event/modules event/quic os/unix http \
             http/modules http/v2 http/v3,-isystem $(SRC_DIR)/$(d))
