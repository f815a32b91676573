//! The host side of Quern: experiments at full scale, and the boards.

pub mod experiments;
pub mod place;
pub mod specifications;
pub mod strategies;
