//! Inputs and outputs of the appliance on GPIO lines, each output with its safe level.
