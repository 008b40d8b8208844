# As for OE-core's U-Boot.
inherit ${@'edgeai-u-boot' if d.getVar('DISTRO') == 'edgeai' else ''}
