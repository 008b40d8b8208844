# Under DISTRO = "edgeai" the kernel has what the fragments say and nothing else, as with
# every other builder: no board description of the kernel cache, an empty configuration below.
inherit ${@'edgeai-kernel' if d.getVar('DISTRO') == 'edgeai' else ''}

FILESEXTRAPATHS:prepend:distro-edgeai := "${THISDIR}/linux-yocto-rt:"
SRC_URI:append:distro-edgeai = " file://defconfig"
KMACHINE:distro-edgeai = "edgeai"
KCONFIG_MODE:distro-edgeai = "--allnoconfig"
KERNEL_EXTRA_FEATURES:distro-edgeai = ""
KERNEL_FEATURES:remove:distro-edgeai = "\
    cfg/paravirt_kvm.scc cfg/sound.scc cfg/virtio.scc features/drm-bochs/drm-bochs.scc \
    features/gpio/mockup.scc features/gpio/sim.scc features/nfsd/nfsd-enable.scc features/scsi/scsi-debug.scc \
"
