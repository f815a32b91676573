use core::hint::black_box;
use core::sync::atomic::{Ordering, compiler_fence};

use bytemuck::Pod;
use quern_kernels::Error;

use crate::link::Value;
use crate::{Arena, Scalar};

/// Measures how long a kernel takes, in a unit the place defines (instructions in an emulator, cycles on silicon).
pub trait Clock {
    /// Starts at zero, then lets `delay` short, equal pauses pass: the host varies it to resolve a coarse clock.
    fn start(&mut self, delay: u32);
    /// Units since [`start`](Self::start).
    fn elapsed(&mut self) -> u64;
}

/// A place without a clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoClock;

impl Clock for NoClock {
    fn start(&mut self, _delay: u32) {}
    fn elapsed(&mut self) -> u64 {
        0
    }
}

/// Why a call gave no answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CallError {
    /// The kernel refused its input.
    Kernel(Error),
    /// An argument is missing or of another type.
    Argument {
        /// Position among the arguments, from 0.
        position: u32,
        /// What was expected there.
        expected: &'static str,
    },
    /// The answer does not fit into the reply buffer of this many bytes.
    AnswerTooLong(u32),
    /// No endpoint of this name and scalar, or no instance of this name.
    Unknown,
    /// The request is not well formed.
    Malformed,
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self::Kernel(error)
    }
}

/// One call of a kernel: its arguments, the memory lent to it, and its answer.
///
/// An endpoint takes its arguments in order, runs the kernel under [`measure`](Self::measure), and answers with
/// values in order.
pub struct Call<'a> {
    arguments: &'a [u8],
    position: u32,
    arena: Arena<'a>,
    answer: &'a mut [u8],
    answered: usize,
    clock: &'a mut dyn Clock,
    delay: u32,
    elapsed: u64,
}

impl<'a> Call<'a> {
    /// A call with encoded `arguments`, `memory` to lend, and room for the `answer`.
    pub fn new(
        arguments: &'a [u8],
        memory: &'a mut [u64],
        answer: &'a mut [u8],
        clock: &'a mut dyn Clock,
        delay: u32,
    ) -> Self {
        let arena = Arena::new(memory);
        Self { arguments, position: 0, arena, answer, answered: 0, clock, delay, elapsed: 0 }
    }

    #[inline(never)]
    fn next(&mut self, expected: &'static str) -> Result<Value<'a>, CallError> {
        let (value, rest) = postcard::take_from_bytes(self.arguments).map_err(|_| self.mismatch(expected))?;
        self.arguments = rest;
        self.position += 1;
        Ok(value)
    }

    fn mismatch(&self, expected: &'static str) -> CallError {
        CallError::Argument { position: self.position, expected }
    }

    #[inline(never)]
    fn entries<T: Pod>(&mut self, bytes: &[u8], expected: &'static str) -> Result<&'a mut [T], CallError> {
        if !bytes.len().is_multiple_of(size_of::<T>()) {
            return Err(self.mismatch(expected));
        }
        let entries = self.arena.lend::<T>(bytes.len() / size_of::<T>())?;
        // Both ends of the wire are little-endian.
        bytemuck::cast_slice_mut::<T, u8>(entries).copy_from_slice(bytes);
        Ok(entries)
    }

    /// The next argument, a vector, copied into lent memory.
    ///
    /// # Errors
    /// [`CallError::Argument`] if it is of another type; [`Error::Capacity`] if it does not fit.
    #[inline(never)]
    pub fn vector<T: Scalar>(&mut self) -> Result<&'a mut [T], CallError> {
        let value = self.next(T::VECTOR)?;
        let bytes = T::bytes_of(&value).ok_or(self.mismatch(T::VECTOR))?;
        self.entries(bytes, T::VECTOR)
    }

    /// The next argument, a vector of exactly `N` entries.
    ///
    /// # Errors
    /// As [`vector`](Self::vector), and [`Error::Dimension`] for another length.
    pub fn array<T: Scalar, const N: usize>(&mut self) -> Result<&'a mut [T; N], CallError> {
        let entries = self.vector::<T>()?;
        let found = entries.len();
        entries
            .try_into()
            .map_err(|_| CallError::Kernel(Error::Dimension { what: "argument", expected: N, found }))
    }

    /// The next argument, indices, copied into lent memory.
    ///
    /// # Errors
    /// As [`vector`](Self::vector).
    #[inline(never)]
    pub fn indices(&mut self) -> Result<&'a mut [u32], CallError> {
        match self.next("indices")? {
            Value::Indices(bytes) => self.entries(bytes, "indices"),
            _ => Err(self.mismatch("indices")),
        }
    }

    /// The next argument, bytes, where they lie.
    ///
    /// # Errors
    /// [`CallError::Argument`] if it is of another type.
    #[inline(never)]
    pub fn bytes(&mut self) -> Result<&'a [u8], CallError> {
        match self.next("bytes")? {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.mismatch("bytes")),
        }
    }

    /// The next argument, a number.
    ///
    /// # Errors
    /// [`CallError::Argument`] if it is of another type.
    #[inline(never)]
    pub fn scalar<T: Scalar>(&mut self) -> Result<T, CallError> {
        let value = self.next("scalar")?;
        T::from_value(&value).ok_or(self.mismatch("scalar"))
    }

    /// The next argument, an integer.
    ///
    /// # Errors
    /// [`CallError::Argument`] if it is of another type.
    #[inline(never)]
    pub fn integer(&mut self) -> Result<i64, CallError> {
        match self.next("integer")? {
            Value::Integer(integer) => Ok(integer),
            _ => Err(self.mismatch("integer")),
        }
    }

    /// The next argument, a size: an integer that is not negative and fits the target's `usize`.
    ///
    /// # Errors
    /// [`CallError::Argument`] if it is not.
    pub fn size(&mut self) -> Result<usize, CallError> {
        let integer = self.integer()?;
        usize::try_from(integer).map_err(|_| self.mismatch("size"))
    }

    /// Lends `length` zeroed entries.
    ///
    /// # Errors
    /// [`Error::Capacity`] if they do not fit.
    pub fn lend<T: Pod>(&mut self, length: usize) -> Result<&'a mut [T], CallError> {
        Ok(self.arena.lend(length)?)
    }

    /// Runs the kernel between two readings of the clock. The last measurement of a call counts.
    pub fn measure<R>(&mut self, kernel: impl FnOnce() -> R) -> R {
        self.clock.start(self.delay);
        compiler_fence(Ordering::SeqCst);
        let result = black_box(opaque(kernel));
        compiler_fence(Ordering::SeqCst);
        self.elapsed = self.clock.elapsed();
        result
    }

    /// Runs a part of an instance and returns what it took as well. An instance is measured as a whole by the server:
    /// [`measure`](Self::measure) is not for it.
    pub fn stopwatch<R>(&mut self, part: impl FnOnce() -> R) -> (R, u64) {
        let before = self.clock.elapsed();
        compiler_fence(Ordering::SeqCst);
        let result = black_box(opaque(part));
        compiler_fence(Ordering::SeqCst);
        (result, self.clock.elapsed().wrapping_sub(before))
    }

    /// Measures a whole instance.
    pub(crate) fn whole<R>(&mut self, instance: impl FnOnce(&mut Self) -> R) -> R {
        self.clock.start(self.delay);
        let result = instance(self);
        self.elapsed = self.clock.elapsed();
        result
    }

    /// Appends a value to the answer.
    ///
    /// # Errors
    /// [`CallError::AnswerTooLong`] if it does not fit.
    #[inline(never)]
    pub fn answer(&mut self, value: Value<'_>) -> Result<(), CallError> {
        let capacity = self.answer.len() as u32;
        let free = self.answer.get_mut(self.answered..).unwrap_or_default();
        let written = postcard::to_slice(&value, free).map_err(|_| CallError::AnswerTooLong(capacity))?;
        self.answered += written.len();
        Ok(())
    }

    /// Appends a vector to the answer.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub fn answer_vector<T: Scalar>(&mut self, entries: &[T]) -> Result<(), CallError> {
        self.answer(T::vector_value(entries))
    }

    /// Appends a number to the answer.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub fn answer_scalar<T: Scalar>(&mut self, number: T) -> Result<(), CallError> {
        self.answer(number.value())
    }

    /// Appends a size to the answer.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub fn answer_size(&mut self, size: usize) -> Result<(), CallError> {
        self.answer(Value::Integer(size as i64))
    }

    /// Bytes of answer written so far.
    pub fn answered(&self) -> usize {
        self.answered
    }

    /// Units the last measured kernel took.
    pub fn elapsed(&self) -> u64 {
        self.elapsed
    }

    /// Bytes of memory lent so far, arguments included.
    pub fn lent_bytes(&self) -> usize {
        self.arena.lent_bytes()
    }
}

/// Keeps the kernel on its own side of the clock readings.
#[inline(never)]
fn opaque<R>(kernel: impl FnOnce() -> R) -> R {
    kernel()
}
