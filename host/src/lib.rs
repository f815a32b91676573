//! The host side of Quern: experiments at full scale, and the boards.

pub mod costs;
pub mod experiments;
pub mod generate;
pub mod instances;
pub mod io;
pub mod mpc;
pub mod nlp;
pub mod parity;
pub mod place;
pub mod qp;
pub mod report;
pub mod space;
pub mod specifications;
pub mod strategies;
pub mod training;
