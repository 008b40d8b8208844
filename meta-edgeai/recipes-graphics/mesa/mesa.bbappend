# Under DISTRO = "edgeai", on a board with a neural processing unit behind Mesa.
require ${@'mesa-teflon.inc' if d.getVar('DISTRO') == 'edgeai' and d.getVar('EDGEAI_TEFLON') else ''}
