//! The host side of Quern: experiments at full scale, and the boards.

pub mod io;
pub mod place;
pub mod space;
pub mod strategies;
