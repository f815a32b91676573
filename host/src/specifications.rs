//! The 36 specifications, by number.

/// A specification: what an instance on the board and an experiment on the host make real under the same
/// slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Specification {
    /// From 1 to 36.
    pub number: u8,
    /// The name it has everywhere, such as `quantization-constraints`.
    pub slug: &'static str,
    /// What it is about, in a line.
    pub title: &'static str,
}

/// Every specification, in order.
pub const ALL: [Specification; 36] = [
    new(1, "levelset-udf", "Pulling level sets together to learn an unsigned distance field"),
    new(2, "gaussian-stitching", "Recolouring one splat cloud so that it joins another"),
    new(3, "discretized-sdf", "Signed distances stored on splats"),
    new(4, "gradobstinate", "Over-stability audit by gradient-guided word substitution"),
    new(5, "lora-ggpo", "Perturbed low-rank fine-tuning guided by weight and gradient norms"),
    new(6, "n2n-compression", "Network-to-network compression by policy gradient"),
    new(7, "moe-hard-constraints", "PDE constraints as a least-squares layer, one solver per subdomain"),
    new(8, "unify-edit", "Balancing two attention constraints by optimising a diffusion latent"),
    new(9, "sparse-ot", "Sparsity-constrained optimal transport"),
    new(10, "sface", "Sigmoid-constrained hypersphere loss"),
    new(11, "natural-galore", "Low-rank gradient projection with an inverse empirical Fisher by Woodbury"),
    new(
        12,
        "quantization-constraints",
        "Cells of weights that quantize identically; integrity audit of a quantized deployment",
    ),
    new(13, "lvm-med", "Self-supervision by second-order graph matching with a black-box solver"),
    new(14, "sketched-sqp", "Exact augmented Lagrangian with randomised iterative sketching"),
    new(15, "lv-hba", "Constrained bilevel optimisation through a proximal Lagrangian value function"),
    new(16, "gradient-normalized-smoothness", "Gradient-regularised Newton with approximate Hessians"),
    new(17, "notears-topo", "DAG learning by topological swaps (TOPO)"),
    new(18, "forward-gnn", "Forward learning of graph neural networks"),
    new(19, "lagrangian-pinn", "Physics-informed networks on characteristics"),
    new(20, "neuralstagger", "Interleaved coarse solvers trained by one fine-grid physics loss"),
    new(21, "target-surrogates", "Many cheap parameter updates per expensive gradient (SSO)"),
    new(
        22,
        "diffusion-gauge",
        "Gauge freedom of a score field, conservativity, and dimension from the flow Jacobian",
    ),
    new(23, "penalty-bilevel", "Penalty methods for nonconvex bilevel problems, first order and stochastic"),
    new(24, "hessian-spectrum", "Bulk and outliers of the loss Hessian"),
    new(25, "nacl-calibration", "Neighbour-aware logit constraints for calibrated segmentation"),
    new(26, "odice", "Orthogonal-gradient update for distribution-correction value learning"),
    new(27, "deep-conjugate-directions", "Learned search directions for linear systems"),
    new(28, "transformers-as-svm", "Attention trained by gradient descent as a hard-margin SVM"),
    new(29, "programmable-vi", "Variational objectives as programs with per-choice gradient strategies"),
    new(30, "convex-relu", "Global training of two-layer ReLU networks by convex programs"),
    new(
        31,
        "probconserv",
        "Integral conservation laws as an exact Gaussian update of a black-box prediction",
    ),
    new(32, "sgd-dynamical-stability", "Stability of SGD minima, and a stability guard for SGD loops"),
    new(33, "lr-refinement", "Linear decay from theory, and schedules refined by observed gradient norms"),
    new(34, "diff2", "Differentially private optimisation through gradient differences"),
    new(35, "equino", "An equilibrium-by-construction operator for representative volume elements"),
    new(36, "groco", "Group ordering constraints by differentiable sorting"),
];

const fn new(number: u8, slug: &'static str, title: &'static str) -> Specification {
    Specification { number, slug, title }
}

/// The specification of this slug.
pub fn find(slug: &str) -> Option<&'static Specification> {
    ALL.iter().find(|specification| specification.slug == slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_run_from_one_and_slugs_differ() {
        for (i, specification) in ALL.iter().enumerate() {
            assert_eq!(usize::from(specification.number), i + 1);
            assert_eq!(find(specification.slug), Some(specification));
        }
    }
}
