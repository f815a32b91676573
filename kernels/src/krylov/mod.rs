//! Krylov methods for Ax = b and min ‖Ax − b‖₂.
