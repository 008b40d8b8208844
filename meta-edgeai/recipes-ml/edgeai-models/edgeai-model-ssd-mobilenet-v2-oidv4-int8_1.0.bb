SUMMARY = "Model ssd-mobilenet-v2-oidv4-int8"
DESCRIPTION = "SSD MobileNetV2, 300x300, 23 classes of OpenImages V4 (Person, Car, Bottle, Cat, Box, ...), int8."

EDGEAI_MODEL = "ssd-mobilenet-v2-oidv4-int8"
require edgeai-model.inc
