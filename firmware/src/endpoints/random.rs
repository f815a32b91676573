//! Counter-based random numbers. A seed travels as an integer and is the key's two words.

use crate::link::Value;
use crate::{Call, CallError, Scalar};
use quern_kernels::Error;
use quern_kernels::random::{self, AliasTable, Key};

endpoints! {
    "random/bits_at" in F32 => bits_at;
    "random/child" in F32 => child;
    "random/uniform_at" => uniform_at;
    "random/normal_at" => normal_at;
    "random/rademacher_at" => rademacher_at;
    "random/categorical_at" => categorical_at;
    "random/uniform" => uniform;
    "random/uniform_between" => uniform_between;
    "random/normal_pair" => normal_pair;
    "random/rademacher" => rademacher;
    "random/below" in F32 => below;
    "random/categorical" => categorical;
    "random/alias" => alias;
    "random/permutation" in F32 => permutation;
    "random/choose" in F32 => choose;
}

pub(super) fn key(call: &mut Call<'_>) -> Result<Key, CallError> {
    Ok(Key::from_seed(call.integer()?.cast_unsigned()))
}

/// An integer of 32 bits; a larger one counts as the largest.
fn word(call: &mut Call<'_>) -> Result<u32, CallError> {
    Ok(u32::try_from(call.size()?).unwrap_or(u32::MAX))
}

fn answer_indices(call: &mut Call<'_>, indices: &[u32]) -> Result<(), CallError> {
    call.answer(Value::Indices(bytemuck::cast_slice(indices)))
}

/// seed, first, n → the words of entries first to first + n − 1.
fn bits_at(call: &mut Call<'_>) -> Result<(), CallError> {
    let (key, first) = (key(call)?, call.integer()?.cast_unsigned());
    let count = call.size()?;
    let words = call.lend::<u32>(count.saturating_mul(2))?;
    call.measure(|| {
        for (pair, index) in words.as_chunks_mut::<2>().0.iter_mut().zip(0..) {
            *pair = key.bits_at(first.wrapping_add(index));
        }
    });
    answer_indices(call, words)
}

/// seed, index → the words of the child key.
fn child(call: &mut Call<'_>) -> Result<(), CallError> {
    let (key, index) = (key(call)?, word(call)?);
    let child = call.measure(|| key.child(index));
    answer_indices(call, &child.words())
}

/// What fills entries of a key's table, from an index on.
type Fill<T> = fn(Key, u64, &mut [T]);

/// seed, first, n → entries first to first + n − 1.
fn fill<T: Scalar>(call: &mut Call<'_>, fill: Fill<T>) -> Result<(), CallError> {
    let (key, first) = (key(call)?, call.integer()?.cast_unsigned());
    let count = call.size()?;
    let x = call.lend::<T>(count)?;
    call.measure(|| fill(key, first, x));
    call.answer_vector(x)
}

/// seed, first, n → uniform numbers of entries first to first + n − 1.
fn uniform_at<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    fill::<T>(call, random::fill_uniform)
}

/// seed, first, n → normal numbers of entries first to first + n − 1.
fn normal_at<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    fill::<T>(call, random::fill_normal)
}

/// seed, first, n → signs of entries first to first + n − 1.
fn rademacher_at<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    fill::<T>(call, random::fill_rademacher)
}

/// weights, seed, first, n → categories of entries first to first + n − 1.
fn categorical_at<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let weights = call.vector::<T>()?;
    let (key, first) = (key(call)?, call.integer()?.cast_unsigned());
    let count = call.size()?;
    let sums = call.lend::<T>(weights.len())?;
    let drawn = call.lend::<u32>(count)?;
    call.measure(|| {
        random::cumulative_weights(weights, sums)?;
        for (drawn, index) in drawn.iter_mut().zip(0..) {
            *drawn = random::categorical_at(key, first.wrapping_add(index), sums)? as u32;
        }
        Ok::<(), Error>(())
    })?;
    answer_indices(call, drawn)
}

/// seed, n → n uniform numbers of the stream.
fn uniform<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (key, count) = (key(call)?, call.size()?);
    let x = call.lend::<T>(count)?;
    call.measure(|| {
        let mut stream = key.stream();
        x.fill_with(|| random::uniform(&mut stream));
    });
    call.answer_vector(x)
}

/// seed, low, high, n → n numbers of the stream between low and high.
fn uniform_between<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let key = key(call)?;
    let (low, high) = (call.scalar::<T>()?, call.scalar::<T>()?);
    let count = call.size()?;
    let x = call.lend::<T>(count)?;
    call.measure(|| {
        let mut stream = key.stream();
        for x in x.iter_mut() {
            *x = random::uniform_between(&mut stream, low, high)?;
        }
        Ok::<(), Error>(())
    })?;
    call.answer_vector(x)
}

/// seed, n → n pairs of normal numbers of the stream.
fn normal_pair<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (key, count) = (key(call)?, call.size()?);
    let x = call.lend::<T>(count.saturating_mul(2))?;
    call.measure(|| {
        let mut stream = key.stream();
        for [x, y] in x.as_chunks_mut::<2>().0 {
            (*x, *y) = random::normal_pair(&mut stream);
        }
    });
    call.answer_vector(x)
}

/// seed, n → n signs of the stream.
fn rademacher<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (key, count) = (key(call)?, call.size()?);
    let x = call.lend::<T>(count)?;
    call.measure(|| {
        let mut stream = key.stream();
        x.fill_with(|| random::rademacher(&mut stream));
    });
    call.answer_vector(x)
}

/// seed, bound, n → n integers below bound.
fn below(call: &mut Call<'_>) -> Result<(), CallError> {
    let (key, bound) = (key(call)?, word(call)?);
    let count = call.size()?;
    let drawn = call.lend::<u32>(count)?;
    call.measure(|| {
        let mut stream = key.stream();
        for drawn in drawn.iter_mut() {
            *drawn = random::below(&mut stream, bound)?;
        }
        Ok::<(), Error>(())
    })?;
    answer_indices(call, drawn)
}

/// weights, seed, n → n categories of the stream, by running sums.
fn categorical<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let weights = call.vector::<T>()?;
    let (key, count) = (key(call)?, call.size()?);
    let sums = call.lend::<T>(weights.len())?;
    let drawn = call.lend::<u32>(count)?;
    call.measure(|| {
        random::cumulative_weights(weights, sums)?;
        let mut stream = key.stream();
        for drawn in drawn.iter_mut() {
            *drawn = random::categorical(&mut stream, sums)? as u32;
        }
        Ok::<(), Error>(())
    })?;
    answer_indices(call, drawn)
}

/// weights, seed, n → n categories of the stream, by an alias table.
fn alias<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let weights = call.vector::<T>()?;
    let (key, count) = (key(call)?, call.size()?);
    let share = call.lend::<T>(weights.len())?;
    let alias = call.lend::<u32>(weights.len())?;
    let queue = call.lend::<u32>(weights.len())?;
    let drawn = call.lend::<u32>(count)?;
    call.measure(|| {
        let table = AliasTable::build(weights, share, alias, queue)?;
        let mut stream = key.stream();
        for drawn in drawn.iter_mut() {
            *drawn = table.draw(&mut stream)? as u32;
        }
        Ok::<(), Error>(())
    })?;
    answer_indices(call, drawn)
}

/// seed, n → a permutation of 0 to n − 1.
fn permutation(call: &mut Call<'_>) -> Result<(), CallError> {
    let (key, count) = (key(call)?, call.size()?);
    let indices = call.lend::<u32>(count)?;
    call.measure(|| random::permutation(&mut key.stream(), indices))?;
    answer_indices(call, indices)
}

/// seed, n, k → k of the indices below n, rising.
fn choose(call: &mut Call<'_>) -> Result<(), CallError> {
    let (key, n) = (key(call)?, word(call)?);
    let count = call.size()?;
    let indices = call.lend::<u32>(count)?;
    call.measure(|| random::choose(&mut key.stream(), n, indices))?;
    answer_indices(call, indices)
}
