# An image of two slots: read-only EROFS on dm-verity, a FIT per slot, the partition table of
# conf/image/partitions.toml. The commands are those of every other builder (scripts/lib).

inherit image-artifact-names

IMAGE_FSTYPES = "wic wic.bmap"
WKS_FILE = "edgeai.wks.in"
WKS_FILE_DEPENDS = ""
EDGEAI_SLOTS = "${WORKDIR}/edgeai-slots"
EDGEAI_KICKSTART = "${@edgeai.kickstart(d.getVar('EDGEAI_SLOTS'), d.getVar('EDGEAI_LOADER').split())}"
EDGEAI_DEVICE_NODES ??= ""

# The root has what the manifest says: packages bring more.
python edgeai_reduce_root() {
    import json
    from pathlib import Path
    from edgeai import slots

    try:
        files = slots.reduce(Path(d.getVar('IMAGE_ROOTFS')), bb.utils.to_boolean(d.getVar('EDGEAI_TEST')))
    except edgeai.BuildError as error:
        bb.fatal('%s: %s' % (d.getVar('PN'), error))
    Path(d.expand('${WORKDIR}/edgeai-files.json')).write_text(json.dumps(files))
}
IMAGE_PREPROCESS_COMMAND:append = " edgeai_reduce_root"
do_image[file-checksums] += "${@edgeai.SOURCES}"

python do_edgeai_slots() {
    import json, shutil
    from pathlib import Path
    from edgeai import slots

    result = Path(d.getVar('EDGEAI_SLOTS'))
    shutil.rmtree(result, ignore_errors=True)
    result.mkdir(parents=True)
    deploy = Path(d.getVar('DEPLOY_DIR_IMAGE'))
    kernel = result / 'kernel'
    kernel.mkdir()
    shutil.copyfile(deploy / d.getVar('KERNEL_IMAGETYPE'), kernel / 'Image')
    board = slots.board(d.getVar('MACHINE'), d.getVar('EDGEAI_CONSOLE'), d.getVar('ARCH') or d.getVar('TARGET_ARCH').replace('aarch64', 'arm64'),
                        d.getVar('EDGEAI_LOAD_ADDRESS'), d.getVar('EDGEAI_FIT_ADDRESS'))
    tree = d.getVar('EDGEAI_DEVICETREE')
    nodes = d.getVar('EDGEAI_DEVICE_NODES')
    try:
        verity = slots.make(slots.Host(d.getVar('PATH')), board, Path(d.getVar('IMAGE_ROOTFS')), kernel, result,
                            d.getVar('APPEND').split(), Path(nodes) if nodes else None, deploy / tree if tree else None)
    except (edgeai.BuildError, OSError) as error:
        bb.fatal('%s: %s' % (d.getVar('PN'), error))
    image = kernel / 'Image'
    manifest = {
        'machine': d.getVar('MACHINE'),
        'image': d.expand('${IMAGE_LINK_NAME}.wic'),
        'versions': {'distro': d.getVar('DISTRO_VERSION'), 'kernel': d.getVar('PREFERRED_PROVIDER_virtual/kernel')},
        'kernel': {'bytes': image.stat().st_size, 'sha256': bb.utils.sha256_file(str(image))},
        'root': {'verity': verity, 'files': json.loads(Path(d.expand('${WORKDIR}/edgeai-files.json')).read_text())},
    }
    shutil.rmtree(kernel)
    name = d.expand('${IMGDEPLOYDIR}/${IMAGE_NAME}.contents.json')
    Path(name).write_text(json.dumps(manifest, indent=1) + '\n')
    link = Path(d.expand('${IMGDEPLOYDIR}/${IMAGE_LINK_NAME}.contents.json'))
    if link.name != Path(name).name:
        link.unlink(missing_ok=True)
        link.symlink_to(Path(name).name)
}
do_edgeai_slots[doc] = "Packs the root, its hash tree and the boot slots"
do_edgeai_slots[file-checksums] += "${@edgeai.SOURCES}"
do_edgeai_slots[file-checksums] += "${@'%s:True' % d.getVar('EDGEAI_DEVICE_NODES') if d.getVar('EDGEAI_DEVICE_NODES') else ''}"
do_edgeai_slots[vardeps] += "APPEND EDGEAI_CONSOLE EDGEAI_DEVICETREE EDGEAI_FIT_ADDRESS EDGEAI_LOAD_ADDRESS MACHINE"
do_edgeai_slots[depends] += "\
    cryptsetup-native:do_populate_sysroot dosfstools-native:do_populate_sysroot dtc-native:do_populate_sysroot \
    erofs-utils-native:do_populate_sysroot mtools-native:do_populate_sysroot u-boot-tools-native:do_populate_sysroot \
    virtual/kernel:do_deploy \
    ${@'qemu-system-native:do_populate_sysroot' if edgeai.emulator(d.getVar('MACHINE')) else ''} \
"
addtask edgeai_slots after do_image before do_image_wic

# wic has no word for attributes of a partition.
IMAGE_CMD:wic:append() {
    ${@'\n    '.join('sgdisk -A %d:set:%d $out.wic' % pair for pair in edgeai.attributes())}
}
