#!/bin/sh
# Verity tree, boot slots and disk image from kernel and root.
exec python3 "$(dirname "$0")/edgeai.py" image "$1"
