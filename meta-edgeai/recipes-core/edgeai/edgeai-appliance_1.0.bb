SUMMARY = "The appliance description of the image"
DESCRIPTION = "What this machine watches and switches. An image of one's own brings another \
appliance.toml by a bbappend with FILESEXTRAPATHS."
SECTION = "base"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "\
    file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302 \
    file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10 \
"

# The machine's, of files/<machine>; the test image has its own, named whole so that no machine's comes before it.
EDGEAI_APPLIANCE = "${@'%s/tests-qemu/image/appliance.toml' % d.getVar('EDGEAI_PROJECT') if bb.utils.to_boolean(d.getVar('EDGEAI_TEST') or '0') else 'appliance.toml'}"
SRC_URI = "file://${EDGEAI_APPLIANCE}"
S = "${UNPACKDIR}"

PACKAGE_ARCH = "${MACHINE_ARCH}"

do_install() {
    install -D -m 0644 ${UNPACKDIR}/${EDGEAI_APPLIANCE} ${D}${sysconfdir}/edgeai/appliance.toml
}

CONFFILES:${PN} = "${sysconfdir}/edgeai/appliance.toml"
