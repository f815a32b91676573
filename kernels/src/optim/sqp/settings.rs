use super::ExactAugmentedLagrangian;
use super::iterate::check_positive;
use crate::krylov::Sketch;
use crate::{Error, Real};

/// How Newton's system Γz = b is solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Directions {
    /// By random projections, until the residual is small enough for descent.
    Sketched(Sketch),
    /// By Householder QR: Γ is indefinite, and the LDLᵀ without pivoting of this crate is not for such matrices.
    Direct,
}

/// How small a residual ‖r‖ of Newton's system is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Accuracy {
    /// ‖Γ‖Ψ‖r‖ ≤ θₖδ‖b‖ with the bound Ψ on ‖Γ⁻¹‖ and the adaptive δ of the theory, which ensures descent once η₂ is
    /// small enough; of the order of 10⁻⁹ relative, for `f64` only.
    Guaranteed,
    /// ‖r‖ ≤ max(θₖκ‖b‖, 8u‖Γ‖‖z‖) with an adaptive κ; u the distance from 1 to the next number. η₁ ≤ 10⁴, η₂ ≥ 10⁻⁴, and
    /// the line search excuses what rounding explains.
    Practical,
}

/// What a [`SketchedSqp`] goes by. All norms of matrices are Frobenius'.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SketchedSqpSettings<T> {
    /// How accurate directions are.
    pub accuracy: Accuracy,
    /// The accuracy's factor: δ of [`Accuracy::Guaranteed`], κ of [`Accuracy::Practical`], at the start.
    pub initial_accuracy: T,
    /// θ in θₖ = θᵏ, at most 1: 1 for a linear rate of the iteration, less for a superlinear one.
    pub forcing_decay: T,
    /// The merit function's penalties at the start.
    pub penalties: ExactAugmentedLagrangian<T>,
    /// ν > 1: at each direction that does not descend, η₁ ← ν²η₁, η₂ ← η₂/ν, and δ or κ is divided by ν⁴.
    pub penalty_growth: T,
    /// β in (0, ½) of the line search.
    pub sufficient_decrease: T,
    /// ξ_B: what a modified Hessian adds to ‖W‖.
    pub curvature_margin: T,
    /// W is modified where the smallest eigenvalue of ZᵀWZ is not above this.
    pub curvature_threshold: T,
    /// The Jacobian counts as singular where λ_min(GGᵀ) is below this.
    pub rank_threshold: T,
    /// ‖(∇ₓL; c)‖₂ asked for.
    pub tolerance: T,
    /// Steps.
    pub max_iterations: usize,
    /// Projections before a direction is tested for descent; one that fails is refined by as many at most.
    pub max_projections: usize,
}

impl<T: Real> SketchedSqpSettings<T> {
    /// The constants of the source for an accuracy: η₁ = 1, η₂ = 0.1, ν = 1.5, β = δ = κ = ξ_B = 0.1, thresholds 10⁻⁶ of
    /// curvature and 10⁻² of rank, θ = 1, tolerance 10⁻⁴ (10⁻³ in practice), 10⁴ steps of at most 10⁵ projections.
    pub fn new(accuracy: Accuracy) -> Self {
        let tenth = T::from_f64(0.1);
        Self {
            accuracy,
            initial_accuracy: tenth,
            forcing_decay: T::ONE,
            penalties: ExactAugmentedLagrangian { constraint_penalty: T::ONE, gradient_penalty: tenth },
            penalty_growth: T::from_f64(1.5),
            sufficient_decrease: tenth,
            curvature_margin: tenth,
            curvature_threshold: T::from_f64(1e-6),
            rank_threshold: T::from_f64(1e-2),
            tolerance: T::from_f64(if accuracy == Accuracy::Guaranteed { 1e-4 } else { 1e-3 }),
            max_iterations: 10_000,
            max_projections: 100_000,
        }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        check_positive("initial_accuracy", self.initial_accuracy)?;
        check_positive("forcing_decay", self.forcing_decay)?;
        check_positive("constraint_penalty", self.penalties.constraint_penalty)?;
        check_positive("gradient_penalty", self.penalties.gradient_penalty)?;
        check_positive("curvature_margin", self.curvature_margin)?;
        check_positive("curvature_threshold", self.curvature_threshold)?;
        check_positive("rank_threshold", self.rank_threshold)?;
        check_positive("tolerance", self.tolerance)?;
        check_positive("sufficient_decrease", self.sufficient_decrease)?;
        if self.forcing_decay > T::ONE {
            return Err(Error::Setting { name: "forcing_decay", expected: "at most 1" });
        }
        if !(self.penalty_growth > T::ONE && self.penalty_growth <= T::from_f64(1e3)) {
            return Err(Error::Setting { name: "penalty_growth", expected: "above 1 and at most 1000" });
        }
        if self.sufficient_decrease >= T::from_f64(0.5) {
            return Err(Error::Setting {
                name: "sufficient_decrease",
                expected: "a number between 0 and 1/2",
            });
        }
        Ok(())
    }

    /// η₁ above which, and η₂ below which, a direction is taken as it is.
    pub(super) fn limits(&self) -> (T, T) {
        let (most, least) = match self.accuracy {
            Accuracy::Guaranteed => (1e8, 1e-8),
            Accuracy::Practical => (1e4, 1e-4),
        };
        (T::from_f64(most), T::from_f64(least))
    }
}
