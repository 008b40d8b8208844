//! A camera frame into the model's input tensor in one pass: colour, resize, normalise, quantise.
