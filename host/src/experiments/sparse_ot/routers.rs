//! Routers of tokens to experts of bounded load.

use quern_kernels::sort::largest;
use quern_kernels::transport::{Ascent, AscentSettings, Problem, Regularizer, Sinkhorn, Stop, plan};
use quern_kernels::{Error, Real};

use super::{Data, maximize};

/// Of the entropy.
const ENTROPY: f64 = 0.05;

/// The tokens of each expert.
pub(super) type Dispatch = Vec<Vec<usize>>;

/// What a token thinks of an expert: numbers above zero, of sum 1 a token.
pub(super) struct Gates {
    tokens: usize,
    /// By columns of experts.
    values: Vec<f64>,
}

impl Gates {
    /// Softmax of logits that lie token after token.
    pub(super) fn softmax(experts: usize, logits: &[f64]) -> Self {
        let tokens = logits.len() / experts;
        let mut values = vec![0.0; logits.len()];
        for (i, logits) in logits.chunks_exact(experts).enumerate() {
            let most = logits.iter().fold(f64::NEG_INFINITY, |most, logit| most.max(*logit));
            let sum: f64 = logits.iter().map(|logit| Real::exp(logit - most)).sum();
            for (j, logit) in logits.iter().enumerate() {
                values[i + tokens * j] = Real::exp(logit - most) / sum;
            }
        }
        Self { tokens, values }
    }

    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }

    pub(super) fn experts(&self) -> usize {
        self.values.len() / self.tokens
    }

    pub(super) fn at(&self, token: usize, expert: usize) -> f64 {
        self.values[token + self.tokens * expert]
    }
}

/// Tokens an expert takes at most: its share times a factor, up to a multiple of four.
pub(super) fn capacity(tokens: usize, experts: usize, factor: usize) -> usize {
    (tokens / experts * factor).next_multiple_of(4)
}

/// Who goes where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Router {
    /// Each token to its largest gate, dropped where the expert is full.
    TokenChoice,
    /// Each expert takes the tokens of its largest gates.
    ExpertChoice,
    /// The same on the entropic plan instead of the gates.
    Sinkhorn,
    /// The same on the quadratic plan.
    Quadratic,
    /// The nonzeros of the k-sparse plan after 20 steps.
    Sparse,
}

impl Router {
    /// In the order of their numbers.
    pub(super) const ALL: [Self; 5] =
        [Self::TokenChoice, Self::ExpertChoice, Self::Sinkhorn, Self::Quadratic, Self::Sparse];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TokenChoice => "token choice",
            Self::ExpertChoice => "expert choice",
            Self::Sinkhorn => "Sinkhorn and top-k",
            Self::Quadratic => "quadratic and top-k",
            Self::Sparse => "k-sparse",
        }
    }

    /// The tokens of each expert, at most k.
    pub(super) fn route(self, gates: &Gates, k: usize) -> Result<Dispatch, Error> {
        let (tokens, experts) = (gates.tokens, gates.experts());
        let (a, b) = (vec![1.0; tokens], vec![tokens as f64 / experts as f64; experts]);
        let data = Data { a, b, cost: gates.values.iter().map(|gate| -gate).collect() };
        let problem = Problem::dense(&data.a, &data.b, &data.cost)?;
        match self {
            Self::TokenChoice => {
                let mut dispatch = vec![Vec::new(); experts];
                for i in 0..tokens {
                    let better = |best, j| if gates.at(i, j) > gates.at(i, best) { j } else { best };
                    let best = (1..experts).fold(0, better);
                    if dispatch[best].len() < k {
                        dispatch[best].push(i);
                    }
                }
                Ok(dispatch)
            }
            Self::ExpertChoice => top(&gates.values, tokens, k),
            Self::Sinkhorn => {
                let mut solver = Sinkhorn::new(vec![0.0; Sinkhorn::scalars(tokens, experts)]);
                solver.solve(&problem, ENTROPY, &Stop { tolerance: 1e-4, max_iterations: 1000 })?;
                let mut full = vec![0.0; tokens * experts];
                for (j, column) in full.chunks_exact_mut(tokens).enumerate() {
                    solver.plan_column(&problem, ENTROPY, j, column)?;
                }
                top(&full, tokens, k)
            }
            Self::Quadratic => {
                let regularizer = Regularizer::quadratic(1.0);
                let potential = maximize(&data, regularizer, &vec![0.0; tokens], 1e-4, 200)?.potential;
                let (mut indices, mut entries) = (vec![0; tokens * experts], vec![0.0; tokens * experts]);
                let memory = &mut vec![0.0; 3 * tokens];
                plan(&problem, &regularizer, &potential, &mut indices, &mut entries, memory)?;
                top(&entries, tokens, k)
            }
            Self::Sparse => {
                let settings = AscentSettings { decay_steps: None, ..AscentSettings::default() };
                let memory = vec![0.0; Ascent::scalars(tokens, k)];
                let mut solver = Ascent::new(settings, memory, vec![0.0; 2 * tokens], vec![0; k])?;
                let regularizer = Regularizer { weight: 1.0, nonzeros: k };
                solver.solve(&problem, &regularizer, &Stop { tolerance: 0.0, max_iterations: 20 })?;
                let (mut indices, mut entries) = (vec![0; k * experts], vec![0.0; k * experts]);
                let memory = &mut vec![0.0; 2 * tokens + k];
                plan(&problem, &regularizer, solver.potential(), &mut indices, &mut entries, memory)?;
                let columns = indices.chunks_exact(k).zip(entries.chunks_exact(k));
                let chosen = |(indices, entries): (&[u32], &[f64])| {
                    let above = indices.iter().zip(entries).filter(|(_, entry)| **entry > 0.0);
                    above.map(|(&index, _)| index as usize).collect()
                };
                Ok(columns.map(chosen).collect())
            }
        }
    }
}

/// Of each column the k largest entries above zero.
fn top(columns: &[f64], tokens: usize, k: usize) -> Result<Dispatch, Error> {
    let mut indices = vec![0; k];
    let choose = |column: &[f64]| {
        largest(column, &mut indices)?;
        Ok(indices.iter().map(|&i| i as usize).filter(|&i| column[i] > 0.0).collect())
    };
    columns.chunks_exact(tokens).map(choose).collect()
}

/// What a router does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Metrics {
    /// Share of tokens that some expert takes.
    pub(super) served: f64,
    /// Tokens of the busiest expert.
    pub(super) load: f64,
    /// Sum of the gates used, over the tokens.
    pub(super) affinity: f64,
}

impl Metrics {
    pub(super) fn of(gates: &Gates, dispatch: &Dispatch) -> Self {
        let mut served = vec![false; gates.tokens];
        let mut affinity = 0.0;
        for (j, tokens) in dispatch.iter().enumerate() {
            for &i in tokens {
                served[i] = true;
                affinity += gates.at(i, j);
            }
        }
        let count = served.iter().filter(|served| **served).count();
        let load = dispatch.iter().map(Vec::len).max().unwrap_or(0);
        let share = 1.0 / gates.tokens as f64;
        Self { served: count as f64 * share, load: load as f64, affinity: affinity * share }
    }
}
