################################################################################
#
# tflite-c
#
################################################################################

# The commits are those of the Yocto recipe, which says where each is from.
TFLITE_C_RECIPE = $(EDGEAI_CHECKOUT)/meta-edgeai/recipes-ml/tensorflow-lite/tensorflow-lite_2.19.0.bb
TFLITE_C_COMMITS := $(shell sed -n 's/^SRCREV_\([A-Za-z0-9_-]*\) = "\([0-9a-f]*\)"$$/\1=\2/p' $(TFLITE_C_RECIPE))
# $(1): a source's name in the recipe
tflite-c-commit = $(patsubst $(1)=%,%,$(filter $(1)=%,$(TFLITE_C_COMMITS)))

TFLITE_C_VERSION := $(call tflite-c-commit,litert)
TFLITE_C_SITE = $(EDGEAI_FETCHED)
TFLITE_C_SITE_METHOD = file
TFLITE_C_SOURCE = tflite-c-$(TFLITE_C_VERSION).tar
TFLITE_C_LICENSE = \
	Apache-2.0 (TensorFlow Lite, abseil-cpp, flatbuffers, gemmlowp, ml_dtypes, ruy), \
	BSD-2-Clause (cpuinfo, pthreadpool, neon2sse), BSD-3-Clause (xnnpack), \
	MIT (farmhash, FP16, FXdiv), MPL-2.0 (eigen), OouraFFT (fft2d)
TFLITE_C_LICENSE_FILES = LICENSE \
	$(addprefix sources/,abseil-cpp/LICENSE cpuinfo/LICENSE eigen/COPYING.MPL2 \
		farmhash/COPYING fft2d/readme2d.txt flatbuffers/LICENSE FP16/LICENSE \
		FXdiv/LICENSE gemmlowp/LICENSE ml_dtypes/LICENSE neon2sse/LICENSE \
		pthreadpool/LICENSE ruy/LICENSE xnnpack/LICENSE)
TFLITE_C_SUBDIR = tflite/c
TFLITE_C_SUPPORTS_IN_SOURCE_BUILD = NO

# The repository has hundreds of megabytes of test models; one folder is needed.
define TFLITE_C_FETCH
	$(call edgeai-fetch,TFLITE_C,repository https://github.com/google-ai-edge/LiteRT.git $(TFLITE_C_VERSION) tflite)
endef
TFLITE_C_PRE_DOWNLOAD_HOOKS += TFLITE_C_FETCH

define TFLITE_C_FETCHED
	$(call edgeai-fetched,TFLITE_C)
endef
TFLITE_C_POST_DOWNLOAD_HOOKS += TFLITE_C_FETCHED

# name=owner/repository on GitHub; eigen's is the mirror of gitlab.com/libeigen/eigen.
TFLITE_C_REPOSITORIES = \
	abseil-cpp=abseil/abseil-cpp cpuinfo=pytorch/cpuinfo eigen=eigen-mirror/eigen \
	farmhash=google/farmhash fft2d=petewarden/OouraFFT flatbuffers=google/flatbuffers \
	FP16=Maratyszcza/FP16 FXdiv=Maratyszcza/FXdiv gemmlowp=google/gemmlowp \
	ml_dtypes=jax-ml/ml_dtypes neon2sse=intel/ARM_NEON_2_x86_SSE \
	pthreadpool=google/pthreadpool ruy=google/ruy xnnpack=google/XNNPACK
tflite-c-name = $(firstword $(subst =, ,$(1)))
tflite-c-archive = $(call tflite-c-name,$(1))-$(call tflite-c-commit,$(call tflite-c-name,$(1))).tar.gz
# Of TensorFlow itself six headers are left.
TFLITE_C_TENSORFLOW := $(shell sed -n 's/^TENSORFLOW = "\(.*\)"$$/\1/p' $(TFLITE_C_RECIPE))
TFLITE_C_HEADERS = \
	third_party/fft2d/fft.h \
	third_party/fft2d/fft2d.h \
	third_party/xla/xla/tsl/lib/random/philox_random.h \
	third_party/xla/xla/tsl/lib/random/random_distributions_utils.h \
	third_party/xla/xla/tsl/framework/convolution/eigen_convolution_helpers.h \
	third_party/xla/xla/tsl/framework/convolution/eigen_spatial_convolutions-inl.h

TFLITE_C_EXTRA_DOWNLOADS = \
	$(foreach r,$(TFLITE_C_REPOSITORIES),https://github.com/$(lastword $(subst =, ,$(r)))/archive/$(call tflite-c-commit,$(call tflite-c-name,$(r)))/$(call tflite-c-archive,$(r))) \
	$(addprefix $(TFLITE_C_TENSORFLOW)/,$(TFLITE_C_HEADERS))

define TFLITE_C_EXTRACT_SOURCES
	$(foreach r,$(TFLITE_C_REPOSITORIES),
		mkdir -p $(@D)/sources/$(call tflite-c-name,$(r))
		$(call suitable-extractor,$(call tflite-c-archive,$(r))) $(TFLITE_C_DL_DIR)/$(call tflite-c-archive,$(r)) | \
			$(TAR) --strip-components=1 -C $(@D)/sources/$(call tflite-c-name,$(r)) $(TAR_OPTIONS) -)
	$(foreach h,$(TFLITE_C_HEADERS),
		$(INSTALL) -D -m 0644 $(TFLITE_C_DL_DIR)/$(notdir $(h)) $(@D)/sources/tensorflow/$(h))
endef
TFLITE_C_POST_EXTRACT_HOOKS += TFLITE_C_EXTRACT_SOURCES

# The build still looks for its sources where TensorFlow had them; the
# repository has them itself. The subdirectories are tools, which want protobuf.
define TFLITE_C_LAY_OUT
	mkdir -p $(@D)/tensorflow $(@D)/sources/tensorflow/tensorflow/compiler/mlir
	ln -sfn ../tflite $(@D)/tensorflow/lite
	ln -sfn ../../../../../tflite/converter $(@D)/sources/tensorflow/tensorflow/compiler/mlir/lite
	$(SED) '/^add_subdirectory(/d' $(@D)/tflite/CMakeLists.txt
endef
TFLITE_C_POST_PATCH_HOOKS += TFLITE_C_LAY_OUT

# The compiler of schemas, of the very version of the headers.
define TFLITE_C_BUILD_FLATC
	$(HOST_MAKE_ENV) $(BR2_CMAKE) -S $(@D)/sources/flatbuffers -B $(@D)/flatc \
		-DCMAKE_C_COMPILER=$(firstword $(CMAKE_HOST_C_COMPILER)) \
		-DCMAKE_CXX_COMPILER=$(firstword $(CMAKE_HOST_CXX_COMPILER)) \
		-DFLATBUFFERS_BUILD_TESTS=OFF
	$(HOST_MAKE_ENV) $(BR2_CMAKE) --build $(@D)/flatc -j$(PARALLEL_JOBS) --target flatc
endef
TFLITE_C_PRE_CONFIGURE_HOOKS += TFLITE_C_BUILD_FLATC

# What takes its sources by FetchContent.
TFLITE_C_CONTENT = abseil-cpp cpuinfo eigen farmhash fft2d flatbuffers gemmlowp ml_dtypes neon2sse ruy xnnpack
TFLITE_C_CONF_OPTS = \
	-DBUILD_SHARED_LIBS=OFF \
	-DFETCHCONTENT_FULLY_DISCONNECTED=ON \
	-DOVERRIDABLE_FETCH_CONTENT_LICENSE_CHECK=OFF \
	$(foreach n,$(TFLITE_C_CONTENT),-DFETCHCONTENT_SOURCE_DIR_$(subst _CPP,-CPP,$(call UPPERCASE,$(n)))=$(@D)/sources/$(n)) \
	-DFETCHCONTENT_SOURCE_DIR_FP16_HEADERS=$(@D)/sources/FP16 \
	-DFP16_SOURCE_DIR=$(@D)/sources/FP16 \
	-DFXDIV_SOURCE_DIR=$(@D)/sources/FXdiv \
	-DPTHREADPOOL_SOURCE_DIR=$(@D)/sources/pthreadpool \
	-DTENSORFLOW_SOURCE_DIR=$(@D)/sources/tensorflow \
	-DTFLITE_HOST_TOOLS_DIR=$(@D)/flatc \
	-DFLATC_BIN=$(@D)/flatc/flatc \
	-DTF_SOURCE_DIR=$(@D) \
	-DXNNPACK_ENABLE_KLEIDIAI=OFF
TFLITE_C_BUILD_OPTS = --target tensorflowlite_c

define TFLITE_C_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(TFLITE_C_BUILDDIR)/libtensorflowlite_c.so \
		$(TARGET_DIR)/usr/lib/libtensorflowlite_c.so
endef

$(eval $(cmake-package))
