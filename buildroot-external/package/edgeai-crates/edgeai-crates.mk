################################################################################
#
# edgeai-crates
#
################################################################################

# One version for each state of Cargo.lock. Not cargo's own vendoring: what that
# writes changes with cargo, and this archive must have one hash.
EDGEAI_CRATES_VERSION := $(shell sha256sum $(EDGEAI_CHECKOUT)/rust/Cargo.lock | cut -c1-12)
EDGEAI_CRATES_SITE = $(EDGEAI_FETCHED)
EDGEAI_CRATES_SITE_METHOD = file
EDGEAI_CRATES_SOURCE = edgeai-crates-$(EDGEAI_CRATES_VERSION).tar
# Those that rust/deny.toml allows; LICENCES says which crate has which.
EDGEAI_CRATES_LICENSE = MIT, Apache-2.0, BSD-2-Clause, BSD-3-Clause, ISC, Unicode-3.0, Zlib
EDGEAI_CRATES_LICENSE_FILES = LICENCES
EDGEAI_CRATES_DOWNLOAD_DEPENDENCIES = host-rustc
EDGEAI_CRATES_DL_ENV = CARGO_HOME=$(BR_CARGO_HOME)

define EDGEAI_CRATES_FETCH
	$(call edgeai-fetch,EDGEAI_CRATES,crates)
endef
EDGEAI_CRATES_PRE_DOWNLOAD_HOOKS += EDGEAI_CRATES_FETCH

define EDGEAI_CRATES_FETCHED
	$(call edgeai-fetched,EDGEAI_CRATES)
endef
EDGEAI_CRATES_POST_DOWNLOAD_HOOKS += EDGEAI_CRATES_FETCHED

define EDGEAI_CRATES_UNPACK
	$(Q)$(EDGEAI_RUN) unpack-crates $(@D)
endef
EDGEAI_CRATES_POST_EXTRACT_HOOKS += EDGEAI_CRATES_UNPACK

$(eval $(generic-package))
