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
# `runtime` of the appliance description chooses; litert alone, or with tensorflow-lite, which is built from source.
EDGEAI_RUNTIMES ??= "litert"
# The delegate, where there is a neural processing unit behind Mesa; edgeai finds it by itself.
EDGEAI_DELEGATES = "${@'libteflon' if d.getVar('EDGEAI_TEFLON') else ''}"

RDEPENDS:${PN} = "${EDGEAI_DELEGATES} ${EDGEAI_MODEL_PACKAGES} ${EDGEAI_RUNTIMES} edgeai edgeai-appliance edgeai-init"
RDEPENDS:${PN}-service = "${EDGEAI_DELEGATES} ${EDGEAI_MODEL_PACKAGES} ${EDGEAI_RUNTIMES} edgeai edgeai-appliance edgeai-service"
RDEPENDS:${PN}-test = "edgeai-test-agent"
