SUMMARY = "What a developer wants on the device"
DESCRIPTION = "A shell, a way in, and tools that look at cameras, buses and latencies."
SECTION = "packagegroup"

inherit packagegroup

RDEPENDS:${PN} = "\
    busybox \
    dropbear \
    i2c-tools \
    rt-tests \
    v4l-utils \
"
