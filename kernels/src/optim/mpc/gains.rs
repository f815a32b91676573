use super::check_finite;
use super::{LinearQuadratic, Set, Target};
use crate::factor::Cholesky;
use crate::linop::Adjoint;
use crate::optim::is_size;
use crate::{Error, Real, check_length};

/// The penalties ρ of the splitting, above zero: how strongly the copy of a variable that obeys the
/// constraints pulls on the one that obeys the dynamics. They steer the speed, not the solution.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Penalties<T> {
    /// On states: small where their constraints are seldom active.
    pub states: T,
    /// On inputs: of the size of their curvature in the cost.
    pub inputs: T,
}

/// What the solver needs that depends on the plant, the weights and the penalties alone: the factorization of
/// its linear system.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gains<'a, T, const N: usize, const M: usize> {
    /// The penalties they were made with.
    pub penalties: Penalties<T>,
    /// K of M×N by columns, one for each input planned.
    pub feedback: &'a [[[T; M]; N]],
    /// (R̃ + BᵀPB)⁻¹ of M×M, as many.
    pub inverse: &'a [[[T; M]; M]],
}

impl<'a, T: Real, const N: usize, const M: usize> Gains<'a, T, N, M> {
    /// Kₖ = (R̃ + BᵀPₖ₊₁B)⁻¹BᵀPₖ₊₁A, Pₖ = Q̃ + AᵀPₖ₊₁(A − BKₖ), backwards from P_H = P + ρₓI·(1 + sₓ), where Q̃ = Q
    /// + ρₓ(1 + sₓ)I, R̃ = R + ρᵤ(1 + sᵤ)I, and sₓ, sᵤ are the numbers of sets on states and on inputs.
    ///
    /// Shapes: `feedback` and `inverse`, which are overwritten, of H entries. Cost: 2N + M products with Aᵀ and about 4N²M + 2NM² + M³
    /// flops a stage; the lent gains, and 2N² + 2NM + 2M² scalars of stack. Source: K. Nguyen, S. Schoedel,
    /// A. Alavilli, B. Plancher, Z. Manchester, TinyMPC: model-predictive control on resource-constrained
    /// microcontrollers, equations (7) to (10); here P is the caller's, whatever the penalties, so the gains
    /// differ from stage to stage and the penalties leave the solution alone.
    ///
    /// # Errors
    /// Those of [`LinearQuadratic::validate`]; [`Error::NonFinite`]; [`Error::Setting`] for penalties that are
    /// not above zero or a horizon of zero; [`Error::NotPositiveDefinite`] if P is not positive semidefinite
    /// enough; [`Error::Breakdown`] if a gain overflows.
    pub fn factor<A: Adjoint<T>>(
        plant: &LinearQuadratic<'_, T, A, N, M>,
        terminal_cost: &[[T; N]; N],
        sets: &[Set<'_, T>],
        penalties: Penalties<T>,
        feedback: &'a mut [[[T; M]; N]],
        inverse: &'a mut [[[T; M]; M]],
    ) -> Result<Self, Error> {
        plant.validate()?;
        check_finite("terminal cost", terminal_cost.as_flattened())?;
        Gains { penalties, feedback, inverse }.validate_shape()?;
        let copies = |target| T::from_usize(sets.iter().filter(|set| set.on == target).count()) + T::ONE;
        let state_penalty = penalties.states * copies(Target::State);
        let input_penalty = penalties.inputs * copies(Target::Input);
        let state_cost = plant.state_cost.map(|weight| weight + state_penalty);
        let input_cost = plant.input_cost.map(|weight| weight + input_penalty);
        let mut cost = *terminal_cost;
        for (i, column) in cost.iter_mut().enumerate() {
            if let Some(diagonal) = column.get_mut(i) {
                *diagonal += state_penalty;
            }
        }
        let horizon = feedback.len();
        for (back, (feedback, inverse)) in feedback.iter_mut().zip(inverse.iter_mut()).rev().enumerate() {
            recur(plant, &state_cost, &input_cost, &mut cost, feedback, inverse)?;
            let gains = feedback.as_flattened().iter().chain(inverse.as_flattened());
            if !gains.chain(cost.as_flattened()).all(|entry| entry.is_finite()) {
                let index = horizon.saturating_sub(back).saturating_sub(1);
                return Err(Error::Breakdown { what: "a finite gain", index });
            }
        }
        Ok(Self { penalties, feedback, inverse })
    }

    /// # Errors
    /// Those of [`validate_shape`](Self::validate_shape); [`Error::NonFinite`].
    pub(super) fn validate(&self) -> Result<(), Error> {
        self.validate_shape()?;
        check_finite("feedback", self.feedback.as_flattened().as_flattened())?;
        check_finite("inverse", self.inverse.as_flattened().as_flattened())
    }

    /// # Errors
    /// [`Error::Setting`] for penalties that are not above zero or a horizon of zero; [`Error::Dimension`].
    fn validate_shape(&self) -> Result<(), Error> {
        if !is_size(self.penalties.states, false) || !is_size(self.penalties.inputs, false) {
            return Err(Error::Setting { name: "penalties", expected: "finite and above 0" });
        }
        if self.feedback.is_empty() {
            return Err(Error::Setting { name: "horizon", expected: "at least 1" });
        }
        check_length("inverse", self.inverse.len(), self.feedback.len())
    }
}

/// P = Q + AᵀP(A − BK), K = (R + BᵀPB)⁻¹BᵀPA: the cost-to-go of the infinite horizon without constraints, by
/// iterating the recursion from P = Q until no entry moves by more than `tolerance` times the largest.
///
/// Shapes: P of N×N, symmetric. Guarantee: the last step moved no entry further. Cost: as
/// [`Gains::factor`] a step, at most `max_iterations` of them; nothing lent. Source: B. D. O. Anderson, J. B.
/// Moore, Optimal Control: Linear Quadratic Methods, section 2.4.
///
/// # Errors
/// Those of [`LinearQuadratic::validate`]; [`Error::Setting`] for a tolerance that is not at least 0;
/// [`Error::Breakdown`] where P grows without bound or does not settle, as for a plant that the inputs cannot
/// stabilize.
///
/// ```
/// use quern_kernels::linop::FixedDense;
/// use quern_kernels::optim::mpc::{LinearQuadratic, terminal_cost};
/// let a = [[2.0]];
/// let dynamics = FixedDense::new(&a)?;
/// let plant =
///     LinearQuadratic { dynamics: &dynamics, input_matrix: &[[1.0]], state_cost: &[1.0], input_cost: &[1.0] };
/// let p: f64 = terminal_cost(&plant, 1e-14, 100)?[0][0];
/// assert!((p - (2.0 + 5.0_f64.sqrt())).abs() < 1e-12);
/// let stuck = LinearQuadratic { input_matrix: &[[0.0]], ..plant };
/// assert!(terminal_cost(&stuck, 1e-14, 100).is_err());
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn terminal_cost<T: Real, A: Adjoint<T>, const N: usize, const M: usize>(
    plant: &LinearQuadratic<'_, T, A, N, M>,
    tolerance: T,
    max_iterations: usize,
) -> Result<[[T; N]; N], Error> {
    plant.validate()?;
    if !is_size(tolerance, true) {
        return Err(Error::Setting { name: "tolerance", expected: "finite and not negative" });
    }
    let mut cost = [[T::ZERO; N]; N];
    for (i, (column, &weight)) in cost.iter_mut().zip(plant.state_cost).enumerate() {
        if let Some(diagonal) = column.get_mut(i) {
            *diagonal = weight;
        }
    }
    for index in 0..max_iterations {
        let previous = cost;
        let (mut feedback, mut inverse) = ([[T::ZERO; M]; N], [[T::ZERO; M]; M]);
        recur(plant, plant.state_cost, plant.input_cost, &mut cost, &mut feedback, &mut inverse)?;
        let (mut moved, mut largest) = (T::ZERO, T::ZERO);
        for (&entry, &previous) in cost.as_flattened().iter().zip(previous.as_flattened()) {
            if !entry.is_finite() {
                return Err(Error::Breakdown { what: "a bounded cost-to-go", index });
            }
            moved = moved.maximum((entry - previous).abs());
            largest = largest.maximum(entry.abs());
        }
        if moved <= tolerance * largest {
            return Ok(cost);
        }
    }
    Err(Error::Breakdown { what: "a cost-to-go that settles", index: max_iterations })
}

/// One step of the recursion: the gains for the cost-to-go P, and P ← that of the stage before.
fn recur<T: Real, A: Adjoint<T>, const N: usize, const M: usize>(
    plant: &LinearQuadratic<'_, T, A, N, M>,
    state_cost: &[T; N],
    input_cost: &[T; M],
    cost: &mut [[T; N]; N],
    feedback: &mut [[T; M]; N],
    inverse: &mut [[T; M]; M],
) -> Result<(), Error> {
    // (PB)ᵀ, then (AᵀPB)ᵀ: M rows of N.
    let mut coupling = [[T::ZERO; N]; M];
    for (j, row) in coupling.iter_mut().enumerate() {
        for (&b, column) in plant.input_matrix.iter().filter_map(|row| row.get(j)).zip(&*cost) {
            for (entry, &p) in row.iter_mut().zip(column) {
                *entry += p * b;
            }
        }
    }
    // R + BᵀPB.
    let mut curvature = [[T::ZERO; M]; M];
    for (i, ((column, row), &weight)) in curvature.iter_mut().zip(&coupling).zip(input_cost).enumerate() {
        if let Some(diagonal) = column.get_mut(i) {
            *diagonal = weight;
        }
        for (b, &entry) in plant.input_matrix.iter().zip(row) {
            for (sum, &b) in column.iter_mut().zip(b) {
                *sum += b * entry;
            }
        }
    }
    Cholesky::factor(M, curvature.as_flattened_mut())?.inverse(inverse.as_flattened_mut())?;
    for row in &mut coupling {
        let product = *row;
        plant.dynamics.apply_adjoint(&product, row);
    }
    // K = (R + BᵀPB)⁻¹(AᵀPB)ᵀ, column by column.
    for (i, feedback) in feedback.iter_mut().enumerate() {
        *feedback = [T::ZERO; M];
        for (inverse, &entry) in inverse.iter().zip(coupling.iter().filter_map(|row| row.get(i))) {
            for (sum, &inverse) in feedback.iter_mut().zip(inverse) {
                *sum += inverse * entry;
            }
        }
    }
    // AᵀPA: Aᵀ on every column of P, then on every row of that.
    let mut half = [[T::ZERO; N]; N];
    for (half, column) in half.iter_mut().zip(&*cost) {
        plant.dynamics.apply_adjoint(column, half);
    }
    for (i, column) in cost.iter_mut().enumerate() {
        let row: [T; N] = half.each_ref().map(|column| column.get(i).copied().unwrap_or(T::ZERO));
        plant.dynamics.apply_adjoint(&row, column);
        for (entry, feedback) in column.iter_mut().zip(&*feedback) {
            for (&k, row) in feedback.iter().zip(&coupling) {
                *entry -= k * row.get(i).copied().unwrap_or(T::ZERO);
            }
        }
        if let (Some(diagonal), Some(&weight)) = (column.get_mut(i), state_cost.get(i)) {
            *diagonal += weight;
        }
    }
    symmetrize(cost);
    Ok(())
}

/// P ← ½(P + Pᵀ): rounding must not grow into asymmetry.
fn symmetrize<T: Real, const N: usize>(matrix: &mut [[T; N]; N]) {
    let half = T::from_f64(0.5);
    let copy = *matrix;
    for (i, column) in matrix.iter_mut().enumerate() {
        for (entry, other) in column.iter_mut().zip(&copy) {
            *entry = half * (*entry + other.get(i).copied().unwrap_or(T::ZERO));
        }
    }
}
