SUMMARY = "The appliance's programs with a shell, a way in and tools"
DESCRIPTION = "An ordinary image of OE-core: writable, BusyBox init or systemd, edgeai as a service."
SECTION = "images"
LICENSE = "MIT"

IMAGE_FEATURES += "allow-empty-password allow-root-login empty-root-password ssh-server-dropbear"
IMAGE_INSTALL = "packagegroup-core-boot packagegroup-edgeai-service packagegroup-edgeai-tools"

inherit core-image

