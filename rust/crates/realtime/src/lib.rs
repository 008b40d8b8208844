//! SCHED_FIFO, locked memory, and latency histograms.
