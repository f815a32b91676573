//! Of P. T. Boggs, J. W. Tolle, and others of CUTEst.

use core::f64::consts::SQRT_2 as S;

use super::TestProgram;
use super::term::{program, t, x};

/// Constraint i of GENHS28.
macro_rules! chain {
    ($first:literal, $second:literal, $third:literal) => {
        [t!(1.0; x($first)), t!(2.0; x($second)), t!(3.0; x($third)), t!(-1.0)]
    };
}

pub(super) const PROGRAMS: &[TestProgram] = &[
    program!("BT2" from [10.0, 10.0, 10.0],
        min [t!(1.0; x(1).plus(-1.0).power(2)), t!(1.0; x(1).and(-1.0, 2).power(2)), t!(1.0; x(2).and(-1.0, 3).power(4))],
        st [t!(1.0; x(1)), t!(1.0; x(1), x(2).power(2)), t!(1.0; x(3).power(4)), t!(-4.0 - 3.0 * S)];
        optimum 0.032_568_2, at [1.104_859, 1.196_674, 1.535_262]),
    program!("BT3" from [20.0, 20.0, 20.0, 20.0, 20.0],
        min [t!(1.0; x(1).and(-1.0, 2).power(2)), t!(1.0; x(2).and(1.0, 3).plus(-2.0).power(2)),
            t!(1.0; x(4).plus(-1.0).power(2)), t!(1.0; x(5).plus(-1.0).power(2))],
        st [t!(1.0; x(1)), t!(3.0; x(2))],
        [t!(1.0; x(3)), t!(1.0; x(4)), t!(-2.0; x(5))],
        [t!(1.0; x(2)), t!(-1.0; x(5))];
        optimum 176.0 / 43.0, at [-33.0 / 43.0, 11.0 / 43.0, 27.0 / 43.0, -5.0 / 43.0, 11.0 / 43.0]),
    program!("BT5" from [2.0, 2.0, 2.0],
        min [t!(1000.0), t!(-1.0; x(1).power(2)), t!(-2.0; x(2).power(2)), t!(-1.0; x(3).power(2)), t!(-1.0; x(1), x(2)),
            t!(-1.0; x(1), x(3))],
        st [t!(1.0; x(1).power(2)), t!(1.0; x(2).power(2)), t!(1.0; x(3).power(2)), t!(-25.0)],
        [t!(8.0; x(1)), t!(14.0; x(2)), t!(7.0; x(3)), t!(-56.0)];
        optimum 961.715_172_1, at [3.512_121, 0.216_988, 3.552_172]),
    program!("BT10" from [2.0, 2.0],
        min [t!(-1.0; x(1))],
        st [t!(1.0; x(2)), t!(-1.0; x(1).power(3))], [t!(1.0; x(1).power(2)), t!(-1.0; x(2))];
        optimum -1.0, at [1.0, 1.0]),
    program!("BT12" from [15.811, 1.5811, 0.0, 15.083, 3.7164],
        min [t!(0.01; x(1).power(2)), t!(1.0; x(2).power(2))],
        st [t!(1.0; x(1)), t!(1.0; x(2)), t!(-1.0; x(3).power(2)), t!(-25.0)],
        [t!(1.0; x(1).power(2)), t!(1.0; x(2).power(2)), t!(-1.0; x(4).power(2)), t!(-25.0)],
        [t!(1.0; x(1)), t!(-1.0; x(5).power(2)), t!(-2.0)];
        optimum 625.0 / 101.0, at [2500.0 / 101.0, 25.0 / 101.0, 0.0, 24.243_48, 4.769_955]),
    program!("GENHS28" from [-4.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        multiplier 1.0,
        min [t!(1.0; x(1).and(1.0, 2).power(2)), t!(1.0; x(2).and(1.0, 3).power(2)), t!(1.0; x(3).and(1.0, 4).power(2)),
            t!(1.0; x(4).and(1.0, 5).power(2)), t!(1.0; x(5).and(1.0, 6).power(2)), t!(1.0; x(6).and(1.0, 7).power(2)),
            t!(1.0; x(7).and(1.0, 8).power(2)), t!(1.0; x(8).and(1.0, 9).power(2)), t!(1.0; x(9).and(1.0, 10).power(2))],
        st chain!(1, 2, 3), chain!(2, 3, 4), chain!(3, 4, 5), chain!(4, 5, 6), chain!(5, 6, 7), chain!(6, 7, 8),
            chain!(7, 8, 9), chain!(8, 9, 10);
        optimum 0.927_173_69, at []),
    program!("BOOTH" from [0.0, 0.0],
        min [],
        st [t!(1.0; x(1)), t!(2.0; x(2)), t!(-7.0)], [t!(2.0; x(1)), t!(1.0; x(2)), t!(-5.0)];
        optimum 0.0, at [1.0, 3.0]),
    program!("HIMMELBC" from [1.0, 1.0],
        min [],
        st [t!(1.0; x(1).power(2)), t!(1.0; x(2)), t!(-11.0)], [t!(1.0; x(1)), t!(1.0; x(2).power(2)), t!(-7.0)];
        optimum 0.0, at [3.0, 2.0]),
    program!("RSNBRNE" from [-1.2, 1.0],
        min [],
        st [t!(10.0; x(2)), t!(-10.0; x(1).power(2))], [t!(1.0; x(1)), t!(-1.0)];
        optimum 0.0, at [1.0, 1.0]),
];
