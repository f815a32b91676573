//! Training through W or through its factors.

use anyhow::Result;
use quern_kernels::blas;
use quern_kernels::optim::normalized_step;
use quern_kernels::random::{Key, fill_uniform};

use super::sequences::{Machines, Sequences};

const LEARNING_RATE: f64 = 0.1;
/// λ of λ(‖K‖² + ‖Q‖²).
const DECAY: f64 = 2.22e-16;
/// Iterates that are compared with the machines.
const CHECKPOINTS: usize = 10;

/// What is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// W.
    Full,
    /// K and Q of W = KQᵀ.
    Factors,
}

impl Form {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Full => "through W",
            Self::Factors => "through the factors",
        }
    }
}

/// An iterate against the machines.
pub(super) struct Checkpoint {
    pub(super) iteration: usize,
    /// Mean over the sequences of the softmax of the token that is selected.
    pub(super) softmax: f64,
    /// Cosine to the machine of least Frobenius norm.
    pub(super) frobenius: f64,
    /// Cosine to the machine of least nuclear norm.
    pub(super) nuclear: Option<f64>,
}

/// A training run whose selected tokens can be separated.
pub(super) struct Trained {
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) optimal_share: f64,
    /// Of the machines.
    pub(super) ranks: (usize, Option<usize>),
}

/// Trains from entries uniform in ±1/√d; `None` if the tokens selected at the end cannot be separated.
pub(super) fn run(
    data: &Sequences,
    form: Form,
    key: Key,
    iterations: usize,
    nuclear: bool,
) -> Result<Option<Trained>> {
    let (net, d) = (data.attention()?, data.dimension);
    let square = d * d;
    let uniform = |key| {
        let mut entries = vec![0.0; square];
        fill_uniform(key, 0, &mut entries);
        entries.iter_mut().for_each(|entry: &mut f64| *entry = (2.0 * *entry - 1.0) / (d as f64).sqrt());
        entries
    };
    let [first, second] = key.split();
    // W, or K and Q.
    let (mut k, mut q) = (uniform(first), uniform(second));
    let (mut dk, mut dq) = (vec![0.0; square], vec![0.0; square]);
    let mut softmax = vec![0.0; data.labels.len() * data.length];
    let mut memory = vec![0.0; 2 * square + net.scratch()];
    let mut kept = Vec::new();
    let product = |k: &[f64], q: &[f64]| -> Result<Vec<f64>> {
        if form == Form::Full {
            return Ok(k.to_vec());
        }
        let mut w = vec![0.0; square];
        blas::gemm_transposed_right(d, d, d, 1.0, k, q, 0.0, &mut w)?;
        Ok(w)
    };
    for iteration in 1..=iterations {
        match form {
            Form::Full => {
                net.gradient(&k, &mut softmax, &mut dk, &mut memory)?;
                normalized_step(&mut k, &dk, LEARNING_RATE)?;
            }
            Form::Factors => {
                net.gradient_factors(&k, &q, &mut softmax, (&mut dk, &mut dq), &mut memory)?;
                blas::axpy(2.0 * DECAY, &k, &mut dk)?;
                blas::axpy(2.0 * DECAY, &q, &mut dq)?;
                normalized_step(&mut k, &dk, LEARNING_RATE)?;
                normalized_step(&mut q, &dq, LEARNING_RATE)?;
            }
        }
        if iteration % (iterations / CHECKPOINTS) == 0 {
            kept.push((iteration, product(&k, &q)?));
        }
    }
    let w = product(&k, &q)?;
    net.forward(&w, &mut softmax, &mut memory)?;
    let mut selected = vec![0; data.labels.len()];
    net.selected(&softmax, &mut selected)?;
    let Some(machines) = Machines::of(data, &selected, nuclear)? else { return Ok(None) };
    let mut checkpoints = Vec::new();
    for (iteration, w) in kept {
        net.forward(&w, &mut softmax, &mut memory)?;
        let of = |(s, &token): (&[f64], &u32)| s[token as usize];
        let mean =
            softmax.chunks_exact(data.length).zip(&selected).map(of).sum::<f64>() / selected.len() as f64;
        checkpoints.push(Checkpoint {
            iteration,
            softmax: mean,
            frobenius: cosine(&w, &machines.frobenius),
            nuclear: machines.nuclear.as_ref().map(|nuclear| cosine(&w, nuclear)),
        });
    }
    let optimal = data.optimal()?;
    let agree = selected.iter().zip(&optimal).filter(|(a, b)| a == b).count();
    Ok(Some(Trained {
        checkpoints,
        optimal_share: agree as f64 / selected.len() as f64,
        ranks: (machines.frobenius_rank, machines.nuclear_rank),
    }))
}

/// ⟨A, B⟩/(‖A‖‖B‖).
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    product / (blas::norm2(a) * blas::norm2(b))
}
