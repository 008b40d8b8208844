# Rust 1.88, and what 2026.02 changed in the names of options.
EDGEAI_BUILDROOT := $(subst -, ,$(subst ., ,$(BR2_VERSION)))
ifneq ($(shell test $(firstword $(EDGEAI_BUILDROOT))$(word 2,$(EDGEAI_BUILDROOT)) -ge 202602 && echo y),y)
$(error edgeai needs Buildroot 2026.02 or newer, this is $(BR2_VERSION))
endif

# The checkout this tree is part of: the application's sources and the facts
# that all builders share are in other folders of it.
EDGEAI_CHECKOUT := $(realpath $(BR2_EXTERNAL_EDGEAI_PATH)/..)
EDGEAI_RUN = $(EXTRA_ENV) python3 $(BR2_EXTERNAL_EDGEAI_PATH)/board/edgeai/common/edgeai.py

# An image needs more of its machine than a kernel does; better said before
# an hour of building than after it. Single packages (make linux) build.
EDGEAI_MACHINE = $(call qstrip,$(BR2_PACKAGE_EDGEAI_MACHINE))
EDGEAI_MACHINES = $(basename $(notdir $(wildcard $(EDGEAI_CHECKOUT)/scripts/machines/*.toml))) \
	$(shell awk '/^\[/ { name = substr($$0, 2, length($$0) - 2) } /^boot = "fit"$$/ { print name }' \
		$(EDGEAI_CHECKOUT)/meta-edgeai/conf/image/boards.toml)
ifeq ($(BR2_PACKAGE_EDGEAI),y)
ifneq ($(filter all world,$(or $(MAKECMDGOALS),all)),)
ifeq ($(filter $(EDGEAI_MACHINES),$(EDGEAI_MACHINE)),)
$(error edgeai makes no image for "$(EDGEAI_MACHINE)" yet, only for: $(EDGEAI_MACHINES). What there is of it can be made by name (make linux))
endif
endif
endif

# Where sources are put that a package registry's own client fetches, for
# Buildroot's download step to check and keep.
EDGEAI_FETCHED = $(BASE_DIR)/edgeai-fetched

# $(1): upper-case package, $(2): what edgeai.py fetches
define edgeai-fetch
	$(Q)test -e $($(1)_DL_DIR)/$($(1)_SOURCE) || { \
		mkdir -p $(EDGEAI_FETCHED) && \
		$($(1)_DL_ENV) PATH=$(BR_PATH) \
			$(EDGEAI_RUN) fetch $(2) $(EDGEAI_FETCHED)/$($(1)_SOURCE); \
	}
endef

# $(1): upper-case package
define edgeai-fetched
	$(Q)rm -f $(EDGEAI_FETCHED)/$($(1)_SOURCE)
endef

include $(sort $(wildcard $(BR2_EXTERNAL_EDGEAI_PATH)/package/*/*.mk))

# The root is EROFS with zstd, which Buildroot's mkfs.erofs leaves out. The
# edgeai package depends on host-zstd, so that it is built and accounted for.
HOST_EROFS_UTILS_CONF_OPTS += --with-libzstd
$(HOST_EROFS_UTILS_TARGET_CONFIGURE): | host-zstd

# Every option that the fragments ask for is in the kernel, or the build ends.
EDGEAI_LINUX_FRAGMENTS = \
	$(LINUX_KCONFIG_FILE) \
	$(LINUX_KCONFIG_FRAGMENT_FILES) \
	$(EDGEAI_TEST_FRAGMENT)

define EDGEAI_CHECK_LINUX
	$(Q)$(EDGEAI_RUN) check-kernel $(@D)/.config $(EDGEAI_LINUX_FRAGMENTS)
endef

# Beside the kernel, what it was configured with.
define EDGEAI_INSTALL_LINUX_CONFIG
	$(INSTALL) -D -m 0644 $(@D)/.config $(BINARIES_DIR)/kernel.config
endef

ifeq ($(BR2_PACKAGE_EDGEAI),y)
LINUX_POST_CONFIGURE_HOOKS += EDGEAI_CHECK_LINUX
LINUX_POST_INSTALL_IMAGES_HOOKS += EDGEAI_INSTALL_LINUX_CONFIG
endif

# Buildroot's bill of materials knows packages; this one has the crates too.
.PHONY: edgeai-sbom
edgeai-sbom:
	$(Q)mkdir -p $(BINARIES_DIR)
	$(Q)$(MAKE) -s --no-print-directory -C $(TOPDIR) O=$(O) show-info \
		| BR2_DL_DIR=$(DL_DIR) utils/generate-cyclonedx \
		| $(EDGEAI_RUN) sbom > $(BINARIES_DIR)/sbom.json.part
	$(Q)mv $(BINARIES_DIR)/sbom.json.part $(BINARIES_DIR)/sbom.json
	@echo "$(BINARIES_DIR)/sbom.json"
