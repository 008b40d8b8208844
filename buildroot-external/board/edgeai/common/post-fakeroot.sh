#!/bin/sh
# Reduces the file system's copy of the target folder to the manifest of the root.
exec python3 "$(dirname "$0")/edgeai.py" root "$1"
