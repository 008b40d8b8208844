# An image of two slots: read-only EROFS on dm-verity, a FIT or a unified kernel image per slot, the
# partition table of conf/image/partitions.toml. The commands are those of every other builder
# (scripts/lib). What it must know of a machine is in conf/distro/include.

inherit image-artifact-names

# A machine that nobody has said how it boots has no image, and none has where the distribution does not say it
# (conf/image/boards.toml): known when the recipe is read, not after hours of work.
python () {
    from edgeai import slots

    if 'distro-edgeai' not in d.getVar('OVERRIDES').split(':'):
        raise bb.parse.SkipRecipe('DISTRO = "edgeai" says how its slots boot; other images take packagegroup-edgeai-service')
    try:
        slots.check_way(d.getVar('MACHINE'), d.getVar('EDGEAI_BOOT'), d.getVar('EDGEAI_BOOT_WHY'))
    except edgeai.BuildError as error:
        raise bb.parse.SkipRecipe(str(error))
}

IMAGE_FSTYPES = "wic wic.bmap"
# What testimage and runqemu take.
QB_DEFAULT_FSTYPE = "wic"
WKS_FILE = "edgeai.wks.in"
WKS_FILE_DEPENDS = ""
EDGEAI_SLOTS = "${WORKDIR}/edgeai-slots"
EDGEAI_KICKSTART = "${@edgeai.kickstart(d.getVar('EDGEAI_SLOTS'), d.getVar('EDGEAI_LOADER').split(), bool(d.getVar('EDGEAI_ROM_FILES')))}"
EDGEAI_DEVICE_NODES ??= ""
# EFI's name of the processor (UEFI specification 2.10, section 3.5.1.1).
EDGEAI_EFI_ARCH = "${@{'aarch64': 'aa64', 'x86_64': 'x64'}.get(d.getVar('TARGET_ARCH'), '')}"

# The root has what the manifest says, with these of its further tables: packages bring more.
EDGEAI_ROOT_TABLES = "${@'teflon' if d.getVar('EDGEAI_TEFLON') else ''} ${@bb.utils.filter('EDGEAI_RUNTIMES', 'tensorflow-lite', d)}"
python edgeai_reduce_root() {
    import json
    from pathlib import Path
    from edgeai import slots

    try:
        tables = d.getVar('EDGEAI_ROOT_TABLES').split()
        files = slots.reduce(Path(d.getVar('IMAGE_ROOTFS')), bb.utils.to_boolean(d.getVar('EDGEAI_TEST')), *tables)
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
    board = edgeai.board.described(
        d.getVar('MACHINE'), console=d.getVar('EDGEAI_CONSOLE'),
        kernel_arch=d.getVar('ARCH') or d.getVar('TARGET_ARCH').replace('aarch64', 'arm64'),
        load_address=int(d.getVar('EDGEAI_LOAD_ADDRESS') or '0', 0), fit_address=int(d.getVar('EDGEAI_FIT_ADDRESS') or '0', 0))
    tree = d.getVar('EDGEAI_DEVICETREE')
    nodes = d.getVar('EDGEAI_DEVICE_NODES')
    host = slots.Host(d.getVar('PATH'))
    native = Path(d.getVar('STAGING_BINDIR_NATIVE'))
    efi = {
        'ukify': [native / 'python3-native/python3', native / 'ukify'],
        'stub': deploy / d.expand('linux${EDGEAI_EFI_ARCH}.efi.stub'),
        'architecture': d.getVar('EDGEAI_EFI_ARCH'),
    } if d.getVar('EDGEAI_BOOT') == 'efi' else None
    try:
        edgeai.boot.check_loader(d.getVar('EDGEAI_LOADER').split(), deploy)
        if rom := d.getVar('EDGEAI_ROM_FILES').split():
            places = [deploy, *(deploy / name for name in d.getVar('EDGEAI_ROM_FOLDERS').split())]
            edgeai.boot.firmware(host, rom, d.getVar('EDGEAI_ROM_CONFIG').split(), places, result, result / 'firmware.log')
        verity = slots.make(host, board, Path(d.getVar('IMAGE_ROOTFS')), kernel, result, d.getVar('APPEND').split(),
                            Path(nodes) if nodes else None, deploy / tree if tree else None, efi)
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
do_edgeai_slots[vardeps] += "APPEND EDGEAI_BOOT EDGEAI_CONSOLE EDGEAI_DEVICETREE EDGEAI_FIT_ADDRESS EDGEAI_LOADER EDGEAI_LOAD_ADDRESS EDGEAI_ROM_CONFIG EDGEAI_ROM_FILES EDGEAI_ROM_FOLDERS MACHINE"
do_edgeai_slots[depends] += "\
    cryptsetup-native:do_populate_sysroot dosfstools-native:do_populate_sysroot dtc-native:do_populate_sysroot \
    erofs-utils-native:do_populate_sysroot mtools-native:do_populate_sysroot u-boot-tools-native:do_populate_sysroot \
    virtual/kernel:do_deploy \
    ${@'qemu-system-native:do_populate_sysroot' if edgeai.emulator(d.getVar('MACHINE')) else ''} \
    ${@'systemd-boot:do_deploy' if d.getVar('EDGEAI_BOOT') == 'efi' else ''} \
    ${@' '.join('%s:do_populate_sysroot' % n for n in ('python3-native', 'python3-pefile-native', 'systemd-boot-native')) if d.getVar('EDGEAI_BOOT') == 'efi' else ''} \
    ${@' '.join('%s:do_deploy' % n for n in d.getVar('EDGEAI_BOOT_RECIPES').split())} \
"
addtask edgeai_slots after do_image before do_image_wic

# wic has no word for attributes of a partition.
IMAGE_CMD:wic:append() {
    ${@'\n    '.join('sgdisk -A %d:set:%d $out.wic' % pair for pair in edgeai.attributes(bool(d.getVar('EDGEAI_ROM_FILES'))))}
}
