//! Quantizers, and the audit of quantized models.
