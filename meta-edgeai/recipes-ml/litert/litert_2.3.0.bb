SUMMARY = "LiteRT, the inference runtime, as its authors build it"
DESCRIPTION = "libLiteRt.so out of the Python wheel ai-edge-litert: the C API, with XNNPACK inside. \
A binary: its sources build with Bazel only, which fetches while it builds."
HOMEPAGE = "https://ai.google.dev/edge/litert"
SECTION = "libs"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=86d3f3a95c324c9479bd8986968f4327"

inherit edgeai-registry

# The very wheel that the quick builder takes, by its lock. Which CPython a wheel is for does
# not matter: the library in it does not use Python.
EDGEAI_WHEELS:aarch64 = "runtime-arm64"
EDGEAI_PLATFORM:aarch64 = "--platform manylinux_2_27_aarch64 --python-version 3.12 --implementation cp"
EDGEAI_WHEELS:x86-64 = "runtime-amd64"
EDGEAI_PLATFORM:x86-64 = "--platform manylinux_2_27_x86_64 --python-version 3.13 --implementation cp"

COMPATIBLE_HOST = "(aarch64|x86_64).*-linux"
S = "${UNPACKDIR}"
SPDX_PACKAGE_URLS = "pkg:pypi/ai-edge-litert@${PV}"

python do_unpack:append() {
    import zipfile
    from pathlib import Path
    from edgeai import registry

    lock = Path(d.getVar('EDGEAI_LOCKS'), d.getVar('EDGEAI_WHEELS') + '.txt')
    wanted = registry.requirements(lock)
    if f"ai-edge-litert=={d.getVar('PV')}" not in wanted:
        bb.fatal(f"{lock} pins another version than {d.getVar('PV')}: rename the recipe")
    found, _ = registry.pick(wanted, Path(d.getVar('EDGEAI_DOWNLOADS')))
    with zipfile.ZipFile(found[0]) as wheel:
        for member in ('ai_edge_litert/libLiteRt.so', f"ai_edge_litert-{d.getVar('PV')}.dist-info/licenses/LICENSE"):
            Path(d.getVar('UNPACKDIR'), Path(member).name).write_bytes(wheel.read(member))
}

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -D -m 0755 ${S}/libLiteRt.so ${D}${libdir}/libLiteRt.so
}

# Linked elsewhere, without a version in its name; opened by name at run time.
SOLIBS = ".so"
FILES_SOLIBSDEV = ""
INSANE_SKIP:${PN} = "already-stripped ldflags"
