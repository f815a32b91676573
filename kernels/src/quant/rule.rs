/// Which of the two recipes of the reference package a quantizer follows. They differ in the last place of a
/// scale or a border, and so in few codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Rule {
    /// That of the package's kernel for graphics cards.
    #[default]
    Kernel,
    /// That of the package on a processor.
    Processor,
}
