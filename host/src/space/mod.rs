//! Vectors and products on several threads.

mod csr;
mod threads;

pub use csr::ThreadedCsr;
pub use threads::Threads;
