SUMMARY = "Camera and model in, decisions on lines out; also the first process of the image"
DESCRIPTION = "One program: as /sbin/init the first process of an appliance, under systemd or \
BusyBox init an ordinary service, on the command line inference, checks and replays."
SECTION = "multimedia"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "\
    file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302 \
    file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10 \
"

# V4L2's structures are read from the kernel's headers at build time (bindgen).
DEPENDS += "clang-native virtual/libc"

# The workspace's own folders only: other workspaces in rust/ are no source of the programs.
FILESEXTRAPATHS:prepend := "${EDGEAI_PROJECT}/rust:"
SRC_URI = "\
    file://Cargo.lock;subdir=rust \
    file://Cargo.toml;subdir=rust \
    file://crates;subdir=rust \
    file://edgeai;subdir=rust \
    file://test-agent;subdir=rust \
    file://edgeai.init \
    file://edgeai.service \
"
require edgeai-crates.inc

inherit cargo cargo-update-recipe-crates pkgconfig systemd update-rc.d
inherit_defer ${@bb.utils.contains('DISTRO_FEATURES', 'ptest', 'ptest-cargo', '', d)}

S = "${UNPACKDIR}/rust"

LIBCLANG_PATH ??= "${STAGING_LIBDIR_NATIVE}"
BINDGEN_SYSTEM_HEADERS ??= "${STAGING_INCDIR}"
export LIBCLANG_PATH
export BINDGEN_EXTRA_CLANG_ARGS = "--sysroot=${STAGING_DIR_HOST} -I${BINDGEN_SYSTEM_HEADERS}"

PACKAGECONFIG ??= ""
PACKAGECONFIG[rppal] = "--features edgeai/rppal"
PACKAGECONFIG[tflite] = "--features edgeai/tflite"

EDGEAI_TARGET_CPU ??= ""
RUSTFLAGS:append = "${@' -Ctarget-cpu=%s' % d.getVar('EDGEAI_TARGET_CPU') if d.getVar('EDGEAI_TARGET_CPU') else ''}"

CARGO_BUILD_FLAGS:append = " -p edgeai -p edgeai-test-agent"

# As PID 1 (edgeai-init), or started by somebody else's init.
SYSTEMD_PACKAGES = "${PN}-service"
SYSTEMD_SERVICE:${PN}-service = "edgeai.service"
INITSCRIPT_PACKAGES = "${PN}-service"
INITSCRIPT_NAME:${PN}-service = "edgeai"
INITSCRIPT_PARAMS:${PN}-service = "defaults 80 20"

do_install:append() {
    install -d ${D}${base_sbindir}
    ln -s ${@os.path.relpath(d.getVar('bindir'), d.getVar('base_sbindir'))}/edgeai ${D}${base_sbindir}/init

    if ${@bb.utils.contains('DISTRO_FEATURES', 'systemd', 'true', 'false', d)}; then
        install -D -m 0644 ${UNPACKDIR}/edgeai.service ${D}${systemd_system_unitdir}/edgeai.service
    fi
    install -D -m 0755 ${UNPACKDIR}/edgeai.init ${D}${sysconfdir}/init.d/edgeai
}

PACKAGES =+ "${PN}-init ${PN}-service ${PN}-test-agent"
FILES:${PN}-init = "${base_sbindir}/init"
FILES:${PN}-service = "${sysconfdir}/init.d/edgeai ${systemd_system_unitdir}/edgeai.service"
FILES:${PN}-test-agent = "${bindir}/edgeai-test-agent"

RDEPENDS:${PN}-init = "${PN} e2fsprogs-e2fsck e2fsprogs-mke2fs"
RDEPENDS:${PN}-service = "${PN}"
RDEPENDS:${PN}-test-agent = "${PN}"
RRECOMMENDS:${PN} = "litert"
RPROVIDES:${PN}-init = "virtual-init-manager"
RCONFLICTS:${PN}-init = "busybox-init systemd sysvinit"

# Its release profile strips and links everything into one: there is no separate debug information.
INSANE_SKIP:${PN} += "already-stripped"
INSANE_SKIP:${PN}-test-agent += "already-stripped"
