//! The decision log and health notifications, behind bounded queues that drop and count.
