//! Layers of small neural networks, forward and backward, on lent activations.
