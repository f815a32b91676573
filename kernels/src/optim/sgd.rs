use super::{Optimizer, check_step, is_decay, is_size};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;
use core::marker::PhantomData;

/// How far and how smoothly [`Sgd`] steps.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SgdSettings<T> {
    /// η > 0.
    pub learning_rate: T,
    /// μ in [0, 1); 0 for none.
    pub momentum: T,
    /// Whether the step goes on from where the velocity leads, as Nesterov's does, and not from w.
    pub nesterov: bool,
}

impl<T: Real> Default for SgdSettings<T> {
    /// η = 0.01, μ = 0.
    fn default() -> Self {
        Self { learning_rate: T::from_f64(0.01), momentum: T::ZERO, nesterov: false }
    }
}

impl<T: Real> SgdSettings<T> {
    /// # Errors
    /// [`Error::Setting`] naming a setting outside of its range.
    pub fn validate(&self) -> Result<(), Error> {
        if !is_size(self.learning_rate, false) {
            return Err(Error::Setting { name: "learning_rate", expected: "above 0" });
        }
        if !is_decay(self.momentum) {
            return Err(Error::Setting { name: "momentum", expected: "in [0, 1)" });
        }
        Ok(())
    }
}

/// Gradient descent with momentum: v ← μv + g, then w ← w − ηv (heavy ball) or w ← w − η(g + μv) (Nesterov).
///
/// Shapes: the state lent is v, as long as w; with μ = 0 it is not read and may be empty. Cost of a step: 4n
/// flops, 6n with Nesterov's momentum, 2n without momentum; n lent scalars. Source: B. T. Polyak, Some
/// methods of speeding up the convergence of iteration methods, 1964; I. Sutskever et al., On the importance
/// of initialization and momentum in deep learning, 2013, equations (3) and (4), w standing for θ + μv there.
/// Departure: the learning rate is outside of the recursion, so that changing it does not rescale v.
///
/// ```
/// use quern_kernels::optim::{Optimizer, Sgd, SgdSettings};
/// let mut sgd = Sgd::new(SgdSettings { learning_rate: 0.5, ..SgdSettings::default() }, [])?;
/// let mut w = [1.0, -2.0];
/// sgd.step(&mut w, &[2.0, -2.0])?;
/// assert_eq!(w, [0.0, -1.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sgd<T, B> {
    settings: SgdSettings<T>,
    velocity: B,
    scalar: PhantomData<T>,
}

impl<T: Real, B: BorrowMut<[T]>> Sgd<T, B> {
    /// Starts from rest on lent memory.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: SgdSettings<T>, velocity: B) -> Result<Self, Error> {
        settings.validate()?;
        let mut sgd = Self { settings, velocity, scalar: PhantomData };
        sgd.start();
        Ok(sgd)
    }

    /// Comes to rest: v ← 0.
    pub fn start(&mut self) {
        self.velocity.borrow_mut().fill(T::ZERO);
    }
}

impl<T: Real, B: BorrowMut<[T]>> Optimizer<T> for Sgd<T, B> {
    fn step(&mut self, parameters: &mut [T], gradient: &[T]) -> Result<(), Error> {
        check_step(parameters, gradient)?;
        let SgdSettings { learning_rate, momentum, nesterov } = self.settings;
        if momentum == T::ZERO {
            for (w, &g) in parameters.iter_mut().zip(gradient) {
                *w -= learning_rate * g;
            }
        } else {
            let velocity = self.velocity.borrow_mut();
            check_length("velocity", velocity.len(), parameters.len())?;
            let moving = parameters.iter_mut().zip(gradient).zip(velocity);
            if nesterov {
                for ((w, &g), v) in moving {
                    *v = momentum * *v + g;
                    *w -= learning_rate * (g + momentum * *v);
                }
            } else {
                for ((w, &g), v) in moving {
                    *v = momentum * *v + g;
                    *w -= learning_rate * *v;
                }
            }
        }
        check_finite("parameters", parameters)
    }

    fn learning_rate(&self) -> T {
        self.settings.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: T) -> Result<(), Error> {
        let settings = SgdSettings { learning_rate, ..self.settings };
        settings.validate()?;
        self.settings = settings;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn momentum_accumulates_a_constant_gradient() {
        // v = 1, 1.5, 1.75; g + μv = 1.5, 1.75, 1.875.
        for (nesterov, ends) in [(false, [-1.0, -2.5, -4.25]), (true, [-1.5, -3.25, -5.125])] {
            let mut sgd =
                Sgd::new(SgdSettings { learning_rate: 1.0, momentum: 0.5, nesterov }, [7.0]).unwrap();
            let mut w = [0.0];
            for expected in ends {
                sgd.step(&mut w, &[1.0]).unwrap();
                assert_eq!(w, [expected]);
            }
        }
    }

    #[test]
    fn misuse_is_refused() {
        for settings in
            [(0.0, 0.0), (f64::NAN, 0.0), (f64::INFINITY, 0.0), (1.0, 1.0), (1.0, -0.1), (1.0, f64::NAN)]
        {
            let settings = SgdSettings { learning_rate: settings.0, momentum: settings.1, nesterov: false };
            assert!(matches!(Sgd::new(settings, [0.0]), Err(Error::Setting { .. })));
        }
        let settings = SgdSettings { learning_rate: 1.0, momentum: 0.5, nesterov: true };
        let mut sgd = Sgd::new(settings, [0.0; 1]).unwrap();
        let mut w = [0.0; 2];
        assert!(matches!(sgd.step(&mut w, &[0.0; 2]), Err(Error::Dimension { what: "velocity", .. })));
        assert!(matches!(sgd.step(&mut w, &[0.0; 1]), Err(Error::Dimension { what: "gradient", .. })));
        assert_eq!(sgd.step(&mut w[..1], &[f64::NAN]), Err(Error::NonFinite { what: "gradient", index: 0 }));
        assert_eq!(w, [0.0; 2]);
        assert_eq!(
            sgd.step(&mut [-f64::MAX], &[f64::MAX]),
            Err(Error::NonFinite { what: "parameters", index: 0 })
        );
        assert!(sgd.set_learning_rate(0.1).is_ok() && sgd.set_learning_rate(-1.0).is_err());
        assert_eq!(sgd.learning_rate(), 0.1);
    }
}
