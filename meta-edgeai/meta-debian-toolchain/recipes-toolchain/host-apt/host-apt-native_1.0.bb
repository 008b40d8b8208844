SUMMARY = "What OE-core tells the build machine's apt"
DESCRIPTION = "The configuration that OE-core's image tasks fill in; apt itself is Debian's."
SECTION = "base"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"
PROVIDES = "apt-native"

SRC_URI = "file://apt.conf.sample"
S = "${UNPACKDIR}"

inherit native

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -D -m 0644 ${UNPACKDIR}/apt.conf.sample ${D}${sysconfdir}/apt/apt.conf.sample
}
