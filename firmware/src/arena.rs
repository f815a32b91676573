use bytemuck::Pod;
use quern_kernels::Error;

/// Lends slices out of one block of memory, front to back; all are given back together, when the block is.
pub struct Arena<'a> {
    free: &'a mut [u64],
    lent_words: usize,
}

impl<'a> Arena<'a> {
    /// An arena over `memory`.
    pub fn new(memory: &'a mut [u64]) -> Self {
        Self { free: memory, lent_words: 0 }
    }

    /// Lends `length` zeroed entries. Each loan is rounded up to whole words of eight bytes.
    ///
    /// # Errors
    /// [`Error::Capacity`], with lengths in entries.
    pub fn lend<T: Pod>(&mut self, length: usize) -> Result<&'a mut [T], Error> {
        let shortage = |free: &[u64]| Error::Capacity {
            what: "memory",
            required: length,
            available: size_of_val(free) / size_of::<T>().max(1),
        };
        let words = length.checked_mul(size_of::<T>()).ok_or_else(|| shortage(self.free))?.div_ceil(8);
        if words > self.free.len() {
            return Err(shortage(self.free));
        }
        let (loan, free) = core::mem::take(&mut self.free).split_at_mut(words);
        self.free = free;
        self.lent_words += words;
        loan.fill(0);
        bytemuck::try_cast_slice_mut(loan)
            .ok()
            .and_then(|entries| entries.get_mut(..length))
            .ok_or(Error::Capacity { what: "memory", required: length, available: 0 })
    }

    /// Bytes lent so far.
    pub fn lent_bytes(&self) -> usize {
        self.lent_words * 8
    }
}
