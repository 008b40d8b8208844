//! Every kind of decoder on tensors made by hand.

mod blazeface;
mod pose;
mod ssd;
mod tensors;
mod whole;
mod yolo;
