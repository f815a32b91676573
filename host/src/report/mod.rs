//! A run's folder: findings as JSON, tables as CSV, plots as SVG and PNG, and one page that shows them all.

mod axis;
mod figure;
mod folder;
mod page;
mod record;
mod words;

pub use folder::{Folder, files};
pub use record::{Agreement, Digest, Record};
pub use words::short;
