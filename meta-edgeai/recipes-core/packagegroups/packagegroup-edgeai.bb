SUMMARY = "What an appliance consists of"
SUMMARY:${PN}-service = "The same under systemd or BusyBox init, for other people's images"
SUMMARY:${PN}-test = "The agent of the tests"
DESCRIPTION = "The program, the runtime, the models of the image's manifest and the machine's \
               appliance description: as first process, or under somebody else's init."
SECTION = "packagegroup"

PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

PACKAGES = "${PN} ${PN}-service ${PN}-test"

EDGEAI_MODEL_PACKAGES = "${@' '.join('edgeai-model-' + m for m in edgeai.models())}"

RDEPENDS:${PN} = "${EDGEAI_MODEL_PACKAGES} edgeai edgeai-appliance edgeai-init litert"
RDEPENDS:${PN}-service = "${EDGEAI_MODEL_PACKAGES} edgeai edgeai-appliance edgeai-service litert"
RDEPENDS:${PN}-test = "edgeai-test-agent"
