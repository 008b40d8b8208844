# Configures a kernel from the fragments that every builder shares, and fails when one
# of the options asked for is not in the final configuration.
#
# EDGEAI_KERNEL_FRAGMENTS   names of recipes-kernel/linux/files/*.cfg, without .cfg
# EDGEAI_TEST = "1"         with the simulators of the test image

# The machine's, where the distribution is not edgeai and has not said so already.
require conf/distro/include/edgeai-machines.inc

EDGEAI_FRAGMENTS = "${@' '.join(edgeai.for_kernel(d.getVar('EDGEAI_KERNEL_FRAGMENTS').split(), d.getVar('LINUX_VERSION') or ''))}${@' test-sim' if bb.utils.to_boolean(d.getVar('EDGEAI_TEST')) else ''}"

FILESEXTRAPATHS:prepend := "${EDGEAI_LAYER}/recipes-kernel/linux/files:"
SRC_URI:append = " ${@' '.join('file://%s.cfg' % f for f in d.getVar('EDGEAI_FRAGMENTS').split())}"

python do_edgeai_config_check() {
    try:
        with open(d.expand('${B}/.config')) as config:
            edgeai.kernel.check(d.getVar('EDGEAI_FRAGMENTS').split(), config.read())
    except (edgeai.BuildError, OSError) as error:
        bb.fatal('%s: %s' % (d.getVar('PN'), error))
}
do_edgeai_config_check[doc] = "Fails when a kernel option asked for did not stick"
do_edgeai_config_check[file-checksums] += "${@edgeai.KERNEL_SOURCES}"
addtask edgeai_config_check after do_configure before do_compile

# What the options came out as, for the tests.
do_deploy:append() {
    install -m 0644 ${B}/.config ${DEPLOYDIR}/kernel.config
}
