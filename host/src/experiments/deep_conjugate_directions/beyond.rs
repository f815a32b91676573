//! Sizes without a range: a large square with the weights of a small one, and boxes.

use anyhow::Result;
use quern_kernels::nn::{DirectionUnet, Extent};
use quern_kernels::pde::Poisson7;
use quern_kernels::random::{Key, fill_normal};

use super::data;
use super::problems::{DOMAINS, Domain, Kind, Triangle};
use super::solve::{Method, Network, System};
use super::tables::network;
use super::training::{Plan, Trained, train};
use crate::experiments::{Cell, Findings, Progress, Table};

const TOLERANCE: f64 = 1e-4;
const METHODS: [Method; 4] = [Method::Cg, Method::Incomplete, Method::Directions(2), Method::Directions(8)];
const COLUMNS: [&str; 6] = ["cells", "domain", "method", "steps", "safeguarded", "multiply-adds an unknown"];

/// 512×512 cells.
pub(super) fn large_square(
    trained: &Trained,
    key: Key,
    progress: &Progress,
    findings: &mut Findings,
) -> Result<()> {
    let side = 512;
    let title = format!("Steps to {TOLERANCE} on a large square, noise, with the weights of the small one");
    let mut table = Table::new("large-square", &title, &COLUMNS);
    progress.expect(DOMAINS.len() * METHODS.len());
    for (domain, &(name, obstacles)) in DOMAINS.iter().enumerate() {
        let square = Domain::new(side, obstacles);
        let (operator, triangle) = (square.operator()?, square.triangle()?);
        let network = network(trained, &square)?;
        let right_hand_side =
            &square.right_hand_side(Kind::Noise, key.child(1 << 16).child(domain as u32))?;
        let system = System { operator: &operator, triangle: &triangle, network, right_hand_side };
        for method in METHODS {
            let row = row(&system, method, 5, [format!("{side}x{side}"), name.to_owned()], progress)?;
            table.rows.push(row);
        }
    }
    findings.tables.push(table);
    Ok(())
}

/// 64×64×64 cells, with a network trained on 12×12×12.
pub(super) fn boxes(key: Key, progress: &Progress, findings: &mut Findings) -> Result<()> {
    let (small, plan) = (12, Plan { samples: 600, epochs: 15 });
    let [data_key, order_key, test_key] = key.split();
    let cells = |side: usize| side * side * side;
    let open = |side: usize| vec![0_u8; cells(side).div_ceil(8)];
    let solid = open(small);
    let samples = data::samples(&Poisson7::<f64>::new([small; 3], &solid)?, plan.samples, data_key)?;
    let operator = Poisson7::<f32>::new([small; 3], &solid)?;
    let net = DirectionUnet::new(Extent::Volume([small; 3]), 8, [1, 3, 2])?;
    let trained = train(net, &operator, &samples, plan, order_key, progress)?;
    let title = format!(
        "Steps to {TOLERANCE} on boxes, noise, with a network trained on {small}x{small}x{small} cells \
         (loss {:.4} held out)",
        trained.validation()
    );
    let mut table = Table::new("boxes", &title, &COLUMNS);
    let sides = [small, 32, 64];
    progress.expect(sides.len() * METHODS.len());
    for side in sides {
        let solid = open(side);
        let operator = Poisson7::new([side; 3], &solid)?;
        let triangle = Triangle::of_box(&operator, cells(side))?;
        let net = trained.net.on(Extent::Volume([side; 3]))?;
        let network = Network { net, parameters: &trained.parameters, solid: &solid };
        let mut right_hand_side = vec![0.0; cells(side)];
        fill_normal(test_key.child(side as u32), 0, &mut right_hand_side);
        let right_hand_side = &right_hand_side;
        let system = System { operator: &operator, triangle: &triangle, network, right_hand_side };
        for method in METHODS {
            let names = [format!("{side}x{side}x{side}"), "full".to_owned()];
            table.rows.push(row(&system, method, 7, names, progress)?);
        }
    }
    findings.tables.push(table);
    Ok(())
}

fn row<A: quern_kernels::linop::LinearOperator<f64> + Sync>(
    system: &System<'_, A>,
    method: Method,
    stencil: usize,
    [cells, domain]: [String; 2],
    progress: &Progress,
) -> Result<Vec<Cell>> {
    let outcome = system.solve(method, TOLERANCE)?;
    let seconds = outcome.elapsed.as_secs_f64();
    progress.advance(&format!("{cells} {domain} {}: {seconds:.2} s", method.name()));
    let multiply_adds = outcome.iterations * method.multiply_adds(&system.network.net, stencil);
    let (steps, safeguarded) = (outcome.iterations.into(), outcome.safeguarded.into());
    Ok(vec![cells.into(), domain.into(), method.name().into(), steps, safeguarded, multiply_adds.into()])
}
