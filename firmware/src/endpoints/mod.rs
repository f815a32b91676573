//! The kernels callable over the wire, a module a family.
//!
//! An endpoint takes its arguments from a [`Call`] in the order its documentation gives, runs the kernel under
//! [`Call::measure`], and answers with the results in order.

use crate::{Call, CallError, Part, ScalarKind};

/// A kernel callable over the wire.
pub struct Endpoint {
    /// Family and kernel, such as `blas/dot`.
    pub name: &'static str,
    /// The scalar type of its arguments.
    pub scalar: ScalarKind,
    /// Takes the arguments, runs the kernel, answers.
    pub handler: Handler,
}

/// The function behind an endpoint.
pub type Handler = for<'a, 'c> fn(&'c mut Call<'a>) -> Result<(), CallError>;

/// Declares a family's table, `ENDPOINTS`: a handler generic in the scalar is listed for both scalars
/// (`"name" => handler;`), one that is not, for its own (`"name" in F32 => handler;`).
///
/// With the feature `symbols` each entry is also exported under its name and scalar, so that it can be linked alone and
/// weighed.
macro_rules! endpoints {
    ($($name:literal $(in $kind:ident)? => $handler:ident;)*) => {
        /// This family's endpoints.
        pub(crate) const ENDPOINTS: &[&[$crate::endpoints::Endpoint]] =
            &[$(endpoints!(@entry $name, $handler $(, $kind)?)),*];

        $(endpoints!(@symbol $name, $handler $(, $kind)?);)*
    };
    (@entry $name:literal, $handler:ident) => {
        &[
            $crate::endpoints::Endpoint { name: $name, scalar: $crate::ScalarKind::F32, handler: $handler::<f32> },
            $crate::endpoints::Endpoint { name: $name, scalar: $crate::ScalarKind::F64, handler: $handler::<f64> },
        ]
    };
    (@entry $name:literal, $handler:ident, $kind:ident) => {
        &[$crate::endpoints::Endpoint { name: $name, scalar: $crate::ScalarKind::$kind, handler: $handler }]
    };
    (@symbol $name:literal, $handler:ident) => {
        endpoints!(@export $name, "f32", $handler::<f32>);
        endpoints!(@export $name, "f64", $handler::<f64>);
    };
    (@symbol $name:literal, $handler:ident, F32) => {
        endpoints!(@export $name, "f32", $handler);
    };
    (@symbol $name:literal, $handler:ident, F64) => {
        endpoints!(@export $name, "f64", $handler);
    };
    (@export $name:literal, $scalar:literal, $handler:expr) => {
        #[cfg(feature = "symbols")]
        const _: () = {
            // SAFETY: no other symbol has a slash in its name.
            #[unsafe(export_name = concat!($name, "/", $scalar))]
            extern "Rust" fn endpoint(call: &mut $crate::Call<'_>) -> bool {
                $handler(call).is_ok()
            }
        };
    };
}

mod ad;
mod application;
mod attention;
mod blas;
mod composite;
mod convolution;
mod descent;
mod factor;
mod hessian;
mod incomplete_cholesky;
mod krylov;
mod link;
mod linop;
mod loss;
mod mpc;
mod nn;
mod optim;
mod pde;
mod prox;
mod qp;
mod quant;
mod quant_cell;
mod quasi_newton;
mod random;
mod real;
mod risk;
mod schedule;
mod sort;
mod spectrum;
mod sqp;
mod stability;
mod transport;

/// Every family's table. The first is in every part.
const FAMILIES: &[&[&[Endpoint]]] = &here([
    link::ENDPOINTS,
    blas::ENDPOINTS,
    real::ENDPOINTS,
    composite::ENDPOINTS,
    random::ENDPOINTS,
    factor::ENDPOINTS,
    quant::ENDPOINTS,
    quant_cell::ENDPOINTS,
    attention::ENDPOINTS,
    convolution::ENDPOINTS,
    loss::ENDPOINTS,
    optim::ENDPOINTS,
    mpc::ENDPOINTS,
    sort::ENDPOINTS,
    linop::ENDPOINTS,
    descent::ENDPOINTS,
    prox::ENDPOINTS,
    quasi_newton::ENDPOINTS,
    incomplete_cholesky::ENDPOINTS,
    krylov::ENDPOINTS,
    hessian::ENDPOINTS,
    schedule::ENDPOINTS,
    stability::ENDPOINTS,
    spectrum::ENDPOINTS,
    application::ENDPOINTS,
    pde::ENDPOINTS,
    risk::ENDPOINTS,
    sqp::ENDPOINTS,
    ad::ENDPOINTS,
    qp::ENDPOINTS,
    transport::ENDPOINTS,
    nn::ENDPOINTS,
]);

/// The tables of this image's part; the others are empty, so that their kernels are not linked.
const fn here<const N: usize>(
    mut families: [&'static [&'static [Endpoint]]; N],
) -> [&'static [&'static [Endpoint]]; N] {
    let mut position = 1;
    while position < N {
        if !Part::HERE.holds(position, N) {
            families[position] = &[];
        }
        position += 1;
    }
    families
}

/// Which of `count` parts holds a kernel; `None` if every one does, or none.
pub fn part_of(kernel: &str, count: usize) -> Option<usize> {
    let holds = |family: &&[&[Endpoint]]| {
        family.iter().any(|entry| entry.iter().any(|endpoint| endpoint.name == kernel))
    };
    let position = FAMILIES.iter().position(holds).filter(|&position| position > 0)?;
    (0..count).find(|&index| Part { index, count }.holds(position, FAMILIES.len()))
}

/// Every endpoint, family by family.
pub fn all() -> impl Iterator<Item = &'static Endpoint> {
    FAMILIES.iter().flat_map(|family| family.iter()).flat_map(|entry| entry.iter())
}

/// The endpoint of this name and scalar.
pub fn find(name: &str, scalar: ScalarKind) -> Option<&'static Endpoint> {
    all().find(|endpoint| endpoint.name == name && endpoint.scalar == scalar)
}
