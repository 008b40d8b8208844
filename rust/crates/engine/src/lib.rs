//! Model inference behind one trait: LiteRT, and TFLite through tflitec.
