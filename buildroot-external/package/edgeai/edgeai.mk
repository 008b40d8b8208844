################################################################################
#
# edgeai
#
################################################################################

# The version is the workspace's, the source this very checkout.
EDGEAI_VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' $(EDGEAI_CHECKOUT)/rust/Cargo.toml)
EDGEAI_SITE = $(EDGEAI_CHECKOUT)/rust
EDGEAI_SITE_METHOD = local
EDGEAI_LICENSE = MIT or Apache-2.0
EDGEAI_LICENSE_FILES = LICENSE-APACHE LICENSE-MIT
EDGEAI_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude target

# host-zstd is for mkfs.erofs, see external.mk.
EDGEAI_DEPENDENCIES = \
	edgeai-crates \
	edgeai-models \
	e2fsprogs \
	host-libclang-bin \
	host-zstd \
	litert

EDGEAI_PROGRAMS = edgeai
ifeq ($(BR2_PACKAGE_EDGEAI_TEST_IMAGE),y)
EDGEAI_PROGRAMS += edgeai-test-agent
EDGEAI_TEST_FRAGMENT = $(EDGEAI_CHECKOUT)/meta-edgeai/recipes-kernel/linux/files/test-sim.cfg
endif

EDGEAI_CARGO_BUILD_OPTS = $(addprefix -p ,$(EDGEAI_PROGRAMS))

# The crates come from the edgeai-crates package and from nowhere else.
define EDGEAI_CRATES_AS_SOURCE
	mkdir -p $(@D)/.cargo
	printf '[source.crates-io]\nreplace-with = "edgeai-crates"\n\n[source.edgeai-crates]\ndirectory = "%s/sources"\n' \
		$(EDGEAI_CRATES_DIR) > $(@D)/.cargo/config.toml
endef
EDGEAI_PRE_CONFIGURE_HOOKS += EDGEAI_CRATES_AS_SOURCE

# rustc has the names of gcc's processors, without the second of a pair.
EDGEAI_CPU = $(firstword $(subst ., ,$(or \
	$(call qstrip,$(BR2_GCC_TARGET_CPU)),$(call qstrip,$(BR2_GCC_TARGET_ARCH)))))

EDGEAI_RUSTFLAGS = \
	-Ctarget-cpu=$(EDGEAI_CPU) \
	--remap-path-prefix=$(EDGEAI_DIR)=/edgeai \
	--remap-path-prefix=$(EDGEAI_CRATES_DIR)/sources=/crates

# libclang reads the kernel's video header for the camera's bindings; it has no
# headers of its own. `env -u` leaves the release profile to rust/Cargo.toml, as
# in every other build of it, and build scripts, which need no library of the
# host, without Buildroot's flags: those name the output folder, which cargo
# hashes into the name of every symbol.
EDGEAI_CARGO_ENV = \
	LIBCLANG_PATH=$(HOST_DIR)/lib/libclang-bin \
	BINDGEN_EXTRA_CLANG_ARGS="--target=$(RUSTC_TARGET_NAME) --sysroot=$(STAGING_DIR) -isystem $$($(TARGET_CC) -print-file-name=include)" \
	CARGO_TARGET_$(call UPPERCASE,$(RUSTC_TARGET_NAME))_RUSTFLAGS="$(strip $(EDGEAI_RUSTFLAGS))" \
	env -u CARGO_HOST_RUSTFLAGS \
		-u CARGO_PROFILE_RELEASE_LTO -u CARGO_PROFILE_RELEASE_CODEGEN_UNITS \
		-u CARGO_PROFILE_RELEASE_OPT_LEVEL -u CARGO_PROFILE_RELEASE_DEBUG \
		-u CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS -u CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS

define EDGEAI_INSTALL_TARGET_CMDS
	$(foreach program,$(EDGEAI_PROGRAMS), \
		$(INSTALL) -D -m 0755 $(@D)/target/$(RUSTC_TARGET_NAME)/release/$(program) \
			$(TARGET_DIR)/usr/bin/$(program)$(sep))
endef

# The kernel has what the fragments ask for and nothing by default, as with the
# other builders. Only when the configuration is made from its files: what an
# editor (linux-menuconfig) has changed since stays.
define EDGEAI_LINUX_CONFIG_FIXUPS
	$(Q)test $(LINUX_DIR)/.edgeai-requested -nt $(LINUX_DIR)/.stamp_dotconfig || { \
		cat $(EDGEAI_LINUX_FRAGMENTS) > $(LINUX_DIR)/.edgeai-requested.new && \
		$(LINUX_KCONFIG_MAKE) KCONFIG_ALLCONFIG=$(LINUX_DIR)/.edgeai-requested.new allnoconfig && \
		mv $(LINUX_DIR)/.edgeai-requested.new $(LINUX_DIR)/.edgeai-requested && \
		touch $(LINUX_DIR)/.edgeai-requested; \
	}
endef

$(eval $(cargo-package))
