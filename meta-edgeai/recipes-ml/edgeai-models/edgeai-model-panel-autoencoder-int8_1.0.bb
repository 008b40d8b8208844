SUMMARY = "Model panel-autoencoder-int8"
DESCRIPTION = "Autoencoder of one part at one place, a clinker panel in grey 64x64, trained on good parts, int8."

EDGEAI_MODEL = "panel-autoencoder-int8"
require edgeai-model.inc
