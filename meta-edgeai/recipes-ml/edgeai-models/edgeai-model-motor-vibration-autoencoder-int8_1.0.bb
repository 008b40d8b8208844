SUMMARY = "Model motor-vibration-autoencoder-int8"
DESCRIPTION = "Autoencoder on log spectra of a motor's vibration, trained on simulated normal running, int8."

EDGEAI_MODEL = "motor-vibration-autoencoder-int8"
require edgeai-model.inc
