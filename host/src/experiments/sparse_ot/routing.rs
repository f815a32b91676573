//! Routers without training: 256 tokens to 16 experts.

use anyhow::Result;
use quern_kernels::random::{Key, normal_at};
use quern_kernels::sort::largest;
use quern_kernels::transport::{Ascent, AscentSettings, Problem, Regularizer, Sinkhorn, Stop, plan};
use rayon::prelude::*;

use super::{Data, LOAD, ROUTING, maximize};
use crate::experiments::{Bound, Check, Findings, Progress, Scale, Table};

const TOKENS: usize = 256;
const EXPERTS: usize = 16;
const ROUTERS: [&str; 5] =
    ["token choice", "expert choice", "Sinkhorn and top-k", "quadratic and top-k", "k-sparse"];
const SPREADS: [f64; 3] = [0.5, 1.0, 3.0];
/// Of the entropy.
const ENTROPY: f64 = 0.05;

/// What a router does.
#[derive(Clone, Copy, Default)]
struct Metrics {
    served: f64,
    load: f64,
    affinity: f64,
}

/// The tokens of each expert.
type Dispatch = Vec<Vec<usize>>;

/// Softmax of N(0, 1)·exp(σzᵢ/2) + σβⱼ, by columns of experts.
fn gates(key: Key, spread: f64) -> Vec<f64> {
    let [noise, tokens, biases] = key.split();
    let normal = |key, index: usize| normal_at::<f64>(key, index as u64);
    let mut gates = vec![0.0; TOKENS * EXPERTS];
    for i in 0..TOKENS {
        let sharpness = (spread * normal(tokens, i) / 2.0).exp();
        let logit = |j| normal(noise, i * EXPERTS + j) * sharpness + spread * normal(biases, j);
        let logits: Vec<f64> = (0..EXPERTS).map(logit).collect();
        let most = logits.iter().fold(f64::NEG_INFINITY, |most, logit| most.max(*logit));
        let sum: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
        for (j, logit) in logits.iter().enumerate() {
            gates[i + TOKENS * j] = (logit - most).exp() / sum;
        }
    }
    gates
}

fn measure(gates: &[f64], dispatch: &Dispatch) -> Metrics {
    let mut served = [false; TOKENS];
    let mut affinity = 0.0;
    for (j, tokens) in dispatch.iter().enumerate() {
        for &i in tokens {
            served[i] = true;
            affinity += gates[i + TOKENS * j];
        }
    }
    let count = served.iter().filter(|served| **served).count();
    let load = dispatch.iter().map(Vec::len).max().unwrap_or(0);
    let share = 1.0 / TOKENS as f64;
    Metrics { served: count as f64 * share, load: load as f64, affinity: affinity * share }
}

/// Of each column the k largest entries above zero.
fn top(columns: &[f64], k: usize) -> Result<Dispatch> {
    let mut indices = vec![0; k];
    let choose = |column: &[f64]| -> Result<Vec<usize>> {
        largest(column, &mut indices)?;
        Ok(indices.iter().map(|&i| i as usize).filter(|&i| column[i] > 0.0).collect())
    };
    columns.chunks_exact(TOKENS).map(choose).collect()
}

fn route(router: usize, gates: &[f64], k: usize) -> Result<Dispatch> {
    let (a, b) = (vec![1.0; TOKENS], vec![(TOKENS / EXPERTS) as f64; EXPERTS]);
    let data = Data { a, b, cost: gates.iter().map(|gate| -gate).collect() };
    let problem = Problem::dense(&data.a, &data.b, &data.cost)?;
    match router {
        0 => {
            let mut dispatch = vec![Vec::new(); EXPERTS];
            for i in 0..TOKENS {
                let gate = |j: &usize| gates[i + TOKENS * j];
                let best = (1..EXPERTS).fold(0, |best, j| if gate(&j) > gate(&best) { j } else { best });
                if dispatch[best].len() < k {
                    dispatch[best].push(i);
                }
            }
            Ok(dispatch)
        }
        1 => top(gates, k),
        2 => {
            let mut solver = Sinkhorn::new(vec![0.0; Sinkhorn::scalars(TOKENS, EXPERTS)]);
            solver.solve(&problem, ENTROPY, &Stop { tolerance: 1e-4, max_iterations: 1000 })?;
            let mut full = vec![0.0; TOKENS * EXPERTS];
            for (j, column) in full.chunks_exact_mut(TOKENS).enumerate() {
                solver.plan_column(&problem, ENTROPY, j, column)?;
            }
            top(&full, k)
        }
        3 => {
            let regularizer = Regularizer::quadratic(1.0);
            let potential = maximize(&data, regularizer, &vec![0.0; TOKENS], 1e-4, 200)?.potential;
            let (mut indices, mut entries) = (vec![0; TOKENS * EXPERTS], vec![0.0; TOKENS * EXPERTS]);
            let memory = &mut vec![0.0; 3 * TOKENS];
            plan(&problem, &regularizer, &potential, &mut indices, &mut entries, memory)?;
            top(&entries, k)
        }
        _ => {
            let settings = AscentSettings { decay_steps: None, ..AscentSettings::default() };
            let memory = vec![0.0; Ascent::scalars(TOKENS, k)];
            let mut solver = Ascent::new(settings, memory, vec![0.0; 2 * TOKENS], vec![0; k])?;
            let regularizer = Regularizer { weight: 1.0, nonzeros: k };
            solver.solve(&problem, &regularizer, &Stop { tolerance: 0.0, max_iterations: 20 })?;
            let (mut indices, mut entries) = (vec![0; k * EXPERTS], vec![0.0; k * EXPERTS]);
            let memory = &mut vec![0.0; 2 * TOKENS + k];
            plan(&problem, &regularizer, solver.potential(), &mut indices, &mut entries, memory)?;
            let experts = indices.chunks_exact(k).zip(entries.chunks_exact(k));
            let chosen = |(indices, entries): (&[u32], &[f64])| {
                let above = indices.iter().zip(entries).filter(|(_, entry)| **entry > 0.0);
                above.map(|(&index, _)| index as usize).collect()
            };
            Ok(experts.map(chosen).collect())
        }
    }
}

pub(super) fn run(scale: Scale, key: Key, progress: &Progress, findings: &mut Findings) -> Result<()> {
    let seeds: u32 = match scale {
        Scale::Quick => 5,
        Scale::Full => 20,
    };
    let mut table = Table::new(
        "routing",
        "256 tokens to 16 experts, without training: means over seeds",
        &["σ", "capacity factor", "router", "share served", "largest load", "affinity"],
    );
    let mut excess = f64::NEG_INFINITY;
    progress.expect(SPREADS.len() * 2);
    for spread in SPREADS {
        for factor in [1, 2] {
            let k = (TOKENS / EXPERTS * factor).next_multiple_of(4);
            let runs = (0..seeds)
                .into_par_iter()
                .map(|seed| {
                    let gates = gates(key.child(seed), spread);
                    (0..ROUTERS.len()).map(|router| Ok(measure(&gates, &route(router, &gates, k)?))).collect()
                })
                .collect::<Result<Vec<Vec<Metrics>>>>()?;
            let mean = |router: usize, figure: &dyn Fn(&Metrics) -> f64| {
                runs.iter().map(|run| figure(&run[router])).sum::<f64>() / f64::from(seeds)
            };
            for (router, name) in ROUTERS.into_iter().enumerate() {
                let load = runs.iter().map(|run| run[router].load).fold(0.0, f64::max);
                table.rows.push(vec![
                    spread.into(),
                    factor.into(),
                    name.into(),
                    mean(router, &|m| m.served).into(),
                    load.into(),
                    mean(router, &|m| m.affinity).into(),
                ]);
            }
            excess = runs.iter().map(|run| run[4].load - k as f64).fold(excess, f64::max);
            if factor == 1 && spread <= 1.0 {
                let gain = mean(4, &|m| m.served) - mean(1, &|m| m.served);
                let loss = 1.0 - mean(4, &|m| m.affinity) / mean(1, &|m| m.affinity);
                findings.checks.extend([
                    Check::new(
                        format!("routing, σ = {spread}: share of tokens served beyond expert choice"),
                        ROUTING,
                        gain,
                        Bound::AtLeast(0.1),
                    ),
                    Check::new(
                        format!("routing, σ = {spread}: loss of affinity against expert choice"),
                        ROUTING,
                        loss,
                        Bound::AtMost(0.1),
                    ),
                ]);
            }
            progress.advance("routing");
        }
    }
    findings.tables.push(table);
    findings.checks.push(Check::new(
        "routing: largest load of an expert beyond its capacity",
        LOAD,
        excess,
        Bound::AtMost(0.0),
    ));
    Ok(())
}
