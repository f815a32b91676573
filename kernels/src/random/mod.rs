//! Counter-based random numbers and distributions.
//!
//! A [`Key`] stands for an endless table of random bits: entry i is a pure function of key and i, on every
//! target the same, so that parallel and restarted computations see the same numbers without passing state
//! around. Keys split into independent keys, one a purpose: `key.child(0)` for the data, `key.child(1)` for
//! the noise.
//!
//! - By index, without state: [`uniform_at`], [`normal_at`], [`rademacher_at`], [`categorical_at`] and their
//!   `fill_…`. One entry of the table gives a number of every distribution; who needs two of them at once
//!   takes two keys.
//! - By order, where the number of draws depends on what is drawn: a [`Stream`] of the key, or any other
//!   generator that implements `rand_core`'s traits, handed to [`uniform`], [`normal_pair`], [`rademacher`],
//!   [`below`], [`categorical`], [`shuffle`], [`permutation`], [`choose`]. A [`Script`] plays back prepared
//!   words in exact tests.
//!
//! `f32` and `f64` numbers come from the same bits: a uniform `f32` is the `f64` cut off, a normal one
//! differs by rounding, so that both precisions simulate the same event. Only 32-bit integer operations are
//! used.

mod alias;
mod categorical;
mod choose;
mod index;
mod key;
mod normal;
mod rademacher;
mod script;
mod shuffle;
mod stream;
mod threefry;
mod uniform;

pub use alias::AliasTable;
pub use categorical::{categorical, categorical_at, cumulative_weights};
pub use choose::choose;
pub use index::below;
pub use key::Key;
pub use normal::{fill_normal, normal_at, normal_pair};
pub use rademacher::{fill_rademacher, rademacher, rademacher_at};
pub use script::Script;
pub use shuffle::{permutation, shuffle};
pub use stream::Stream;
pub use threefry::threefry2x32;
pub use uniform::{fill_uniform, uniform, uniform_at, uniform_between};
