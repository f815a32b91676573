use quern_kernels::Real;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    /// uᵏ.
    Power(u8),
    /// sin u.
    Sine,
    /// cos u.
    Cosine,
    /// ln(1 + u²).
    LogOnePlusSquare,
}

/// φ(axᵢ + bxⱼ + c).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Factor {
    function: Function,
    first: (u8, f64),
    second: (u8, f64),
    constant: f64,
}

/// xᵢ, variables counted from 1.
pub(super) const fn x(index: u8) -> Factor {
    Factor { function: Function::Power(1), first: (index, 1.0), second: (index, 0.0), constant: 0.0 }
}

impl Factor {
    /// The same with the part b·xⱼ.
    pub(super) const fn and(self, factor: f64, index: u8) -> Self {
        Self { second: (index, factor), ..self }
    }
    /// The same plus a constant.
    pub(super) const fn plus(self, constant: f64) -> Self {
        Self { constant, ..self }
    }
    /// The same with the first variable times a factor.
    pub(super) const fn times(self, factor: f64) -> Self {
        Self { first: (self.first.0, factor), ..self }
    }
    /// Its power.
    pub(super) const fn power(self, exponent: u8) -> Self {
        self.of(Function::Power(exponent))
    }
    /// A function of it.
    pub(super) const fn of(self, function: Function) -> Self {
        Self { function, ..self }
    }

    fn argument<T: Real>(&self, x: &[T]) -> T {
        let part = |(index, factor): (u8, f64)| {
            let x = x.get(usize::from(index).wrapping_sub(1)).copied().unwrap_or_default();
            if factor == 0.0 { T::ZERO } else { T::from_f64(factor) * x }
        };
        part(self.first) + part(self.second) + T::from_f64(self.constant)
    }

    /// φ, φ′ and φ″ there.
    fn derivatives<T: Real>(&self, x: &[T]) -> [T; 3] {
        let u = self.argument(x);
        match self.function {
            Function::Power(exponent) => {
                let k = T::from_u32(u32::from(exponent));
                let second = if exponent < 2 { T::ZERO } else { k * (k - T::ONE) * power(u, exponent - 2) };
                let first = if exponent == 0 { T::ZERO } else { k * power(u, exponent - 1) };
                [power(u, exponent), first, second]
            }
            Function::Sine => [u.sin(), u.cos(), -u.sin()],
            Function::Cosine => [u.cos(), -u.sin(), -u.cos()],
            Function::LogOnePlusSquare => {
                let s = T::ONE + u * u;
                [s.ln(), (u + u) / s, (T::ONE + T::ONE) * (T::ONE - u * u) / (s * s)]
            }
        }
    }

    /// The variables, from 0, with their factors.
    fn parts(&self) -> impl Iterator<Item = (usize, f64)> {
        let parts =
            [self.first, self.second].map(|(index, factor)| (usize::from(index).wrapping_sub(1), factor));
        parts.into_iter().filter(|(_, factor)| *factor != 0.0)
    }
}

fn power<T: Real>(u: T, exponent: u8) -> T {
    (0..exponent).fold(T::ONE, |product, _| product * u)
}

/// A coefficient times a product of factors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    /// The coefficient.
    pub(super) coefficient: f64,
    /// The factors; none for a constant.
    pub(super) factors: &'static [Factor],
}

impl Term {
    /// The product of the factors other than these two.
    fn others<T: Real>(&self, x: &[T], left_out: [usize; 2]) -> T {
        let kept = self.factors.iter().enumerate().filter(|(index, _)| !left_out.contains(index));
        kept.fold(T::from_f64(self.coefficient), |product, (_, factor)| product * factor.derivatives(x)[0])
    }
}

/// The sum of the terms.
pub(super) fn value<T: Real>(terms: &[Term], x: &[T]) -> T {
    terms.iter().fold(T::ZERO, |sum, term| sum + term.others(x, [usize::MAX; 2]))
}

/// Adds the gradient, its entries `stride` apart.
pub(super) fn add_gradient<T: Real>(terms: &[Term], x: &[T], gradient: &mut [T], stride: usize) {
    for term in terms {
        for (index, factor) in term.factors.iter().enumerate() {
            let slope = term.others(x, [index; 2]) * factor.derivatives(x)[1];
            for (variable, along) in factor.parts() {
                if let Some(entry) = gradient.get_mut(variable.wrapping_mul(stride)) {
                    *entry += slope * T::from_f64(along);
                }
            }
        }
    }
}

/// Adds `scale` times the Hessian, n×n.
pub(super) fn add_hessian<T: Real>(terms: &[Term], scale: T, x: &[T], hessian: &mut [T]) {
    for term in terms {
        for (i, left) in term.factors.iter().enumerate() {
            for (j, right) in term.factors.iter().enumerate() {
                let [_, first, second] = left.derivatives(x);
                let curvature = if i == j { second } else { first * right.derivatives(x)[1] };
                let curvature = scale * term.others(x, [i, j]) * curvature;
                for (row, along) in left.parts() {
                    for (column, across) in right.parts() {
                        let at = row.wrapping_add(column.wrapping_mul(x.len()));
                        if let Some(entry) = hessian.get_mut(at) {
                            *entry += curvature * T::from_f64(along * across);
                        }
                    }
                }
            }
        }
    }
}

/// A term: its coefficient, then its factors.
macro_rules! t {
    ($coefficient:expr $(; $($factor:expr),*)?) => {
        $crate::generators::equality_programs::term::Term { coefficient: $coefficient, factors: &[$($($factor),*)?] }
    };
}
pub(super) use t;

/// A problem: its name, start, λ₀, objective, constraints (a list of terms each), optimum and solution.
macro_rules! program {
    ($name:literal from $start:expr, min $objective:expr, st $($constraint:expr),*; optimum $optimum:expr, at $solution:expr) => {
        program!($name from $start, multiplier 0.0, min $objective, st $($constraint),*; optimum $optimum, at $solution)
    };
    (
        $name:literal from $start:expr, multiplier $multiplier:expr, min $objective:expr,
        st $($constraint:expr),*; optimum $optimum:expr, at $solution:expr
    ) => {
        $crate::generators::equality_programs::TestProgram {
            name: $name,
            start: &$start,
            initial_multiplier: $multiplier,
            objective: &$objective,
            constraints: &[$(&$constraint),*],
            optimum: $optimum,
            solution: &$solution,
        }
    };
}
pub(super) use program;
