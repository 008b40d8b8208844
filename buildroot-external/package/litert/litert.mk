################################################################################
#
# litert
#
################################################################################

ifeq ($(BR2_aarch64),y)
LITERT_LOCK = runtime-arm64
LITERT_PLATFORM = cp312-cp312-manylinux_2_27_aarch64
else
LITERT_LOCK = runtime-amd64
LITERT_PLATFORM = cp313-cp313-manylinux_2_27_x86_64
endif

LITERT_VERSION := $(shell sed -n 's/^ai-edge-litert==\([0-9.]*\).*/\1/p' $(EDGEAI_CHECKOUT)/scripts/lock/$(LITERT_LOCK).txt)
LITERT_SITE = $(EDGEAI_FETCHED)
LITERT_SITE_METHOD = file
LITERT_SOURCE = ai_edge_litert-$(LITERT_VERSION)-$(LITERT_PLATFORM).whl
LITERT_LICENSE = Apache-2.0
LITERT_LICENSE_FILES = LICENSE

define LITERT_FETCH
	$(call edgeai-fetch,LITERT,wheel $(LITERT_LOCK))
endef
LITERT_PRE_DOWNLOAD_HOOKS += LITERT_FETCH

define LITERT_FETCHED
	$(call edgeai-fetched,LITERT)
endef
LITERT_POST_DOWNLOAD_HOOKS += LITERT_FETCHED

define LITERT_EXTRACT_CMDS
	$(UNZIP) -q -j $(LITERT_DL_DIR)/$(LITERT_SOURCE) \
		ai_edge_litert/libLiteRt.so '*.dist-info/licenses/LICENSE' -d $(@D)
endef

define LITERT_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/libLiteRt.so $(TARGET_DIR)/usr/lib/libLiteRt.so
endef

$(eval $(generic-package))
