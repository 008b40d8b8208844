SUMMARY = "The links between alternatives, made while an image is"
DESCRIPTION = "What OE-core's packages call after installation, for a root on the build machine; Debian's own is for the machine itself."
SECTION = "base"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"
PROVIDES = "virtual/update-alternatives-native"

SRC_URI = "file://update-alternatives"
S = "${UNPACKDIR}"

inherit native

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -D -m 0755 ${UNPACKDIR}/update-alternatives ${D}${bindir}/update-alternatives
}
