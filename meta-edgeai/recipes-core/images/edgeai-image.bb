SUMMARY = "An appliance: read-only, verified, its first process edgeai itself"
DESCRIPTION = "No shell, no login, no package manager: what conf/image/rootfs.toml lists."
SECTION = "images"
LICENSE = "MIT"

inherit image edgeai-slots

IMAGE_FEATURES = ""
IMAGE_LINGUAS = ""
IMAGE_INSTALL = "packagegroup-edgeai ${@'packagegroup-edgeai-test' if bb.utils.to_boolean(d.getVar('EDGEAI_TEST')) else ''}"
NO_RECOMMENDATIONS = "1"

# Words of the kernel's command line beside those that every slot has.
APPEND = "${@edgeai.test_words() if bb.utils.to_boolean(d.getVar('EDGEAI_TEST')) else ''}"
EDGEAI_DEVICE_NODES = "${@edgeai.test_nodes(d.getVar('MACHINE')) if bb.utils.to_boolean(d.getVar('EDGEAI_TEST')) else ''}"

# Nothing runs at first boot: the root is read-only.
ROOTFS_BOOTSTRAP_INSTALL = ""

# `bitbake -c testimage edgeai-image` (kas/feature/test.yml): booted by its own loader, see lib/oeqa.
TEST_TARGET = "EdgeaiTarget"
TEST_SUITES = "edgeai_boot edgeai_device"
TEST_QEMUPARAMS = "-bios ${EDGEAI_FIRMWARE}"
TESTIMAGEDEPENDS += "${@'virtual/bootloader:do_deploy' if d.getVar('EDGEAI_FIRMWARE').startswith(d.getVar('DEPLOY_DIR_IMAGE')) else ''}"
