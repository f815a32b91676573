//! Routers without training: 256 tokens to 16 experts.

use anyhow::Result;
use quern_kernels::random::{Key, normal_at};
use rayon::prelude::*;

use super::routers::{Gates, Metrics, Router, capacity};
use super::{LOAD, ROUTING};
use crate::experiments::{Bound, Check, Findings, Progress, Scale, Table};

const TOKENS: usize = 256;
const EXPERTS: usize = 16;
const SPREADS: [f64; 3] = [0.5, 1.0, 3.0];

/// Softmax of N(0, 1)·exp(σzᵢ/2) + σβⱼ.
fn gates(key: Key, spread: f64) -> Gates {
    let [noise, tokens, biases] = key.split();
    let normal = |key, index: usize| normal_at::<f64>(key, index as u64);
    let logit = |place| {
        let (i, j) = (place / EXPERTS, place % EXPERTS);
        let sharpness = (spread * normal(tokens, i) / 2.0).exp();
        normal(noise, place) * sharpness + spread * normal(biases, j)
    };
    let logits: Vec<f64> = (0..TOKENS * EXPERTS).map(logit).collect();
    Gates::softmax(EXPERTS, &logits)
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
            let k = capacity(TOKENS, EXPERTS, factor);
            let runs = (0..seeds)
                .into_par_iter()
                .map(|seed| {
                    let gates = gates(key.child(seed), spread);
                    let measure = |router: Router| Ok(Metrics::of(&gates, &router.route(&gates, k)?));
                    Router::ALL.into_iter().map(measure).collect()
                })
                .collect::<Result<Vec<Vec<Metrics>>>>()?;
            let mean = |router: Router, figure: &dyn Fn(&Metrics) -> f64| {
                runs.iter().map(|run| figure(&run[router as usize])).sum::<f64>() / f64::from(seeds)
            };
            for router in Router::ALL {
                let load = runs.iter().map(|run| run[router as usize].load).fold(0.0, f64::max);
                table.rows.push(vec![
                    spread.into(),
                    factor.into(),
                    router.name().into(),
                    mean(router, &|m| m.served).into(),
                    load.into(),
                    mean(router, &|m| m.affinity).into(),
                ]);
            }
            excess =
                runs.iter().map(|run| run[Router::Sparse as usize].load - k as f64).fold(excess, f64::max);
            if factor == 1 && spread <= 1.0 {
                let gain = mean(Router::Sparse, &|m| m.served) - mean(Router::ExpertChoice, &|m| m.served);
                let loss =
                    1.0 - mean(Router::Sparse, &|m| m.affinity) / mean(Router::ExpertChoice, &|m| m.affinity);
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
