/// The cells that a layer's channels live on: a rectangle or a box, its first dimension contiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Extent {
    /// Width and height; cell (i, j) stands at `i + j * width`.
    Plane([usize; 2]),
    /// Width, height and depth; cell (i, j, k) stands at `i + width * (j + k * height)`.
    Volume([usize; 3]),
}

impl Extent {
    /// Number of cells; the largest number there is if they are too many to count.
    ///
    /// ```
    /// assert_eq!(quern_kernels::nn::Extent::Plane([4, 3]).cells(), 12);
    /// ```
    pub fn cells(self) -> usize {
        let [width, height, depth] = self.sides();
        width.saturating_mul(height).saturating_mul(depth)
    }

    /// Weights of a convolution for each pair of channels: 3² or 3³.
    pub fn taps(self) -> usize {
        match self {
            Self::Plane(_) => 9,
            Self::Volume(_) => 27,
        }
    }

    /// Cells that [`average_pool2`](super::average_pool2) makes one of: 2² or 2³.
    pub fn pooled(self) -> usize {
        match self {
            Self::Plane(_) => 4,
            Self::Volume(_) => 8,
        }
    }

    /// The extent of half the sides; none if a side is odd.
    ///
    /// ```
    /// use quern_kernels::nn::Extent;
    /// assert_eq!(Extent::Plane([4, 6]).halved(), Some(Extent::Plane([2, 3])));
    /// assert_eq!(Extent::Plane([4, 5]).halved(), None);
    /// ```
    pub fn halved(self) -> Option<Self> {
        let half = |side: usize| side / 2;
        let even = match self {
            Self::Plane(sides) => sides.iter().all(|side| side.is_multiple_of(2)),
            Self::Volume(sides) => sides.iter().all(|side| side.is_multiple_of(2)),
        };
        even.then_some(match self {
            Self::Plane(sides) => Self::Plane(sides.map(half)),
            Self::Volume(sides) => Self::Volume(sides.map(half)),
        })
    }

    /// Width, height, depth; the depth of a plane is 1.
    pub(super) fn sides(self) -> [usize; 3] {
        match self {
            Self::Plane([width, height]) => [width, height, 1],
            Self::Volume(sides) => sides,
        }
    }

    /// Layers of a convolution's window in depth.
    pub(super) fn layers(self) -> usize {
        match self {
            Self::Plane(_) => 1,
            Self::Volume(_) => 3,
        }
    }
}
