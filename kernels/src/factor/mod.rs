//! Factorizations of dense, banded and sparse matrices.
