SUMMARY = "Mainline long-term kernel, with the options that edgeai asks for and no other"
DESCRIPTION = "allnoconfig with the fragments of the machine on top, from a release tarball: \
for boards whose own kernel is not real-time capable, and where a tarball of 150 MB is \
wanted in place of a history of gigabytes."
HOMEPAGE = "https://www.kernel.org"
BUGTRACKER = "https://bugzilla.kernel.org"
SECTION = "kernel"
LICENSE = "GPL-2.0-only"
LIC_FILES_CHKSUM = "file://COPYING;md5=6bc538ed5bd9a7fc9398086aedcd7e46"

DEPENDS += "elfutils-native flex-native openssl-native"

# One release; a product that wants another sets both.
LINUX_VERSION ?= "6.18.45"
PV = "${LINUX_VERSION}"
LINUX_SHA256 ?= "30fa4a56579ca614ac125a12614f7f6466f87ab1278aef7b951dd74156deab33"

SRC_URI = "${KERNELORG_MIRROR}/linux/kernel/v6.x/linux-${LINUX_VERSION}.tar.xz;name=linux"
SRC_URI[linux.sha256sum] = "${LINUX_SHA256}"

inherit kernel edgeai-kernel

S = "${UNPACKDIR}/linux-${LINUX_VERSION}"

# Only what the fragments say (Documentation/kbuild/kconfig.rst, KCONFIG_ALLCONFIG).
KERNEL_CONFIG_COMMAND = "oe_runmake_call -C ${S} O=${B} KCONFIG_ALLCONFIG=${WORKDIR}/requested.config allnoconfig"

python edgeai_requested() {
    try:
        wanted = edgeai.kernel.requested(d.getVar('EDGEAI_FRAGMENTS').split())
    except edgeai.BuildError as error:
        bb.fatal(str(error))
    lines = ['%s=%s' % item if item[1] != 'n' else '# %s is not set' % item[0] for item in wanted.items()]
    with open(d.expand('${WORKDIR}/requested.config'), 'w') as file:
        file.write('\n'.join(lines) + '\n')
}
do_configure[prefuncs] += "edgeai_requested"
do_configure[file-checksums] += "${@edgeai.KERNEL_SOURCES}"

# The same banner in every build (Documentation/kbuild/reproducible-builds.rst).
export KBUILD_BUILD_VERSION = "1"

# Nothing to load: what is not built in does not exist. OE-core's function ends in an error without modules.
KERNEL_SPLIT_MODULES = "0"
PACKAGESPLITFUNCS:remove = "split_kernel_module_packages"
RRECOMMENDS:${KERNEL_PACKAGE_NAME}-base = ""

# The release's tarball with its hash stands for its files: OE-core would unpack it once more for them, and with that empties
# the tree in work-shared.
SPDX_INCLUDE_SOURCES = "0"

COMPATIBLE_HOST = "(aarch64|x86_64).*-linux"
