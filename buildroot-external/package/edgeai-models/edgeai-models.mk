################################################################################
#
# edgeai-models
#
################################################################################

EDGEAI_MODELS_RECIPES = $(EDGEAI_CHECKOUT)/meta-edgeai/recipes-ml/edgeai-models
# Those that the manifest of the root names.
EDGEAI_MODELS_NAMES := $(sort $(shell sed -n 's/.*= "model:\([^"]*\)".*/\1/p' $(EDGEAI_CHECKOUT)/meta-edgeai/conf/image/rootfs.toml))

# One version for each state of how they are made.
EDGEAI_MODELS_VERSION := $(shell cat $(patsubst %,$(EDGEAI_MODELS_RECIPES)/%/source.toml,$(EDGEAI_MODELS_NAMES)) | sha256sum | cut -c1-12)
EDGEAI_MODELS_SITE = $(EDGEAI_FETCHED)
EDGEAI_MODELS_SITE_METHOD = file
EDGEAI_MODELS_SOURCE = edgeai-models-$(EDGEAI_MODELS_VERSION).tar
EDGEAI_MODELS_LICENSE = Apache-2.0
EDGEAI_MODELS_LICENSE_FILES = $(foreach name,$(EDGEAI_MODELS_NAMES),$(name)/LICENSE $(name)/NOTICE)

define EDGEAI_MODELS_FETCH
	$(call edgeai-fetch,EDGEAI_MODELS,models)
endef
EDGEAI_MODELS_PRE_DOWNLOAD_HOOKS += EDGEAI_MODELS_FETCH

define EDGEAI_MODELS_FETCHED
	$(call edgeai-fetched,EDGEAI_MODELS)
endef
EDGEAI_MODELS_POST_DOWNLOAD_HOOKS += EDGEAI_MODELS_FETCHED

# How a model is used may change without making it again.
define EDGEAI_MODELS_COMPLETE
	$(foreach name,$(EDGEAI_MODELS_NAMES), \
		$(foreach file,model.toml LICENSE NOTICE, \
			$(INSTALL) -m 0644 $(EDGEAI_MODELS_RECIPES)/$(name)/$(file) $(@D)/$(name)/$(file)$(sep)))
endef
EDGEAI_MODELS_POST_EXTRACT_HOOKS += EDGEAI_MODELS_COMPLETE

define EDGEAI_MODELS_INSTALL_TARGET_CMDS
	$(foreach name,$(EDGEAI_MODELS_NAMES), \
		mkdir -p $(TARGET_DIR)/usr/share/edgeai/models/$(name)$(sep) \
		cp -f $(@D)/$(name)/* $(TARGET_DIR)/usr/share/edgeai/models/$(name)/$(sep))
endef

$(eval $(generic-package))
