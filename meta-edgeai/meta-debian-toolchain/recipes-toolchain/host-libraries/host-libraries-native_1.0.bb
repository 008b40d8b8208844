SUMMARY = "Libraries of the build machine that native recipes link against"
DESCRIPTION = "SQLite and attr from Debian's libsqlite3-dev and libattr1-dev, for pseudo; and pkg-config under the name \
by which the kernel asks for the build machine's."
HOMEPAGE = "https://www.sqlite.org"
SECTION = "libs"
LICENSE = "PD & LGPL-2.1-or-later"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/PD;md5=b3597d12946881e13cb3b548d1173851"

inherit native

PROVIDES = "attr-native pkgconf-native sqlite3-native"
S = "${UNPACKDIR}"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}${includedir} ${D}${libdir}
    install -m 0644 /usr/include/sqlite3.h /usr/include/sqlite3ext.h ${D}${includedir}/
    cp -P $(${BUILD_CC} -print-file-name=libsqlite3.so)* ${D}${libdir}/

    install -d ${D}${bindir}
    printf '#!/bin/sh\nunset PKG_CONFIG_PATH PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR\nexec pkg-config "$@"\n' > ${D}${bindir}/pkg-config-native
    chmod 0755 ${D}${bindir}/pkg-config-native
}
