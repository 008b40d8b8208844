################################################################################
#
# libclang-bin
#
################################################################################

# Prebuilt: bindgen reads C headers with it, and building LLVM would take longer
# than everything else together.
LIBCLANG_BIN_VERSION := $(shell sed -n 's/^libclang==\([0-9.]*\).*/\1/p' $(EDGEAI_CHECKOUT)/scripts/lock/libclang.txt)
HOST_LIBCLANG_BIN_SITE = $(EDGEAI_FETCHED)
HOST_LIBCLANG_BIN_SITE_METHOD = file
HOST_LIBCLANG_BIN_SOURCE = libclang-$(LIBCLANG_BIN_VERSION)-py2.py3-none-manylinux2010_x86_64.whl
LIBCLANG_BIN_LICENSE = Apache-2.0 with exceptions
LIBCLANG_BIN_LICENSE_FILES = LICENSE.TXT

define HOST_LIBCLANG_BIN_FETCH
	$(call edgeai-fetch,HOST_LIBCLANG_BIN,wheel libclang)
endef
HOST_LIBCLANG_BIN_PRE_DOWNLOAD_HOOKS += HOST_LIBCLANG_BIN_FETCH

define HOST_LIBCLANG_BIN_FETCHED
	$(call edgeai-fetched,HOST_LIBCLANG_BIN)
endef
HOST_LIBCLANG_BIN_POST_DOWNLOAD_HOOKS += HOST_LIBCLANG_BIN_FETCHED

define HOST_LIBCLANG_BIN_EXTRACT_CMDS
	$(UNZIP) -q -j $(HOST_LIBCLANG_BIN_DL_DIR)/$(HOST_LIBCLANG_BIN_SOURCE) \
		'*/clang/native/libclang.so' '*.dist-info/LICENSE.TXT' -d $(@D)
endef

define HOST_LIBCLANG_BIN_INSTALL_CMDS
	$(INSTALL) -D -m 0755 $(@D)/libclang.so $(HOST_DIR)/lib/libclang-bin/libclang.so
endef

$(eval $(host-generic-package))
