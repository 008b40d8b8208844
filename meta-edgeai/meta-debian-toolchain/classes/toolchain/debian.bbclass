# The cross compiler of a Debian build machine (gcc-aarch64-linux-gnu) for the target's recipes.
# It finds its own C library beside itself; recipes' libraries come from the sysroot as ever.

inherit toolchain/gcc

TARGET_PREFIX:class-target = "${DEBIAN_GNU_TRIPLE}-"
PREFERRED_PROVIDER_virtual/${MLPREFIX}compilerlibs = "debian-runtime"
