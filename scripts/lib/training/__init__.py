"""Autoencoders that learn what is normal, trained on this machine from the data to the int8 .tflite."""
