//! Small problems under equality constraints with known optima, by name.

mod boggs_tolle;
mod hock_schittkowski;
mod term;

use term::Term;

use quern_kernels::Real;
use quern_kernels::optim::sqp::EqualityProgram;

/// A problem min f(x) subject to c(x) = 0 with its start and its known optimum.
///
/// f and each entry of c are sums of [`Term`]s, so that values, gradients and Hessians are exact but for rounding, and of
/// one text. Cost of an evaluation: O(n²) for each term. Source: W. Hock, K. Schittkowski, Test Examples for Nonlinear
/// Programming Codes (1981); P. T. Boggs, J. W. Tolle, A Strategy for Global Convergence in a Sequential Quadratic
/// Programming Algorithm, SIAM J. Numer. Anal. 26 (1989); N. I. M. Gould, D. Orban, P. L. Toint, CUTEst (2015).
///
/// ```
/// use quern_firmware::generators::TestProgram;
/// use quern_kernels::optim::sqp::EqualityProgram;
/// let problem = TestProgram::find("HS28").unwrap();
/// let mut constraints = [0.0_f64];
/// assert_eq!(problem.values(&[0.5, -0.5, 0.5], &mut constraints), 0.0);
/// assert_eq!(constraints, [0.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TestProgram {
    /// As CUTEst has it.
    pub name: &'static str,
    /// x₀, whose length is n.
    pub start: &'static [f64],
    /// Every entry of λ₀.
    pub initial_multiplier: f64,
    /// f.
    objective: &'static [Term],
    /// c, whose length is m.
    constraints: &'static [&'static [Term]],
    /// f at the solution.
    pub optimum: f64,
    /// x*, to seven digits or so; empty where only f is known.
    pub solution: &'static [f64],
}

/// All problems.
pub const TEST_PROGRAMS: &[TestProgram] = &{
    let (first, second) = (hock_schittkowski::PROGRAMS, boggs_tolle::PROGRAMS);
    let mut all = [first[0]; hock_schittkowski::PROGRAMS.len() + boggs_tolle::PROGRAMS.len()];
    let mut index = 0;
    while index < all.len() {
        all[index] = if index < first.len() { first[index] } else { second[index - first.len()] };
        index += 1;
    }
    all
};

impl TestProgram {
    /// The problem of this name, in capitals or not.
    pub fn find(name: &str) -> Option<&'static Self> {
        TEST_PROGRAMS.iter().find(|program| program.name.eq_ignore_ascii_case(name))
    }
}

impl<T: Real> EqualityProgram<T> for TestProgram {
    fn variables(&self) -> usize {
        self.start.len()
    }

    fn constraints(&self) -> usize {
        self.constraints.len()
    }

    fn values(&self, x: &[T], constraints: &mut [T]) -> T {
        for (c, terms) in constraints.iter_mut().zip(self.constraints) {
            *c = term::value(terms, x);
        }
        term::value(self.objective, x)
    }

    fn derivatives(&self, x: &[T], gradient: &mut [T], jacobian: &mut [T]) {
        gradient.fill(T::ZERO);
        jacobian.fill(T::ZERO);
        term::add_gradient(self.objective, x, gradient, 1);
        for (index, terms) in self.constraints.iter().enumerate() {
            let row = jacobian.get_mut(index..).unwrap_or_default();
            term::add_gradient(terms, x, row, self.constraints.len());
        }
    }

    fn lagrangian_hessian(&self, x: &[T], multipliers: &[T], hessian: &mut [T]) {
        hessian.fill(T::ZERO);
        term::add_hessian(self.objective, T::ONE, x, hessian);
        for (terms, &multiplier) in self.constraints.iter().zip(multipliers) {
            term::add_hessian(terms, multiplier, x, hessian);
        }
    }
}
