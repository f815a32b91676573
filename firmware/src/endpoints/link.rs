//! The wire itself: what every call costs before a kernel runs.

use crate::{Call, CallError, Scalar};

endpoints! {
    "link/echo" => echo;
}

/// x → x. What is measured is nothing.
fn echo<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    call.measure(|| ());
    call.answer_vector(x)
}
