################################################################################
#
# mesa-teflon
#
################################################################################

# Buildroot's own Mesa: its version, its archive and, at the end, its hashes.
MESA_TEFLON_VERSION = $(MESA3D_VERSION)
MESA_TEFLON_SITE = $(MESA3D_SITE)
MESA_TEFLON_SOURCE = $(MESA3D_SOURCE)
MESA_TEFLON_DL_SUBDIR = mesa3d
MESA_TEFLON_LICENSE = $(MESA3D_LICENSE)
MESA_TEFLON_LICENSE_FILES = $(MESA3D_LICENSE_FILES)
MESA_TEFLON_CPE_ID_VENDOR = $(MESA3D_CPE_ID_VENDOR)
MESA_TEFLON_CPE_ID_PRODUCT = $(MESA3D_CPE_ID_PRODUCT)

MESA_TEFLON_DEPENDENCIES = \
	host-bison \
	host-flex \
	host-python-mako \
	host-python-pyyaml \
	libdrm

ifeq ($(BR2_PACKAGE_MESA_TEFLON_ETNAVIV),y)
MESA_TEFLON_DRIVERS += etnaviv
MESA_TEFLON_DEPENDENCIES += host-python-pycparser
endif

ifeq ($(BR2_PACKAGE_MESA_TEFLON_ROCKET),y)
MESA_TEFLON_DRIVERS += rocket
endif

# The delegate and nothing else: no windows, no GL, no Vulkan, no cache.
MESA_TEFLON_CONF_OPTS = \
	-Dteflon=true \
	-Dgallium-drivers=$(subst $(space),$(comma),$(strip $(MESA_TEFLON_DRIVERS))) \
	-Degl=disabled \
	-Dexpat=disabled \
	-Dgallium-rusticl=false \
	-Dgallium-va=disabled \
	-Dgbm=disabled \
	-Dgles1=disabled \
	-Dgles2=disabled \
	-Dglvnd=disabled \
	-Dglx=disabled \
	-Dlibunwind=disabled \
	-Dllvm=disabled \
	-Dlmsensors=disabled \
	-Dmicrosoft-clc=disabled \
	-Dopengl=false \
	-Dplatforms= \
	-Dshader-cache=disabled \
	-Dvalgrind=disabled \
	-Dvulkan-drivers= \
	-Dxmlconfig=disabled \
	-Dzlib=disabled \
	-Dzstd=disabled

MESA_TEFLON_LIBRARY = src/gallium/targets/teflon/libteflon.so
MESA_TEFLON_NINJA_OPTS = $(MESA_TEFLON_LIBRARY)

define MESA_TEFLON_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/buildroot-build/$(MESA_TEFLON_LIBRARY) \
		$(TARGET_DIR)/usr/lib/libteflon.so
endef

$(eval $(meson-package))

# The archive and the texts of its licences are pinned where the version is.
MESA_TEFLON_HASH_FILES = $(MESA3D_HASH_FILES)
