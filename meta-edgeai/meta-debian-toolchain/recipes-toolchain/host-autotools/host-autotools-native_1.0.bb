SUMMARY = "What OE-core's autoconf, gettext and gnu-config have beside the build machine's"
DESCRIPTION = "autoreconf with --exclude, gnu-configize, and gettext's files where OE-core looks for them; \
everything else of the autotools is Debian's."
SECTION = "devel"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"
PROVIDES = "autoconf-native gettext-minimal-native gettext-native gnu-config-native"

SRC_URI = "file://autoreconf file://gnu-configize"
S = "${UNPACKDIR}"

inherit native

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}${bindir}
    install -m 0755 ${UNPACKDIR}/autoreconf ${UNPACKDIR}/gnu-configize ${D}${bindir}/

    install -d ${D}${datadir}/gettext/po
    install -m 0644 /usr/share/gettext/config.rpath ${D}${datadir}/gettext/
    install -m 0644 /usr/share/gettext/po/Makefile.in.in /usr/share/gettext/po/remove-potcdate.sed ${D}${datadir}/gettext/po/
    install -m 0644 /usr/share/gettext/po/Makevars.template ${D}${datadir}/gettext/po/Makevars.template.minimal
}

# autoconf-archive-native counts as provided, and configure scripts that lack its macros come out broken, without a word.
python () {
    macros = '/usr/share/aclocal/ax_pthread.m4'
    bb.parse.mark_dependency(d, macros)
    if not os.path.exists(macros):
        raise bb.parse.SkipRecipe('%s is missing: install autoconf-archive' % macros)
}
