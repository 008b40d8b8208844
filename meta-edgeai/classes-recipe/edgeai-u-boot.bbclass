# Configures U-Boot with fragments of recipes-bsp/u-boot/files, and fails when one of the options
# asked for is not in the final configuration.
#
# EDGEAI_U_BOOT_FRAGMENTS   their names, without .cfg

EDGEAI_U_BOOT_FRAGMENTS ??= ""

FILESEXTRAPATHS:prepend := "${EDGEAI_LAYER}/recipes-bsp/u-boot/files:"
SRC_URI:append = " ${@' '.join('file://%s.cfg' % f for f in d.getVar('EDGEAI_U_BOOT_FRAGMENTS').split())}"

python do_edgeai_config_check() {
    from pathlib import Path
    from edgeai import boot

    # One folder for each of UBOOT_CONFIG; without it the build folder itself.
    build = Path(d.getVar('B'))
    configurations = [build / '.config'] if not d.getVar('UBOOT_CONFIG') else sorted(build.glob('*/.config'))
    try:
        for configuration in configurations:
            boot.check_u_boot(d.getVar('EDGEAI_U_BOOT_FRAGMENTS').split(), configuration.read_text())
    except (edgeai.BuildError, OSError) as error:
        bb.fatal('%s: %s' % (d.getVar('PN'), error))
}
do_edgeai_config_check[doc] = "Fails when an option of U-Boot asked for did not stick"
do_edgeai_config_check[file-checksums] += "${@edgeai.SOURCES}"
addtask edgeai_config_check after do_configure before do_compile
