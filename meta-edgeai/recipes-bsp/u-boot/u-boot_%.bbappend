# Under DISTRO = "edgeai" the loader keeps its environment twice, at the end of the area before the slots.
inherit ${@'edgeai-u-boot' if d.getVar('DISTRO') == 'edgeai' else ''}
