SUMMARY = "TensorFlow Lite, its C library from source"
DESCRIPTION = "libtensorflowlite_c.so with XNNPACK inside, by CMake, from LiteRT's repository, where TensorFlow \
Lite is kept now. Nothing is fetched while it builds. The version is what that build says of itself."
HOMEPAGE = "https://ai.google.dev/edge/litert"
SECTION = "libs"

LICENSE = "Apache-2.0 & BSD-2-Clause & BSD-3-Clause & MIT & MPL-2.0 & OouraFFT"
NO_GENERIC_LICENSE[OouraFFT] = "fft2d/readme2d.txt"
LIC_FILES_CHKSUM = "\
    file://litert/tflite/c/CMakeLists.txt;beginline=1;endline=16;md5=bfe0e0bba7228ca7b9644e1748c5c3a0 \
    file://abseil-cpp/LICENSE;md5=df52c6edb7adc22e533b2bacc3bd3915 \
    file://cpuinfo/LICENSE;md5=cabca80e8e4a4bbe90e9a4b4ad53f5f4 \
    file://eigen/COPYING.MPL2;md5=48a3fe23ed1353e0995dadfda05ffdb6 \
    file://farmhash/COPYING;md5=7dfaa79e2b070897e495fec386e3acfc \
    file://fft2d/readme2d.txt;md5=956460b8a15627be1e6c7b06eec137a0 \
    file://flatbuffers/LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
    file://FP16/LICENSE;md5=998fb0b16ad8a4fb8bd41bf3faf2d21c \
    file://FXdiv/LICENSE;md5=0c2eed7ba400a6fea8fec2a582b177e8 \
    file://gemmlowp/LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
    file://ml_dtypes/LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
    file://neon2sse/LICENSE;md5=53abad1ded16f44100126962f4bbef6c \
    file://pthreadpool/LICENSE;md5=1609499688b503850848d795dce4da2d \
    file://ruy/LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
    file://xnnpack/LICENSE;md5=afa8f8a91390ab659c837da57124977c \
"

# LiteRT 2.2.0. What it takes from elsewhere is as its tflite/tools/cmake/modules/*.cmake and tflite/cmake/*.cmake
# say, but for cpuinfo and pthreadpool (commits of their main branches) and FXdiv, which pthreadpool asks for by
# the name of a branch.
SRCREV_litert = "145c7523ff08d5e57ab5c582141775eea47da9c7"
SRCREV_abseil-cpp = "5650e9cf76d3be4318d5fa3af38ee483ddfd5e4a"
SRCREV_cpuinfo = "d6108819d1d41c749b076e250be454c4559cb771"
SRCREV_eigen = "ea13a98decd497a8c5588fb5de71b57bcf10d864"
SRCREV_farmhash = "0d859a811870d10f53a594927d0d0b97573ad06d"
SRCREV_fft2d = "c6fd2dd6d21397baa6653139d31d84540d5449a2"
SRCREV_flatbuffers = "187240970746d00bbd26b0f5873ed54d2477f9f3"
SRCREV_FP16 = "0a92994d729ff76a58f692d3028ca1b64b145d91"
SRCREV_FXdiv = "63058eff77e11aa15bf531df5dd34395ec3017c8"
SRCREV_gemmlowp = "16e8662c34917be0065110bfcd9cc27d30f52fdf"
SRCREV_ml_dtypes = "00d98cd92ade342fef589c0470379abb27baebe9"
SRCREV_neon2sse = "a15b489e1222b2087007546b4912e21293ea86ff"
SRCREV_pthreadpool = "0e6ca13779b57d397a5ba6bfdcaa8a275bc8ea2e"
SRCREV_ruy = "3286a34cc8de6149ac6844107dfdffac91531e72"
SRCREV_xnnpack = "ae746db8255aa93704012a98b4b030eefd17357d"
SRCREV_FORMAT = "litert"

# Of TensorFlow itself six headers are left, as in the wheel tensorflow-cpu 2.21.0 of PyPI.
TENSORFLOW = "https://raw.githubusercontent.com/tensorflow/tensorflow/v2.21.0"
TSL = "third_party/xla/xla/tsl"
HEADERS = "\
    third_party/fft2d/fft.h \
    third_party/fft2d/fft2d.h \
    ${TSL}/lib/random/philox_random.h \
    ${TSL}/lib/random/random_distributions_utils.h \
    ${TSL}/framework/convolution/eigen_convolution_helpers.h \
    ${TSL}/framework/convolution/eigen_spatial_convolutions-inl.h \
"

SRC_URI = "\
    git://github.com/google-ai-edge/LiteRT.git;protocol=https;nobranch=1;lfs=0;name=litert;subpath=tflite;destsuffix=litert/tflite \
    git://github.com/abseil/abseil-cpp.git;protocol=https;nobranch=1;name=abseil-cpp;destsuffix=abseil-cpp \
    git://github.com/pytorch/cpuinfo.git;protocol=https;branch=main;name=cpuinfo;destsuffix=cpuinfo \
    git://gitlab.com/libeigen/eigen.git;protocol=https;nobranch=1;name=eigen;destsuffix=eigen \
    git://github.com/google/farmhash.git;protocol=https;nobranch=1;name=farmhash;destsuffix=farmhash \
    git://github.com/petewarden/OouraFFT.git;protocol=https;nobranch=1;name=fft2d;destsuffix=fft2d \
    git://github.com/google/flatbuffers.git;protocol=https;nobranch=1;name=flatbuffers;destsuffix=flatbuffers \
    git://github.com/Maratyszcza/FP16.git;protocol=https;nobranch=1;name=FP16;destsuffix=FP16 \
    git://github.com/Maratyszcza/FXdiv.git;protocol=https;nobranch=1;name=FXdiv;destsuffix=FXdiv \
    git://github.com/google/gemmlowp.git;protocol=https;nobranch=1;name=gemmlowp;destsuffix=gemmlowp \
    git://github.com/jax-ml/ml_dtypes.git;protocol=https;nobranch=1;name=ml_dtypes;destsuffix=ml_dtypes \
    git://github.com/intel/ARM_NEON_2_x86_SSE.git;protocol=https;nobranch=1;name=neon2sse;destsuffix=neon2sse \
    git://github.com/google/pthreadpool.git;protocol=https;branch=main;name=pthreadpool;destsuffix=pthreadpool \
    git://github.com/google/ruy.git;protocol=https;nobranch=1;name=ruy;destsuffix=ruy \
    git://github.com/google/XNNPACK.git;protocol=https;nobranch=1;name=xnnpack;destsuffix=xnnpack \
    ${TENSORFLOW}/third_party/fft2d/fft.h;name=fft-header;downloadfilename=${BP}-fft.h \
    ${TENSORFLOW}/third_party/fft2d/fft2d.h;name=fft2d-header;downloadfilename=${BP}-fft2d.h \
    ${TENSORFLOW}/${TSL}/lib/random/philox_random.h;name=philox;downloadfilename=${BP}-philox_random.h \
    ${TENSORFLOW}/${TSL}/lib/random/random_distributions_utils.h;name=distributions;downloadfilename=${BP}-random_distributions_utils.h \
    ${TENSORFLOW}/${TSL}/framework/convolution/eigen_convolution_helpers.h;name=helpers;downloadfilename=${BP}-eigen_convolution_helpers.h \
    ${TENSORFLOW}/${TSL}/framework/convolution/eigen_spatial_convolutions-inl.h;name=convolutions;downloadfilename=${BP}-eigen_spatial_convolutions-inl.h \
"
SRC_URI[fft-header.sha256sum] = "2db045d17dfd4b4fa5201e86a1653f0c0b7741e14c927f0c426007127109e825"
SRC_URI[fft2d-header.sha256sum] = "b24c63e77d5daf3affd7386085c41c046f3ad0c8dcab56a621fd8e84a5af5c1a"
SRC_URI[philox.sha256sum] = "7a7659f95c59419373261af305736311bfd839b281259703b23f4df9b391a43e"
SRC_URI[distributions.sha256sum] = "1d65158a878510a1ec5835c5f26962b0ebe45bd56ecaec7e38314a8ac5e7a517"
SRC_URI[helpers.sha256sum] = "3fd52ebb0f14b9c4f3b3e225d1e7b29c712c3046d34e07936bfec0e0c1f41152"
SRC_URI[convolutions.sha256sum] = "c0bec189723d52b4495dec62e197e2a4ffe7725bc313676984384e8b8fbb7a13"

inherit cmake

COMPATIBLE_HOST = "(aarch64|x86_64).*-linux"
S = "${UNPACKDIR}"
OECMAKE_SOURCEPATH = "${S}/litert/tflite/c"
OECMAKE_TARGET_COMPILE = "tensorflowlite_c"
# What takes its sources by FetchContent, and its name there.
CONTENT = "abseil-cpp cpuinfo eigen farmhash fft2d flatbuffers gemmlowp ml_dtypes neon2sse ruy xnnpack"
EXTRA_OECMAKE = "\
    -DCMAKE_BUILD_TYPE=Release \
    -DFETCHCONTENT_FULLY_DISCONNECTED=ON -DOVERRIDABLE_FETCH_CONTENT_LICENSE_CHECK=OFF \
    ${@' '.join(f'-DFETCHCONTENT_SOURCE_DIR_{n.upper()}=' + d.expand('${S}/') + n for n in d.getVar('CONTENT').split())} \
    -DFETCHCONTENT_SOURCE_DIR_FP16_HEADERS=${S}/FP16 -DFP16_SOURCE_DIR=${S}/FP16 -DFXDIV_SOURCE_DIR=${S}/FXdiv \
    -DPTHREADPOOL_SOURCE_DIR=${S}/pthreadpool -DXNNPACK_ENABLE_KLEIDIAI=OFF \
    -DTF_SOURCE_DIR=${S}/litert -DTENSORFLOW_SOURCE_DIR=${S}/tensorflow \
    -DTFLITE_HOST_TOOLS_DIR=${WORKDIR}/flatc -DFLATC_BIN=${WORKDIR}/flatc/flatc \
"

do_configure:prepend() {
    # The build still looks for its sources where TensorFlow had them; the repository has them itself.
    install -d ${S}/litert/tensorflow ${S}/tensorflow/tensorflow/compiler/mlir
    ln -sfn ../tflite ${S}/litert/tensorflow/lite
    ln -sfn ../../../../litert/tflite/converter ${S}/tensorflow/tensorflow/compiler/mlir/lite
    for header in ${HEADERS}; do
        install -D -m 0644 ${UNPACKDIR}/${BP}-$(basename $header) ${S}/tensorflow/$header
    done

    # Tools beside the library, which want protobuf.
    sed -i '/^add_subdirectory(/d' ${S}/litert/tflite/CMakeLists.txt

    # The compiler of schemas, of the very version of the headers, for the build machine.
    cmake -G Ninja -S ${S}/flatbuffers -B ${WORKDIR}/flatc -DFLATBUFFERS_BUILD_TESTS=OFF \
        -DCMAKE_TOOLCHAIN_FILE=${WORKDIR}/toolchain-native.cmake
    cmake --build ${WORKDIR}/flatc --target flatc
}

do_install() {
    install -D -m 0755 ${B}/libtensorflowlite_c.so ${D}${libdir}/libtensorflowlite_c.so
}

# Without a version in its name; opened by name at run time.
SOLIBS = ".so"
FILES_SOLIBSDEV = ""
