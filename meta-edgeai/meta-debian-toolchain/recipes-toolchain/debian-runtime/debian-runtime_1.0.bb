SUMMARY = "C library and compiler's libraries of the build machine's cross compiler"
DESCRIPTION = "What Debian's cross compiler links against has to be what runs: the shared libraries of \
libc6, libgcc-s1 and libstdc++6 in their -cross packages."
HOMEPAGE = "https://www.gnu.org/software/libc/"
SECTION = "libs"
LICENSE = "GPL-2.0-only & LGPL-2.1-or-later & GPL-3.0-with-GCC-exception"
LIC_FILES_CHKSUM = "\
    file://${COMMON_LICENSE_DIR}/LGPL-2.1-or-later;md5=2a4f4fd2128ea2f65047ee63fbca9f68 \
    file://${COMMON_LICENSE_DIR}/GPL-3.0-with-GCC-exception;md5=aef5f35c9272f508be848cd99e0151df \
"

PROVIDES = "\
    glibc gcc-runtime libgcc linux-libc-headers \
    virtual/libc virtual/libiconv virtual/libintl virtual/crypt virtual/compilerlibs \
"
INHIBIT_DEFAULT_DEPS = "1"
INHIBIT_PACKAGE_STRIP = "1"
INHIBIT_PACKAGE_DEBUG_SPLIT = "1"
INHIBIT_SYSROOT_STRIP = "1"

S = "${UNPACKDIR}"
DEBIAN_LIBRARIES = "/usr/${DEBIAN_GNU_TRIPLE}/lib"
# Another version of Debian's packages is another output.
do_install[file-checksums] += "${DEBIAN_LIBRARIES}/libc.so.6:True ${DEBIAN_LIBRARIES}/libstdc++.so.6:True"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}${base_libdir} ${D}${libdir}
    for name in 'ld-linux*.so.*' libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libutil.so.1 libresolv.so.2 \
                libanl.so.1 'libnss_*.so.2'; do
        for file in ${DEBIAN_LIBRARIES}/$name; do
            install -m 0755 $file ${D}${base_libdir}/$(basename $file)
        done
    done
    for name in libgcc_s.so.1 libstdc++.so.6 libatomic.so.1; do
        install -m 0755 ${DEBIAN_LIBRARIES}/$name ${D}${libdir}/$name
    done
}

PACKAGES = "libgcc libstdc++ libatomic glibc ${PN} ${PN}-dev"
ALLOW_EMPTY:${PN} = "1"
FILES:${PN} = ""
ALLOW_EMPTY:${PN}-dev = "1"
FILES:glibc = "${base_libdir}"
FILES:libgcc = "${libdir}/libgcc_s.so.1"
FILES:libstdc++ = "${libdir}/libstdc++.so.6"
FILES:libatomic = "${libdir}/libatomic.so.1"
FILES:${PN}-dev = ""

RPROVIDES:glibc = "virtual-libc rtld(GNU_HASH)"
RPROVIDES:${PN}-dev = "glibc-dev libc6-dev virtual-libc-dev libgcc-dev libstdc++-dev linux-libc-headers-dev"
DEBIAN_NOAUTONAME:glibc = "1"
DEBIAN_NOAUTONAME:libgcc = "1"
DEBIAN_NOAUTONAME:libstdc++ = "1"
DEBIAN_NOAUTONAME:libatomic = "1"
INSANE_SKIP:glibc = "already-stripped libdir"
INSANE_SKIP:libgcc = "already-stripped"
INSANE_SKIP:libstdc++ = "already-stripped"
INSANE_SKIP:libatomic = "already-stripped"

python () {
    if not d.getVar('DEBIAN_GNU_TRIPLE'):
        raise bb.parse.SkipRecipe('debian-toolchain is for aarch64, not for %s' % d.getVar('TARGET_ARCH'))
    bb.parse.mark_dependency(d, d.getVar('DEBIAN_LIBRARIES'))
    if not os.path.exists(d.getVar('DEBIAN_LIBRARIES')):
        raise bb.parse.SkipRecipe('%s is missing: install g++-%s' % (d.getVar('DEBIAN_LIBRARIES'), d.getVar('DEBIAN_GNU_TRIPLE')))
}
