//! Properties of the endpoints, under the generators the boards are tested with.

use quern::strategies;
use quern_firmware::endpoints;

#[test]
fn every_endpoint_has_a_generator_and_a_cost_case() {
    for endpoint in endpoints::all() {
        assert!(
            strategies::arguments(endpoint.name, endpoint.scalar, 4096).is_some(),
            "no generator for {} in {:?}",
            endpoint.name,
            endpoint.scalar
        );
        assert!(
            !strategies::cost_cases(endpoint.name, endpoint.scalar).is_empty(),
            "no cost case for {} in {:?}",
            endpoint.name,
            endpoint.scalar
        );
    }
}
