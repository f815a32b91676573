//! Which part of the endpoints and instances an image holds: all of them, unless flash is too small for that.

/// A part of a list: `count` parts of about the same length, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which one, from 0.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

impl Part {
    /// All of it.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// What this program was built with: all, unless `QUERN_PART` said otherwise (`0/3` is the first of three parts).
    pub const HERE: Self = match option_env!("QUERN_PART") {
        None => Self::WHOLE,
        Some(text) => Self::parse(text),
    };

    const fn parse(text: &str) -> Self {
        match *text.as_bytes() {
            [index @ b'0'..=b'9', b'/', count @ b'1'..=b'9'] if index < count => {
                Self { index: (index - b'0') as usize, count: (count - b'0') as usize }
            }
            _ => panic!("QUERN_PART: expected a part of a count, such as 0/3"),
        }
    }

    /// Whether it holds entry `position` of a list of `length`.
    pub const fn holds(self, position: usize, length: usize) -> bool {
        position * self.count / length == self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_in_one_part_and_parts_keep_the_order() {
        for length in 1..40 {
            for count in 1..=9 {
                let parts: std::vec::Vec<_> = (0..length)
                    .map(|position| {
                        let mut holders =
                            (0..count).filter(|&index| Part { index, count }.holds(position, length));
                        let holder = holders.next().unwrap();
                        assert_eq!(holders.next(), None);
                        holder
                    })
                    .collect();
                assert!(parts.is_sorted(), "{parts:?}");
            }
        }
    }

    #[test]
    fn a_part_is_written_as_a_fraction() {
        assert_eq!(Part::parse("2/3"), Part { index: 2, count: 3 });
        assert_eq!(Part::HERE, Part::WHOLE);
    }
}
