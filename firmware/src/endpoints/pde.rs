//! Discrete partial differential equations.

use crate::{Call, CallError, Scalar};
use quern_kernels::check_length;
use quern_kernels::linop::LinearOperator;
use quern_kernels::pde::{Poisson5, Poisson7};

endpoints! {
    "pde/poisson5" => poisson5;
    "pde/poisson7" => poisson7;
}

/// nₓ, n_y, solid cells, x → Ax, x without the solid cells' entries, the lower triangle by compressed rows.
fn poisson5<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let cells = [call.size()?, call.size()?];
    let operator = Poisson5::<T>::new(cells, call.bytes()?)?;
    let x = call.vector::<T>()?;
    let y = apply(call, &operator, x)?;
    operator.zero_solid(x);
    let pointers = call.lend(x.len() + 1)?;
    let (indices, values) = (call.lend(3 * x.len())?, call.lend::<T>(3 * x.len())?);
    let stored = operator.lower_triangle(pointers, indices, values)?;
    answer(call, &[y, x], pointers, indices.get(..stored), values.get(..stored))
}

/// nₓ, n_y, n_z, solid cells, x → as `poisson5`.
fn poisson7<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let cells = [call.size()?, call.size()?, call.size()?];
    let operator = Poisson7::<T>::new(cells, call.bytes()?)?;
    let x = call.vector::<T>()?;
    let y = apply(call, &operator, x)?;
    operator.zero_solid(x);
    let pointers = call.lend(x.len() + 1)?;
    let (indices, values) = (call.lend(4 * x.len())?, call.lend::<T>(4 * x.len())?);
    let stored = operator.lower_triangle(pointers, indices, values)?;
    answer(call, &[y, x], pointers, indices.get(..stored), values.get(..stored))
}

fn apply<'a, T: Scalar>(
    call: &mut Call<'a>,
    operator: &impl LinearOperator<T>,
    x: &[T],
) -> Result<&'a mut [T], CallError> {
    check_length("x", x.len(), operator.columns())?;
    let y = call.lend(operator.rows())?;
    call.measure(|| operator.apply(x, y));
    Ok(y)
}

fn answer<T: Scalar>(
    call: &mut Call<'_>,
    vectors: &[&mut [T]],
    pointers: &[u32],
    indices: Option<&[u32]>,
    values: Option<&[T]>,
) -> Result<(), CallError> {
    for vector in vectors {
        call.answer_vector(vector)?;
    }
    for numbers in [pointers, indices.unwrap_or_default()] {
        call.answer(crate::link::Value::Indices(bytemuck::cast_slice(numbers)))?;
    }
    call.answer_vector(values.unwrap_or_default())
}
