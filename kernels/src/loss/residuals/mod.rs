//! Systems of equations u(x) = 0 as [`Residuals`](crate::optim::descent::Residuals).

mod chebyshev;
mod linear;
mod rosenbrock;

pub use chebyshev::ChebyshevChain;
pub use linear::LinearResiduals;
pub use rosenbrock::Rosenbrock;
