//! Losses, their gradients, and classification metrics.
