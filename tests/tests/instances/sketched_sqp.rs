use quern::instances;
use quern::place::Native;
use quern_firmware::generators::TestProgram;
use quern_firmware::instances::sketched_sqp::{NAMES, SEED, solve};
use quern_firmware::{Call, NoClock, Scalar};
use quern_kernels::optim::sqp::{Report, Status};

/// The bound on its memory.
const MEMORY_BYTES: usize = 8 * 1024;

#[test]
fn answers_with_the_outcome() {
    let mut place = Native::new(MEMORY_BYTES, MEMORY_BYTES / 4);
    let result = instances::run(&mut place, "sketched-sqp").unwrap().unwrap();
    let (reports, digest) = run::<f32>(SEED);
    assert_eq!(result.hash, format!("{digest:016x}"));
    assert_eq!(result.values["solved"], 6);
    for (name, report) in NAMES.into_iter().zip(&reports) {
        assert_eq!(result.values[name][0], report.iterations as f64, "{name}");
    }
    let small = instances::run(&mut Native::new(4_000, 1_000), "sketched-sqp").unwrap();
    assert!(small.is_err_and(|refusal| refusal.starts_with("capacity")));
}

#[test]
fn meets_its_ranges() {
    let (reports, _) = run::<f32>(SEED);
    let expected = [(4, 1060), (5, 310), (5, 360), (6, 1590), (5, 80), (5, 9100)];
    for ((name, report), (iterations, projections)) in NAMES.iter().zip(&reports).zip(expected) {
        println!("{name}: {report:?}");
        let optimum = TestProgram::find(name).unwrap().optimum;
        assert_eq!(report.status, Status::Solved, "{name}");
        assert!(report.iterations.abs_diff(iterations) <= 1, "{name}: {}", report.iterations);
        // 'About': other random numbers.
        let ratio = report.inner_iterations as f64 / f64::from(projections);
        assert!((0.5..2.0).contains(&ratio), "{name}: {} {projections}", report.inner_iterations);
        let error = (f64::from(report.objective) - optimum).abs();
        assert!(error <= 1e-4 * optimum.abs().max(1.0), "{name}: {error}");
        assert!(report.constraint_norm <= 1e-3 && report.optimality_norm <= 1e-3, "{name}");
    }
}

/// From the same random words, both precisions take the same number of steps, but for one.
#[test]
fn both_precisions_take_the_same_path() {
    for seed in 0..10 {
        let (single, double) = (run::<f32>(seed).0, run::<f64>(seed).0);
        for ((name, single), double) in NAMES.iter().zip(&single).zip(&double) {
            assert_eq!((single.status, double.status), (Status::Solved, Status::Solved), "{name}, {seed}");
            assert!(single.iterations.abs_diff(double.iterations) <= 1, "{name}, {seed}");
        }
    }
}

fn run<T: Scalar>(seed: u64) -> ([Report<T>; 6], u64) {
    let mut memory = vec![0; MEMORY_BYTES / 8 * size_of::<T>() / 4];
    let (mut answer, mut clock) = ([0; 1024], NoClock);
    let mut call = Call::new(&[], &mut memory, &mut answer, &mut clock, 0);
    solve::<T>(&mut call, seed).unwrap()
}
